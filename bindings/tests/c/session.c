/* A session from its first link to its last, the server's frames written by hand as docs/protocol.md has them. */
#include "check.h"
#include "frozen.h"

static dmr_session *session;
static uint64_t elapsed = 1000;

#define TIME NOW + elapsed, elapsed

static dmr_event next(uint32_t kind)
{
    dmr_event event;
    OK(dmr_session_poll_event(session, &event));
    if (event.kind != kind) {
        fprintf(stderr, "event %u instead of %u, reason %u\n", event.kind, kind, event.reason);
        exit(1);
    }
    return event;
}

static void expect(uint32_t kind)
{
    dmr_event event = next(kind);
    OK(dmr_event_free(&event));
}

/* The next frame, whose first byte says what it is. */
#define sends(kind) sends_at((kind), __LINE__)
static void sends_at(uint8_t kind, int line)
{
    dmr_transmit transmit;
    OK(dmr_session_poll_transmit(session, &transmit));
    if (transmit.kind != DMR_TRANSMIT_FRAME || transmit.frame.data[0] != kind) {
        fprintf(stderr, "line %d: transmit %u, close code %u\n", line, transmit.kind, transmit.close_code);
        exit(1);
    }
    OK(dmr_transmit_free(&transmit));
    OK(dmr_transmit_free(&transmit));
}

static void sends_nothing(void)
{
    dmr_transmit transmit;
    OK(dmr_session_poll_transmit(session, &transmit));
    CHECK(transmit.kind == DMR_TRANSMIT_NONE && transmit.frame.data == NULL);
    OK(dmr_transmit_free(&transmit));
}

static void closes(uint16_t code)
{
    dmr_transmit transmit;
    OK(dmr_session_poll_transmit(session, &transmit));
    CHECK(transmit.kind == DMR_TRANSMIT_CLOSE && transmit.close_code == code);
    OK(dmr_transmit_free(&transmit));
}

static dmr_session_view view(void)
{
    dmr_session_view view;
    OK(dmr_session_read(session, &view));
    return view;
}

static size_t length(uint8_t *to, size_t len)
{
    if (len < 251) {
        to[0] = (uint8_t)len;
        return 1;
    }
    CHECK(len < 65536);
    to[0] = 251;
    to[1] = (uint8_t)len;
    to[2] = (uint8_t)(len >> 8);
    return 3;
}

static size_t put(uint8_t *to, const uint8_t *data, size_t len)
{
    size_t head = length(to, len);
    memcpy(to + head, data, len);
    return head + len;
}

static void receive(const uint8_t *frame, size_t len)
{
    OK(dmr_session_receive(session, frame, len, TIME));
}

static void receive_challenge(blob challenge, blob signature)
{
    uint8_t frame[4096] = {0};
    size_t len = 1;
    len += put(frame + len, challenge.data, challenge.len);
    len += put(frame + len, signature.data, signature.len);
    receive(frame, len);
}

static void receive_frozen(const char *path)
{
    blob frame = frozen_hex(path);
    receive(frame.data, frame.len);
    free(frame.data);
}

static void receive_id(uint8_t kind, const dmr_id *id)
{
    uint8_t frame[18] = {kind, 1};
    memcpy(frame + 2, id->bytes, 16);
    receive(frame, sizeof frame);
}

static void receive_delivery(uint8_t tag, const dmr_bytes *envelope)
{
    static uint8_t frame[70000];
    size_t len = 3;
    frame[0] = 5;
    frame[1] = tag;
    frame[2] = 1;
    len += put(frame + len, envelope->data, envelope->len);
    receive(frame, len);
}

static void time_passes(void)
{
    uint64_t deadline;
    OK(dmr_session_poll_timeout(session, &deadline));
    CHECK(deadline != DMR_NEVER);
    elapsed = deadline > elapsed ? deadline : elapsed;
    OK(dmr_session_handle_timeout(session, TIME));
}

static dmr_sealed seal(dmr_keys *keys, dmr_directory *directory, dmr_id to)
{
    dmr_content content = {0};
    dmr_seal_request request = {0};
    dmr_sealed sealed;
    content.content_type = "text/plain";
    content.body = (const uint8_t *)"hello";
    content.body_len = 5;
    request.recipients = &to;
    request.recipient_count = 1;
    request.created_ms = NOW;
    request.expires_ms = NOW + HOUR;
    request.kind = DMR_KIND_EVENT;
    OK(dmr_seal(keys, directory, &request, &content, &sealed));
    return sealed;
}

static void log_in(dmr_keys *keys, dmr_directory *directory, blob challenge, blob signature)
{
    dmr_login_options options = {0};
    dmr_event event;
    expect(DMR_EVENT_CONNECT);
    CHECK(view().state == DMR_STATE_CONNECTING);
    OK(dmr_session_link_up(session, TIME));
    receive_challenge(challenge, signature);
    event = next(DMR_EVENT_SIGN);
    CHECK(event.data.len == challenge.len && event.signature.len == 64);
    OK(dmr_event_free(&event));
    OK(dmr_event_free(&event));
    OK(dmr_session_sign(session, keys, directory, &options, TIME));
    sends(0);
    receive_frozen("frames.frames.9.bytes");
    event = next(DMR_EVENT_READY);
    CHECK(event.id.bytes[0] == 1 && event.store.bytes[0] == 2);
    OK(dmr_event_free(&event));
    CHECK(view().state == DMR_STATE_READY);
    sends(1);
}

static void messages_go_out(dmr_sealed *sealed)
{
    uint8_t withdrawn;
    dmr_event event;
    OK(dmr_session_publish(session, sealed->envelope.data, sealed->envelope.len, 1, TIME));
    IS(DMR_PUBLISH_DUPLICATE, dmr_session_publish(session, sealed->envelope.data, sealed->envelope.len, 1, TIME));
    IS(DMR_DECODE_INVALID, dmr_session_publish(session, sealed->envelope.data, 3, 1, TIME));
    CHECK(view().outbox_messages == 1 && view().wants_transmit);
    sends(2);
    OK(dmr_session_withdraw(session, &sealed->id, &withdrawn));
    CHECK(withdrawn == 0 && view().unconfirmed == 1);
    receive_id(3, &sealed->id);
    event = next(DMR_EVENT_CONFIRMED);
    CHECK(same(&event.id, &sealed->id, 16));
    OK(dmr_event_free(&event));
    OK(dmr_session_receipted(session, &sealed->id));
    CHECK(view().outbox_messages == 0 && view().outbox_bytes == 0);
}

static void messages_come_in(dmr_keys *keys, dmr_directory *directory, dmr_sealed *sealed)
{
    dmr_event event;
    dmr_opened opened;
    uint64_t deliveries[3];
    for (uint8_t i = 0; i < 3; i++) {
        receive_delivery((uint8_t)(i + 1), &sealed->envelope);
        event = next(DMR_EVENT_DELIVERED);
        CHECK(event.attempt == 1);
        deliveries[i] = event.delivery;
        OK(dmr_open(keys, directory, event.data.data, event.data.len, NOW, &opened));
        CHECK(opened.body.len == 5);
        OK(dmr_opened_free(&opened));
        OK(dmr_event_free(&event));
    }
    CHECK(view().unsettled == 3);
    OK(dmr_session_ack(session, deliveries[0]));
    OK(dmr_session_retry(session, deliveries[1], 1000));
    OK(dmr_session_reject(session, deliveries[2], DMR_FAILURE_REFUSED));
    for (int i = 0; i < 3; i++) {
        sends(3);
    }
    OK(dmr_session_ack(session, deliveries[0]));
    IS(DMR_CALL_OUT_OF_RANGE, dmr_session_ack(session, deliveries[2] + 1));
    IS(DMR_CALL_OUT_OF_RANGE, dmr_session_retry(session, 0, 1));
    IS(DMR_CALL_OUT_OF_RANGE, dmr_session_reject(session, UINT64_MAX, 1));
    sends_nothing();
}

static void the_server_says_more(dmr_sealed *other)
{
    uint8_t reject[] = {4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1, 7};
    dmr_event event;
    OK(dmr_session_publish(session, other->envelope.data, other->envelope.len, 0, TIME));
    sends(2);
    memcpy(reject + 1, other->id.bytes, 16);
    memset(reject + 20, 9, 16);
    receive(reject, sizeof reject);
    event = next(DMR_EVENT_REJECTED);
    CHECK(event.reason == DMR_REJECT_UNKNOWN_RECIPIENT && event.recipient_count == 1);
    CHECK(event.recipients[0].reason == DMR_REJECT_UNKNOWN_RECIPIENT && event.recipients[0].participant.bytes[0] == 9);
    OK(dmr_event_free(&event));
    receive_frozen("frames.frames.15.bytes");
    event = next(DMR_EVENT_NOTICE);
    CHECK(event.reason == DMR_FAILURE_EXPIRED);
    OK(dmr_event_free(&event));
    OK(dmr_session_fetch_directory(session, TIME));
    sends(4);
    receive_frozen("frames.frames.14.bytes");
    event = next(DMR_EVENT_DIRECTORY);
    CHECK(event.data.len == 4 && same(event.data.data, "part", 4));
    OK(dmr_event_free(&event));
    OK(dmr_session_directory_changed(session, 8));
    OK(dmr_session_accept_deliveries(session));
    /* Half a heartbeat in which something was sent, and half a one of silence. */
    time_passes();
    time_passes();
    sends(5);
}

static void links_end(blob challenge, blob signature)
{
    uint8_t fields[5000] = {0}, garbage[] = {0xff, 0xff};
    dmr_event event;
    OK(dmr_session_reconnect(session, DMR_CLOSE_DIRECTORY_CHANGED, TIME));
    closes(DMR_CLOSE_DIRECTORY_CHANGED);
    IS(DMR_CALL_OUT_OF_RANGE, dmr_session_link_down(session, 1006, TIME));
    OK(dmr_session_link_down(session, DMR_CLOSE_LINK_LOST, TIME));
    event = next(DMR_EVENT_DOWN);
    CHECK(event.reason == DMR_CLOSE_DIRECTORY_CHANGED);
    OK(dmr_event_free(&event));
    time_passes();

    /* A login of the program's own, and a server that says nonsense. */
    expect(DMR_EVENT_CONNECT);
    OK(dmr_session_link_up(session, TIME));
    receive_challenge(challenge, signature);
    expect(DMR_EVENT_SIGN);
    IS(DMR_CALL_WRONG_LENGTH, dmr_session_challenge_signed(session, fields, 10, fields, 63, TIME));
    IS(DMR_CALL_TOO_LONG, dmr_session_challenge_signed(session, fields, sizeof fields, fields, 64, TIME));
    OK(dmr_session_challenge_signed(session, fields, 10, fields, 64, TIME));
    sends(0);
    receive(garbage, sizeof garbage);
    closes(DMR_CLOSE_MALFORMED);
    OK(dmr_session_link_down(session, DMR_CLOSE_LINK_LOST, TIME));
    expect(DMR_EVENT_DOWN);
    time_passes();

    expect(DMR_EVENT_CONNECT);
    OK(dmr_session_link_up(session, TIME));
    receive_challenge(challenge, signature);
    expect(DMR_EVENT_SIGN);
    IS(DMR_CALL_OUT_OF_RANGE, dmr_session_challenge_refused(session, 1, TIME));
    OK(dmr_session_challenge_refused(session, DMR_CLOSE_WRONG_SERVER, TIME));
    closes(DMR_CLOSE_WRONG_SERVER);
    OK(dmr_session_link_down(session, DMR_CLOSE_LINK_LOST, TIME));
    expect(DMR_EVENT_DOWN);
}

static void challenges_are_not_signed_blindly(dmr_keys *keys, dmr_directory *directory, blob challenge, blob signature)
{
    dmr_login_options options = {0};
    blob wrong = {malloc(64), 64};
    CHECK(wrong.data != NULL);
    memset(wrong.data, 3, 64);
    time_passes();
    expect(DMR_EVENT_CONNECT);
    OK(dmr_session_link_up(session, TIME));
    receive_challenge(challenge, wrong);
    expect(DMR_EVENT_SIGN);
    IS(DMR_CHALLENGE_BAD_SIGNATURE, dmr_session_sign(session, keys, directory, &options, TIME));
    IS(DMR_CALL_OUT_OF_TURN, dmr_session_sign(session, keys, directory, &options, TIME));
    closes(DMR_CLOSE_WRONG_SERVER);
    OK(dmr_session_link_down(session, DMR_CLOSE_LINK_LOST, TIME));
    expect(DMR_EVENT_DOWN);
    free(wrong.data);

    /* A server that binds no connection is used by leave only where there is a binding. It is one byte of the challenge,
     * which is then not the server's any more: there is no directory yet that would demand its signature. */
    CHECK(challenge.data[challenge.len - 19] == 1);
    challenge.data[challenge.len - 19] = 0;
    for (uint8_t leave = 0; leave < 2; leave++) {
        time_passes();
        expect(DMR_EVENT_CONNECT);
        OK(dmr_session_link_up(session, TIME));
        receive_challenge(challenge, signature);
        expect(DMR_EVENT_SIGN);
        options.has_binding = 1;
        options.allows_unbound = leave;
        IS(leave ? DMR_OK : DMR_LOGIN_REFUSAL_NO_CHANNEL_BINDING,
           dmr_session_sign(session, keys, NULL, &options, TIME));
        if (leave) {
            sends(0);
        } else {
            closes(DMR_CLOSE_NO_CHANNEL_BINDING);
        }
        OK(dmr_session_link_down(session, DMR_CLOSE_LINK_LOST, TIME));
        expect(DMR_EVENT_DOWN);
    }
}

void test_session(const char *vectors)
{
    const char *const servers[] = {"relay"};
    blob challenge, signature;
    dmr_session_config config;
    dmr_sealed out, in, third;
    network network;
    uint64_t deadline;
    frozen_load(vectors);
    network_of_frozen_keys(&network);
    challenge = frozen_hex("login.challenge");
    signature = frozen_hex("login.server_signature");
    out = seal(network.tax, network.directory, network.police_id);
    third = seal(network.tax, network.directory, network.police_id);
    in = seal(network.police, network.directory, network.tax_id);

    OK(dmr_session_defaults(&config));
    IS(DMR_CALL_OUT_OF_RANGE, dmr_session_new(&config, TIME, &session));
    config.network = "test";
    config.participant = network.tax_id;
    config.server_names = servers;
    config.server_count = 1;
    config.prefetch = 1025;
    IS(DMR_CALL_OUT_OF_RANGE, dmr_session_new(&config, TIME, &session));
    CHECK(session == NULL);
    config.prefetch = 16;
    OK(dmr_session_new(&config, TIME, &session));
    log_in(network.tax, network.directory, challenge, signature);
    messages_go_out(&out);
    messages_come_in(network.tax, network.directory, &in);
    the_server_says_more(&third);
    links_end(challenge, signature);
    challenges_are_not_signed_blindly(network.tax, network.directory, challenge, signature);

    OK(dmr_session_shutdown(session, TIME));
    expect(DMR_EVENT_STOPPED);
    expect(DMR_EVENT_NONE);
    CHECK(view().state == DMR_STATE_STOPPED);
    OK(dmr_session_poll_timeout(session, &deadline));
    CHECK(deadline == DMR_NEVER);
    IS(DMR_PUBLISH_STOPPED, dmr_session_publish(session, out.envelope.data, out.envelope.len, 1, TIME));
    OK(dmr_session_free(&session));

    OK(dmr_sealed_free(&out));
    OK(dmr_sealed_free(&in));
    OK(dmr_sealed_free(&third));
    network_free(&network);
    free(challenge.data);
    free(signature.data);
    frozen_close();
}
