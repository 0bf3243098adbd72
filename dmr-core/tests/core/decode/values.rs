//! Any value of each type that travels.

use bytes::Bytes;
use dmr_core::content::{Content, Message, Receipt, Receipts, Reference, Verdict};
use dmr_core::envelope::{Envelope, Wrap};
use dmr_core::frame::{
    AgentFrame, AuthFields, Challenge, ChannelBinding, DeliveryTag, RecipientResult, ServerFrame, Settlement, Welcome,
};
use dmr_core::header::{Header, Kind, Recipient, Recipients, Suite};
use dmr_core::id::{
    ConversationId, Digest, InstanceId, KeyCommitment, KeyId, MessageId, Name, Nonce, ParticipantId, RoomId, SessionId,
    StoreId,
};
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_core::time::Timestamp;
use proptest::prelude::*;
use proptest::{collection, option};

macro_rules! ids {
    ($($name:ident: $type:ident,)*) => {$(
        fn $name() -> impl Strategy<Value = $type> {
            any::<[u8; 16]>().prop_filter_map("nil", |bytes| $type::from_bytes(bytes).ok())
        }
    )*};
}

ids! {
    participant: ParticipantId,
    message_id: MessageId,
    room: RoomId,
    conversation: ConversationId,
    session: SessionId,
    instance: InstanceId,
    store: StoreId,
}

fn name() -> impl Strategy<Value = Name> {
    "[a-z0-9][a-z0-9._-]{0,63}".prop_map(|name| name.parse().unwrap())
}

/// Mostly short; now and then long enough to be shared instead of copied, in which case all bytes are alike.
fn blob() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        8 => collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from),
        1 => (any::<u8>(), 16_300_usize..16_500).prop_map(|(byte, len)| vec![byte; len].into()),
    ]
}

fn reject_reason() -> impl Strategy<Value = RejectReason> {
    prop_oneof![proptest::sample::select(RejectReason::ALL), any::<u16>().prop_map(RejectReason::from_number)]
}

fn close_reason() -> impl Strategy<Value = CloseReason> {
    prop_oneof![proptest::sample::select(CloseReason::ALL), any::<u16>().prop_map(CloseReason::from_number)]
}

fn failure_reason() -> impl Strategy<Value = FailureReason> {
    prop_oneof![proptest::sample::select(FailureReason::ALL), any::<u16>().prop_map(FailureReason::from_number)]
}

pub(crate) fn agent_frame() -> impl Strategy<Value = AgentFrame> {
    let settlement = prop_oneof![
        Just(Settlement::Ack),
        any::<u32>().prop_map(|after_ms| Settlement::Retry { after_ms }),
        failure_reason().prop_map(|reason| Settlement::Reject { reason }),
    ];
    prop_oneof![
        (blob(), blob()).prop_map(|(fields, proof)| AgentFrame::Authenticate { fields, proof }),
        any::<u16>().prop_map(|prefetch| AgentFrame::Subscribe { prefetch }),
        blob().prop_map(|envelope| AgentFrame::Publish { envelope }),
        (any::<u64>(), settlement)
            .prop_map(|(tag, settlement)| AgentFrame::Settle { tag: DeliveryTag(tag), settlement }),
        any::<u64>().prop_map(|revision| AgentFrame::FetchDirectory { revision }),
        Just(AgentFrame::Heartbeat),
    ]
}

pub(crate) fn server_frame() -> impl Strategy<Value = ServerFrame> {
    let welcome = (session(), store(), any::<u16>(), any::<u32>(), any::<u32>()).prop_map(
        |(session, store, credit, heartbeat_ms, max_envelope)| {
            ServerFrame::Welcome(Welcome { session, store, credit, heartbeat_ms, max_envelope })
        },
    );
    let result = (participant(), option::of(reject_reason()))
        .prop_map(|(participant, reason)| RecipientResult { participant, reason });
    prop_oneof![
        (blob(), blob()).prop_map(|(challenge, signature)| ServerFrame::Challenge { challenge, signature }),
        welcome,
        close_reason().prop_map(|reason| ServerFrame::Refused { reason }),
        collection::vec(message_id(), 0..20).prop_map(|ids| ServerFrame::Confirm { ids }),
        (message_id(), reject_reason(), any::<u32>(), collection::vec(result, 0..20)).prop_map(
            |(id, reason, retry_after_ms, recipients)| ServerFrame::Reject { id, reason, retry_after_ms, recipients }
        ),
        (any::<u64>(), any::<u32>(), blob()).prop_map(|(tag, attempt, envelope)| ServerFrame::Deliver {
            tag: DeliveryTag(tag),
            attempt,
            envelope
        }),
        (any::<u64>(), any::<u32>(), any::<u32>(), blob())
            .prop_map(|(revision, total, offset, part)| ServerFrame::Directory { revision, total, offset, part }),
        (message_id(), failure_reason()).prop_map(|(id, reason)| ServerFrame::Notice { id, reason }),
        any::<u32>().prop_map(|retry_after_ms| ServerFrame::Drain { retry_after_ms }),
        Just(ServerFrame::Heartbeat),
    ]
}

pub(crate) fn auth_fields() -> impl Strategy<Value = AuthFields> {
    let binding = prop_oneof![Just(ChannelBinding::None), any::<[u8; 32]>().prop_map(ChannelBinding::TlsExporter)];
    let who = (name(), participant(), any::<[u8; 16]>(), instance());
    (who, any::<u16>(), any::<[u8; 32]>(), binding, any::<u64>()).prop_map(
        |((network, participant, key, instance), version, nonce, binding, directory_revision)| AuthFields {
            network,
            participant,
            key: KeyId(key),
            version,
            nonce: Nonce(nonce),
            instance,
            binding,
            directory_revision,
        },
    )
}

pub(crate) fn challenge() -> impl Strategy<Value = Challenge> {
    let versions = (any::<u16>(), any::<u16>());
    (name(), name(), versions, any::<u32>(), any::<[u8; 32]>(), any::<(bool, u64)>(), option::of(any::<[u8; 16]>()))
        .prop_map(
            |(network, server, (version_min, version_max), max_envelope, nonce, (binds_channel, revision), key)| {
                Challenge {
                    network,
                    server,
                    version_min,
                    version_max,
                    max_envelope,
                    nonce: Nonce(nonce),
                    binds_channel,
                    directory_revision: revision,
                    server_key: key.map(KeyId),
                }
            },
        )
}

pub(crate) fn header() -> impl Strategy<Value = Header> {
    let recipients = prop_oneof![
        4 => collection::btree_map(participant(), any::<[u8; 16]>(), 1..5),
        1 => collection::btree_map(participant(), any::<[u8; 16]>(), 60..65),
    ]
    .prop_map(|keys| {
        let keys = keys.into_iter().map(|(participant, key)| Recipient { participant, key: KeyId(key) });
        Recipients::new(keys.collect()).unwrap()
    });
    let suite = prop_oneof![Just(Suite::X25519), Just(Suite::XWing)];
    let who = (name(), message_id(), participant(), any::<[u8; 16]>());
    let numbers = (any::<u16>(), any::<u64>(), any::<u64>(), any::<u64>());
    (suite, who, recipients, numbers, any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(
        |(suite, (network, id, sender, key), recipients, (kind, created, expires, revision), digest, commitment)| {
            Header {
                suite,
                network,
                id,
                sender,
                sender_key: KeyId(key),
                recipients,
                kind: Kind(kind),
                created: Timestamp(created),
                expires: Timestamp(expires),
                directory_revision: revision,
                directory_digest: Digest(digest),
                key_commitment: KeyCommitment(commitment),
            }
        },
    )
}

pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
    (header(), any::<u8>(), blob(), any::<[u8; 32]>()).prop_map(|(header, fill, body, half)| {
        let wrap = Wrap { enc: vec![fill; header.suite.enc_len()].into(), ct: vec![!fill; 48].into() };
        let wraps = vec![wrap; header.recipients.as_slice().len()];
        let signature = [half, half].concat().try_into().unwrap();
        Envelope::encode(&header.encode().unwrap(), &wraps, &body, &signature).unwrap()
    })
}

fn reference() -> impl Strategy<Value = Reference> {
    (message_id(), any::<[u8; 32]>()).prop_map(|(id, digest)| Reference { id, digest: Digest(digest) })
}

pub(crate) fn content() -> impl Strategy<Value = Content> {
    let place = (option::of(conversation()), option::of(any::<u64>()), option::of(room()));
    (".{0,40}", place, option::of(reference()), blob()).prop_map(
        |(content_type, (conversation, sequence, room), in_reply_to, body)| {
            Content::V1(Message { content_type, conversation, sequence, room, in_reply_to, body })
        },
    )
}

pub(crate) fn receipts() -> impl Strategy<Value = Receipts> {
    let verdict =
        prop_oneof![Just(Verdict::Delivered), failure_reason().prop_map(Verdict::Failed), Just(Verdict::Read)];
    let receipt = (reference(), verdict, any::<u64>()).prop_map(|(envelope, verdict, at)| Receipt {
        envelope,
        verdict,
        at: Timestamp(at),
    });
    collection::vec(receipt, 1..65).prop_map(Receipts::V1)
}
