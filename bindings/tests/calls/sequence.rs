//! A sequence of calls, chosen by bytes: the same for the fuzzer and for the ordinary tests.

use std::mem::MaybeUninit;
use std::ptr::null;

use dmr::ErrorCode;
use dmr::c::*;

use super::world::{Choices, DAY, NOW, World, one_of};

const NAMES: [&std::ffi::CStr; 5] = [c"test", c"tax", c"police", c"relay", c"Not A Name"];

/// That a number is one of the table's, and no fault of the library's.
fn known(status: dmr_status) -> bool {
    assert_ne!(status, 807, "a panic");
    let code = u16::try_from(status).ok().and_then(ErrorCode::from_number);
    assert!(status == 0 || (code.is_some() && status != 1), "{status}");
    status == 0
}

/// Calls with an out-parameter of type `T`, zeroed by the library when it fails.
fn out<T>(call: impl FnOnce(*mut T) -> dmr_status) -> Option<T> {
    let mut place = MaybeUninit::<T>::uninit();
    // A failure must leave zeros, not what stood here.
    // SAFETY: bytes of a place of this size.
    unsafe { place.as_mut_ptr().write_bytes(0xa5, 1) };
    let ok = known(call(place.as_mut_ptr()));
    if !ok {
        // SAFETY: written just now.
        let bytes = unsafe { std::slice::from_raw_parts(place.as_ptr().cast::<u8>(), size_of::<T>()) };
        assert!(bytes.iter().all(|byte| *byte == 0), "a result is left over from a call that failed");
    }
    // SAFETY: numbers and pointers, which any bytes are.
    ok.then(|| unsafe { place.assume_init() })
}

/// [`out`], for a result that is not looked at.
fn tried<T>(call: impl FnOnce(*mut T) -> dmr_status) {
    let _ = out(call);
}

/// Makes calls until the input ends, and frees everything.
pub fn run(input: &[u8]) {
    let mut choices = Choices(input);
    let mut world = World::new();
    begin(&mut world);
    while !choices.is_empty() {
        match choices.below(3) {
            0 => material(&mut world, &mut choices),
            1 => sealing(&mut world, &mut choices),
            _ => session(&mut world, &mut choices),
        }
    }
    world.end();
}

/// Two participants in one directory, and a session: what most calls need to get anywhere.
fn begin(world: &mut World) {
    for (at, name) in [c"tax", c"police"].into_iter().enumerate() {
        let id = dmr_id { bytes: world.ids[at] };
        // SAFETY: good arguments.
        world.keys.extend(out(|place| unsafe { dmr_keys_generate(&id, name.as_ptr(), 1, NOW, NOW + 90 * DAY, place) }));
    }
    // SAFETY: good arguments, here and below.
    world.authorities.extend(out(|place| unsafe { dmr_authority_found(c"test".as_ptr(), NOW, 30 * DAY, place) }));
    for keys in world.keys.clone() {
        if let Some(mut card) = out(|place| unsafe { dmr_keys_card(keys, place) }) {
            world.keep(&card);
            known(unsafe { dmr_bytes_free(&mut card) });
        }
    }
    let cards: Vec<_> = world.texts.iter().map(|card| dmr_slice { data: card.as_ptr(), len: card.len() }).collect();
    let authority = world.authorities[0];
    let directory = out(|place| unsafe { dmr_authority_add(authority, cards.as_ptr(), 2, NOW, 30 * DAY, place) });
    world.directories.extend(directory);
    new_session(world, 16);
}

fn new_session(world: &mut World, prefetch: u16) {
    let servers = [c"relay".as_ptr(), null()];
    let mut config: dmr_session_config = out(|place| unsafe { dmr_session_defaults(place) }).unwrap();
    config.network = c"test".as_ptr();
    config.participant = dmr_id { bytes: [1; 16] };
    (config.server_names, config.server_count) = (servers.as_ptr(), servers.len());
    (config.seed, config.prefetch, config.outbox_messages) = (7, prefetch, 5);
    let (wall, elapsed) = (world.wall, world.elapsed);
    if world.sessions.len() < 8 {
        world.sessions.extend(out(|place| unsafe { dmr_session_new(&config, wall, elapsed, place) }));
    }
}

/// Handles: made, read, freed.
fn material(world: &mut World, choices: &mut Choices<'_>) {
    let full = world.keys.len() + world.directories.len() + world.trusts.len() > 64;
    let name = NAMES[choices.below(NAMES.len())].as_ptr();
    let bytes = world.bytes(choices);
    let (data, len) = (bytes.as_ptr(), bytes.len());
    let keys = one_of(choices, &world.keys);
    let directory = one_of(choices, &world.directories);
    let authority = one_of(choices, &world.authorities);
    let trust = one_of(choices, &world.trusts);
    let (id, wall, number) = (world.id(choices), world.wall, choices.number());
    // SAFETY: pointers to as much as is said, or handles of any kind.
    unsafe {
        match choices.below(22) {
            0 if !full => world.keys.extend(out(|to| dmr_keys_generate(&id, name, 1, NOW, number, to))),
            1 if !full => world.keys.extend(out(|to| dmr_keys_load(data, len, to))),
            2 => give(world, out(|to| dmr_keys_save(keys, to))),
            3 => give(world, out(|to| dmr_keys_card(keys, to))),
            4 => {
                world.ids.extend(out(|to| dmr_keys_participant(keys, to)).map(|id: dmr_id| id.bytes).filter(|_| !full))
            }
            5 => tried(|to| dmr_keys_name(keys, to)),
            6 => {
                let mut freed = keys;
                known(dmr_keys_free(&mut freed));
            }
            7 if !full => {
                let pin = world.bytes(choices);
                let made = out(|to| dmr_directory_verify(pin.as_ptr(), pin.len(), data, len, wall, to));
                world.directories.extend(made);
            }
            8 => tried(|to| dmr_directory_read(directory, to)),
            9 => tried(|to| dmr_directory_freshness(directory, number, to)),
            10 => tried(|to| dmr_directory_find_id(directory, &id, to)),
            11 => tried(|to| dmr_directory_find_name(directory, name, to)),
            12 => tried(|to| dmr_directory_participant(directory, len, to)),
            13 => give(world, out(|to| dmr_directory_bundle(directory, to))),
            14 => {
                known(dmr_directory_standing(directory, keys, wall));
                tried(|to| dmr_directory_allows(directory, &id, &id, to));
            }
            15 => {
                let mut freed = directory;
                known(dmr_directory_free(&mut freed));
            }
            16 => give(world, out(|to| dmr_authority_pin(authority, to))),
            17 if !full => {
                let card = dmr_slice { data, len };
                world.directories.extend(out(|to| dmr_authority_add(authority, &card, 1, wall, number, to)));
            }
            18 if !full => world.trusts.extend(out(|to| dmr_trust_load(data, len, to))),
            19 => tried(|to| dmr_trust_offer(trust, data, len, wall, to)),
            20 if !full => {
                tried(|to| dmr_trust_restore(trust, data, len, wall, to));
                let current: Option<*mut dmr_directory> = out(|to| dmr_trust_current(trust, to));
                world.directories.extend(current.filter(|current| !current.is_null()));
            }
            21 => {
                let (mut trust, mut authority) = (trust, authority);
                known(if choices.below(2) == 0 {
                    dmr_trust_free(&mut trust)
                } else {
                    dmr_authority_free(&mut authority)
                });
            }
            _ => world.wall = world.wall.saturating_add(number),
        }
    }
}

/// Keeps a copy of bytes and frees them, twice.
fn give(world: &mut World, bytes: Option<dmr_bytes>) {
    if let Some(mut bytes) = bytes {
        world.keep(&bytes);
        // SAFETY: handed out by the library; freed twice through the same struct.
        assert!(unsafe { known(dmr_bytes_free(&mut bytes)) && known(dmr_bytes_free(&mut bytes)) });
    }
}

/// Sealing, opening, logins and receipts.
fn sealing(world: &mut World, choices: &mut Choices<'_>) {
    let bytes = world.bytes(choices);
    let (data, len) = (bytes.as_ptr(), bytes.len());
    let keys = one_of(choices, &world.keys);
    let directory = one_of(choices, &world.directories);
    let (id, wall, flags) = (world.id(choices), world.wall, choices.byte());
    let reference = dmr_reference { id, digest: dmr_digest { bytes: [flags; 32] } };
    // SAFETY: pointers to as much as is said, or handles of any kind.
    unsafe {
        match choices.below(9) {
            0..=2 => {
                let recipients = [id, world.id(choices)];
                let request = dmr_seal_request {
                    recipients: recipients.as_ptr(),
                    recipient_count: choices.below(3),
                    created_ms: wall,
                    expires_ms: wall.saturating_add(choices.number()),
                    id: world.id(choices),
                    kind: u16::from(choices.byte() % 8),
                };
                let content = dmr_content {
                    content_type: c"text/plain".as_ptr(),
                    body: data,
                    body_len: len,
                    has_conversation: flags & 1,
                    has_sequence: flags & 2,
                    has_room: flags & 4,
                    has_in_reply_to: flags & 8,
                    conversation: id,
                    sequence: choices.number(),
                    room: id,
                    in_reply_to: reference,
                };
                let sealed: Option<dmr_sealed> = out(|to| dmr_seal(keys, directory, &request, &content, to));
                if let Some(mut sealed) = sealed {
                    world.keep_id(sealed.id);
                    world.keep(&sealed.envelope);
                    known(dmr_sealed_free(&mut sealed));
                }
            }
            3 | 4 => {
                if let Some(mut opened) = out::<dmr_opened>(|to| dmr_open(keys, directory, data, len, wall, to)) {
                    world.keep(&opened.body);
                    known(dmr_opened_free(&mut opened));
                }
            }
            5 => tried(|to| dmr_verify(directory, data, len, wall, to)),
            6 => tried(|to| dmr_inspect(data, len, to)),
            7 => {
                let receipt =
                    dmr_receipt { envelope: reference, verdict: u32::from(flags % 4), reason: 3, at_ms: wall };
                give(world, out(|to| dmr_receipts_encode(&receipt, choices.below(2), to)));
                let mut receipts = [receipt; DMR_RECEIPTS];
                tried(|to| dmr_receipts_decode(data, len, receipts.as_mut_ptr(), to));
            }
            _ => {
                let options = dmr_login_options {
                    instance: id,
                    has_binding: flags & 1,
                    binding: [1; 32],
                    allows_unbound: 0,
                    attempt: 0,
                };
                if let Some(mut login) =
                    out::<dmr_login>(|to| dmr_login_prove(keys, directory, data, len, &options, wall, to))
                {
                    let (fields, proof) = (&login.fields, &login.proof);
                    tried(|to| {
                        dmr_login_verify(directory, data, len, fields.data, fields.len, proof.data, proof.len, wall, to)
                    });
                    known(dmr_login_free(&mut login));
                }
                tried(|to| dmr_challenge_verify(directory, data, len, data, len, wall, to));
            }
        }
    }
}

/// A session, fed and asked in any order.
fn session(world: &mut World, choices: &mut Choices<'_>) {
    let session = one_of(choices, &world.sessions);
    let (wall, id) = (world.wall, world.id(choices));
    let reason = 2_999 + u16::from(choices.byte()) * 4;
    let delivery =
        world.deliveries.get(choices.below(world.deliveries.len() + 1)).copied().unwrap_or_else(|| choices.number());
    // SAFETY: pointers to as much as is said, or handles of any kind.
    unsafe {
        let now = world.elapsed;
        match choices.below(28) {
            0 => known(dmr_session_link_up(session, wall, now)),
            1 => known(dmr_session_link_down(session, reason, wall, now)),
            2..=7 => {
                let frame = if choices.below(8) == 0 { world.bytes(choices) } else { world.frame(choices) };
                known(dmr_session_receive(session, frame.as_ptr(), frame.len(), wall, now))
            }
            8 | 9 => {
                let options = dmr_login_options {
                    instance: id,
                    has_binding: choices.byte() & 1,
                    binding: [1; 32],
                    allows_unbound: choices.byte() & 1,
                    attempt: u32::from(choices.byte()),
                };
                let (keys, directory) = (one_of(choices, &world.keys), one_of(choices, &world.directories));
                known(dmr_session_sign(session, keys, directory, &options, wall, now))
            }
            10 => {
                let fields = world.bytes(choices);
                let len = fields.len();
                known(dmr_session_challenge_signed(
                    session,
                    fields.as_ptr(),
                    len,
                    fields.as_ptr(),
                    len.min(64),
                    wall,
                    now,
                ))
            }
            11 => known(dmr_session_challenge_refused(session, reason, wall, now)),
            12..=14 => {
                let envelope = world.bytes(choices);
                let keep = choices.byte() & 1;
                known(dmr_session_publish(session, envelope.as_ptr(), envelope.len(), keep, wall, now))
            }
            15 => out(|to| dmr_session_withdraw(session, &id, to)).is_some(),
            16 => known(dmr_session_receipted(session, &id)),
            17 => known(dmr_session_ack(session, delivery)),
            18 => known(dmr_session_retry(session, delivery, u32::from(reason))),
            19 => known(dmr_session_reject(session, delivery, reason)),
            20 => known(dmr_session_fetch_directory(session, wall, now)),
            21 => known(dmr_session_directory_changed(session, choices.number())),
            22 => known(dmr_session_accept_deliveries(session)),
            23 => known(dmr_session_reconnect(session, reason, wall, now)),
            24 if choices.below(8) == 0 => known(dmr_session_shutdown(session, wall, now)),
            25 => {
                new_session(world, u16::from(choices.byte()));
                let mut freed = session;
                choices.below(4) > 0 || known(dmr_session_free(&mut freed))
            }
            26 => {
                // Time may stand still, pass as asked for, jump, or go back.
                let deadline: u64 = out(|to| dmr_session_poll_timeout(session, to)).unwrap_or(0);
                world.elapsed = if choices.below(4) > 0 { deadline } else { choices.number() };
                known(dmr_session_handle_timeout(session, wall, world.elapsed))
            }
            _ => poll(world, session),
        };
        poll(world, session);
    }
}

/// Asks for all there is: bounded, since a session asks for nothing without end.
fn poll(world: &mut World, session: *mut dmr_session) -> bool {
    for round in 0.. {
        assert!(round < 5_000, "a session that never has enough");
        // SAFETY: results into places of their types; what they hold is freed.
        unsafe {
            tried(|to| dmr_session_read(session, to));
            let Some(mut transmit) = out::<dmr_transmit>(|to| dmr_session_poll_transmit(session, to)) else { break };
            let Some(mut event) = out::<dmr_event>(|to| dmr_session_poll_event(session, to)) else { break };
            if event.kind == DMR_EVENT_DELIVERED && world.deliveries.len() < 64 {
                world.deliveries.push(event.delivery);
            }
            let nothing = transmit.kind == DMR_TRANSMIT_NONE && event.kind == DMR_EVENT_NONE;
            world.keep(&event.data);
            known(dmr_event_free(&mut event));
            known(dmr_transmit_free(&mut transmit));
            if nothing {
                break;
            }
        }
    }
    true
}
