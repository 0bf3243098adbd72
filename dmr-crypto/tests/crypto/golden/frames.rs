//! One frame of each kind, as it travels.

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, DeliveryTag, RecipientResult, ServerFrame, Settlement, Welcome};
use dmr_core::id::{SessionId, StoreId};
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use serde_json::{Value, json};

use super::{frozen, read};
use crate::hex::{field, hex};
use crate::world::{id, message_id};

fn agent_frames() -> Vec<AgentFrame> {
    let envelope = Bytes::from_static(b"an envelope");
    let settle = |settlement| AgentFrame::Settle { tag: DeliveryTag(70_000), settlement };
    vec![
        AgentFrame::Authenticate { fields: Bytes::from_static(b"fields"), proof: Bytes::from_static(&[1; 64]) },
        AgentFrame::Subscribe { prefetch: 256 },
        AgentFrame::Publish { envelope },
        settle(Settlement::Ack),
        settle(Settlement::Retry { after_ms: 1000 }),
        settle(Settlement::Reject { reason: FailureReason::Refused }),
        AgentFrame::FetchDirectory { revision: 7 },
        AgentFrame::Heartbeat,
    ]
}

fn server_frames() -> Vec<ServerFrame> {
    vec![
        ServerFrame::Challenge { challenge: Bytes::from_static(b"challenge"), signature: Bytes::new() },
        ServerFrame::Welcome(Welcome {
            session: SessionId::from_custom_bytes([1; 16]),
            store: StoreId::from_custom_bytes([2; 16]),
            credit: 64,
            heartbeat_ms: 15_000,
            max_envelope: 1_310_720,
        }),
        ServerFrame::Refused { reason: CloseReason::LoginRefused },
        ServerFrame::Confirm { ids: vec![message_id(1), message_id(2)] },
        ServerFrame::Reject {
            id: message_id(1),
            reason: RejectReason::MailboxFull,
            retry_after_ms: 500,
            recipients: vec![
                RecipientResult { participant: id("police"), reason: Some(RejectReason::MailboxFull) },
                RecipientResult { participant: id("tax"), reason: None },
            ],
        },
        ServerFrame::Deliver { tag: DeliveryTag(1), attempt: 2, envelope: Bytes::from_static(b"an envelope") },
        ServerFrame::Directory { revision: 8, total: 4, offset: 0, part: Bytes::from_static(b"part") },
        ServerFrame::Notice { id: message_id(1), reason: FailureReason::Expired },
        ServerFrame::Drain { retry_after_ms: 2000 },
        ServerFrame::Heartbeat,
    ]
}

#[test]
fn golden_frames_are_as_frozen_and_decode() {
    let agent = agent_frames().into_iter().map(|frame| {
        json!({ "from": "agent", "name": frame.name(), "shown": format!("{frame:?}"), "bytes": hex(&frame.encode().unwrap()) })
    });
    let server = server_frames().into_iter().map(|frame| {
        json!({ "from": "server", "name": frame.name(), "shown": format!("{frame:?}"), "bytes": hex(&frame.encode().unwrap()) })
    });
    frozen("frames", &json!({ "frames": agent.chain(server).collect::<Vec<_>>() }));
    let file = read("frames");
    let frames: &Vec<Value> = file["frames"].as_array().unwrap();
    for (frame, expected) in frames.iter().zip(agent_frames()) {
        assert_eq!(AgentFrame::decode(&field(frame, "bytes")), Ok(expected));
    }
    for (frame, expected) in frames.iter().skip(agent_frames().len()).zip(server_frames()) {
        assert_eq!(ServerFrame::decode(&field(frame, "bytes")), Ok(expected));
    }
    assert_eq!(frames.len(), agent_frames().len() + server_frames().len());
}
