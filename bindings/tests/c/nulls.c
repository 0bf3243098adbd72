/* A null in the place of every pointer, all others being good. The harness counts that none is left out. */
#include "check.h"

#define NULL_IN(call) IS(DMR_CALL_NULL, call)

static network net;
static dmr_id id;
static const uint8_t *data = (const uint8_t *)"0123456789012345678901234567890123456789012345678901234567890123";
static const size_t len = 64;

static void in_what_is_small(void)
{
    dmr_library *no_library = NULL;
    dmr_bytes *no_bytes = NULL;
    char text[DMR_ID_TEXT];
    size_t needed;
    NULL_IN(dmr_version(no_library));
    NULL_IN(dmr_live_handles(NULL));
    NULL_IN(dmr_last_error(NULL, 5, &needed));
    NULL_IN(dmr_last_error(text, sizeof text, NULL));
    NULL_IN(dmr_status_name(0, NULL, 5, &needed));
    NULL_IN(dmr_status_name(0, text, sizeof text, NULL));
    NULL_IN(dmr_bytes_free(no_bytes));
    NULL_IN(dmr_id_fresh(NOW, NULL));
    NULL_IN(dmr_id_parse(NULL, &id));
    NULL_IN(dmr_id_parse("0193a5c8-7e1d-7cc2-8f4e-000000000001", NULL));
    NULL_IN(dmr_id_text(NULL, text, sizeof text));
    NULL_IN(dmr_id_text(&net.tax_id, NULL, sizeof text));
    NULL_IN(dmr_answer_id(NULL, &net.tax_id, &id));
    NULL_IN(dmr_answer_id(&net.tax_id, NULL, &id));
    NULL_IN(dmr_answer_id(&net.tax_id, &net.tax_id, NULL));
}

static void in_keys(void)
{
    dmr_keys *keys;
    dmr_bytes bytes;
    dmr_name name;
    NULL_IN(dmr_keys_generate(NULL, "tax", 1, NOW, NOW + DAY, &keys));
    NULL_IN(dmr_keys_generate(&net.tax_id, NULL, 1, NOW, NOW + DAY, &keys));
    NULL_IN(dmr_keys_generate(&net.tax_id, "tax", 1, NOW, NOW + DAY, NULL));
    NULL_IN(dmr_keys_load(NULL, len, &keys));
    NULL_IN(dmr_keys_load(data, len, NULL));
    NULL_IN(dmr_keys_save(NULL, &bytes));
    NULL_IN(dmr_keys_save(net.tax, NULL));
    NULL_IN(dmr_keys_card(NULL, &bytes));
    NULL_IN(dmr_keys_card(net.tax, NULL));
    NULL_IN(dmr_keys_participant(NULL, &id));
    NULL_IN(dmr_keys_participant(net.tax, NULL));
    NULL_IN(dmr_keys_name(NULL, &name));
    NULL_IN(dmr_keys_name(net.tax, NULL));
    NULL_IN(dmr_keys_free(NULL));
}

static void in_directories(void)
{
    dmr_directory *directory;
    dmr_directory_info info;
    dmr_participant found;
    dmr_bytes bytes;
    uint32_t number;
    uint8_t flag;
    NULL_IN(dmr_directory_verify(NULL, len, data, len, NOW, &directory));
    NULL_IN(dmr_directory_verify(net.pin.data, net.pin.len, NULL, len, NOW, &directory));
    NULL_IN(dmr_directory_verify(net.pin.data, net.pin.len, data, len, NOW, NULL));
    NULL_IN(dmr_directory_read(NULL, &info));
    NULL_IN(dmr_directory_read(net.directory, NULL));
    NULL_IN(dmr_directory_freshness(NULL, NOW, &number));
    NULL_IN(dmr_directory_freshness(net.directory, NOW, NULL));
    NULL_IN(dmr_directory_find_id(NULL, &net.tax_id, &found));
    NULL_IN(dmr_directory_find_id(net.directory, NULL, &found));
    NULL_IN(dmr_directory_find_id(net.directory, &net.tax_id, NULL));
    NULL_IN(dmr_directory_find_name(NULL, "tax", &found));
    NULL_IN(dmr_directory_find_name(net.directory, NULL, &found));
    NULL_IN(dmr_directory_find_name(net.directory, "tax", NULL));
    NULL_IN(dmr_directory_participant(NULL, 0, &found));
    NULL_IN(dmr_directory_participant(net.directory, 0, NULL));
    NULL_IN(dmr_directory_allows(NULL, &net.tax_id, &net.tax_id, &flag));
    NULL_IN(dmr_directory_allows(net.directory, NULL, &net.tax_id, &flag));
    NULL_IN(dmr_directory_allows(net.directory, &net.tax_id, NULL, &flag));
    NULL_IN(dmr_directory_allows(net.directory, &net.tax_id, &net.tax_id, NULL));
    NULL_IN(dmr_directory_standing(NULL, net.tax, NOW));
    NULL_IN(dmr_directory_standing(net.directory, NULL, NOW));
    NULL_IN(dmr_directory_bundle(NULL, &bytes));
    NULL_IN(dmr_directory_bundle(net.directory, NULL));
    NULL_IN(dmr_directory_free(NULL));
}

static void in_trust_and_authority(void)
{
    dmr_directory *directory;
    dmr_authority *authority;
    dmr_slice card = {NULL, 5};
    dmr_bytes bytes;
    dmr_trust *trust, *none;
    uint8_t flag;
    OK(dmr_trust_load(net.pin.data, net.pin.len, &trust));
    NULL_IN(dmr_trust_load(NULL, len, &none));
    NULL_IN(dmr_trust_load(net.pin.data, net.pin.len, NULL));
    NULL_IN(dmr_trust_restore(NULL, data, len, NOW, &flag));
    NULL_IN(dmr_trust_restore(trust, NULL, len, NOW, &flag));
    NULL_IN(dmr_trust_restore(trust, data, len, NOW, NULL));
    NULL_IN(dmr_trust_offer(NULL, data, len, NOW, &flag));
    NULL_IN(dmr_trust_offer(trust, NULL, len, NOW, &flag));
    NULL_IN(dmr_trust_offer(trust, data, len, NOW, NULL));
    NULL_IN(dmr_trust_current(NULL, &directory));
    NULL_IN(dmr_trust_current(trust, NULL));
    NULL_IN(dmr_trust_free(NULL));
    OK(dmr_trust_free(&trust));
    NULL_IN(dmr_authority_found(NULL, NOW, DAY, &authority));
    NULL_IN(dmr_authority_found("test", NOW, DAY, NULL));
    NULL_IN(dmr_authority_pin(NULL, &bytes));
    NULL_IN(dmr_authority_pin(net.authority, NULL));
    NULL_IN(dmr_authority_add(NULL, NULL, 0, NOW, DAY, &directory));
    NULL_IN(dmr_authority_add(net.authority, NULL, 1, NOW, DAY, &directory));
    NULL_IN(dmr_authority_add(net.authority, &card, 1, NOW, DAY, &directory));
    NULL_IN(dmr_authority_add(net.authority, NULL, 0, NOW, DAY, NULL));
    NULL_IN(dmr_authority_free(NULL));
}

static void in_sealing_and_opening(void)
{
    dmr_content content = {0};
    dmr_seal_request request = {0};
    dmr_sealed sealed;
    dmr_opened opened;
    dmr_facts facts;
    dmr_header header;
    dmr_receipt receipts[DMR_RECEIPTS];
    dmr_bytes bytes;
    size_t count;
    content.content_type = "text/plain";
    request.recipients = &net.police_id;
    request.recipient_count = 1;
    NULL_IN(dmr_seal(NULL, net.directory, &request, &content, &sealed));
    NULL_IN(dmr_seal(net.tax, NULL, &request, &content, &sealed));
    NULL_IN(dmr_seal(net.tax, net.directory, NULL, &content, &sealed));
    NULL_IN(dmr_seal(net.tax, net.directory, &request, NULL, &sealed));
    NULL_IN(dmr_seal(net.tax, net.directory, &request, &content, NULL));
    content.content_type = NULL;
    NULL_IN(dmr_seal(net.tax, net.directory, &request, &content, &sealed));
    content.content_type = "text/plain";
    request.recipients = NULL;
    NULL_IN(dmr_seal(net.tax, net.directory, &request, &content, &sealed));
    NULL_IN(dmr_sealed_free(NULL));
    NULL_IN(dmr_open(NULL, net.directory, data, len, NOW, &opened));
    NULL_IN(dmr_open(net.tax, NULL, data, len, NOW, &opened));
    NULL_IN(dmr_open(net.tax, net.directory, NULL, len, NOW, &opened));
    NULL_IN(dmr_open(net.tax, net.directory, data, len, NOW, NULL));
    NULL_IN(dmr_opened_free(NULL));
    NULL_IN(dmr_verify(NULL, data, len, NOW, &facts));
    NULL_IN(dmr_verify(net.directory, NULL, len, NOW, &facts));
    NULL_IN(dmr_verify(net.directory, data, len, NOW, NULL));
    NULL_IN(dmr_inspect(NULL, len, &header));
    NULL_IN(dmr_inspect(data, len, NULL));
    NULL_IN(dmr_receipts_encode(NULL, 1, &bytes));
    NULL_IN(dmr_receipts_encode(receipts, 1, NULL));
    NULL_IN(dmr_receipts_decode(NULL, len, receipts, &count));
    NULL_IN(dmr_receipts_decode(data, len, NULL, &count));
    NULL_IN(dmr_receipts_decode(data, len, receipts, NULL));
}

static void in_logins(void)
{
    dmr_login_options options = {0};
    dmr_challenge challenge;
    dmr_logged_in who;
    dmr_login login;
    NULL_IN(dmr_login_prove(NULL, net.directory, data, len, &options, NOW, &login));
    NULL_IN(dmr_login_prove(net.tax, net.directory, NULL, len, &options, NOW, &login));
    NULL_IN(dmr_login_prove(net.tax, net.directory, data, len, NULL, NOW, &login));
    NULL_IN(dmr_login_prove(net.tax, net.directory, data, len, &options, NOW, NULL));
    NULL_IN(dmr_login_free(NULL));
    NULL_IN(dmr_login_verify(NULL, data, len, data, len, data, len, NOW, &who));
    NULL_IN(dmr_login_verify(net.directory, NULL, len, data, len, data, len, NOW, &who));
    NULL_IN(dmr_login_verify(net.directory, data, len, NULL, len, data, len, NOW, &who));
    NULL_IN(dmr_login_verify(net.directory, data, len, data, len, NULL, len, NOW, &who));
    NULL_IN(dmr_login_verify(net.directory, data, len, data, len, data, len, NOW, NULL));
    NULL_IN(dmr_challenge_verify(NULL, data, len, data, len, NOW, &challenge));
    NULL_IN(dmr_challenge_verify(net.directory, NULL, len, data, len, NOW, &challenge));
    NULL_IN(dmr_challenge_verify(net.directory, data, len, NULL, len, NOW, &challenge));
    NULL_IN(dmr_challenge_verify(net.directory, data, len, data, len, NOW, NULL));
}

static void in_sessions(void)
{
    const char *const any_server[] = {NULL};
    dmr_session_config config;
    dmr_login_options options = {0};
    dmr_session *session, *none;
    dmr_session_view view;
    dmr_transmit transmit;
    dmr_event event;
    uint64_t number;
    uint8_t flag;
    NULL_IN(dmr_session_defaults(NULL));
    OK(dmr_session_defaults(&config));
    config.participant = net.tax_id;
    config.server_count = 1;
    NULL_IN(dmr_session_new(&config, NOW, 0, &none));
    config.server_names = any_server;
    NULL_IN(dmr_session_new(&config, NOW, 0, &none));
    config.network = "test";
    OK(dmr_session_new(&config, NOW, 0, &session));
    NULL_IN(dmr_session_new(NULL, NOW, 0, &none));
    NULL_IN(dmr_session_new(&config, NOW, 0, NULL));
    NULL_IN(dmr_session_link_up(NULL, NOW, 0));
    NULL_IN(dmr_session_link_down(NULL, DMR_CLOSE_LINK_LOST, NOW, 0));
    NULL_IN(dmr_session_receive(NULL, data, len, NOW, 0));
    NULL_IN(dmr_session_receive(session, NULL, len, NOW, 0));
    NULL_IN(dmr_session_sign(NULL, net.tax, net.directory, &options, NOW, 0));
    NULL_IN(dmr_session_sign(session, NULL, net.directory, &options, NOW, 0));
    NULL_IN(dmr_session_sign(session, net.tax, net.directory, NULL, NOW, 0));
    NULL_IN(dmr_session_challenge_signed(NULL, data, len, data, 64, NOW, 0));
    NULL_IN(dmr_session_challenge_signed(session, NULL, len, data, 64, NOW, 0));
    NULL_IN(dmr_session_challenge_signed(session, data, len, NULL, 64, NOW, 0));
    NULL_IN(dmr_session_challenge_refused(NULL, DMR_CLOSE_WRONG_SERVER, NOW, 0));
    NULL_IN(dmr_session_publish(NULL, data, len, 1, NOW, 0));
    NULL_IN(dmr_session_publish(session, NULL, len, 1, NOW, 0));
    NULL_IN(dmr_session_withdraw(NULL, &net.tax_id, &flag));
    NULL_IN(dmr_session_withdraw(session, NULL, &flag));
    NULL_IN(dmr_session_withdraw(session, &net.tax_id, NULL));
    NULL_IN(dmr_session_receipted(NULL, &net.tax_id));
    NULL_IN(dmr_session_receipted(session, NULL));
    NULL_IN(dmr_session_ack(NULL, 1));
    NULL_IN(dmr_session_retry(NULL, 1, 1));
    NULL_IN(dmr_session_reject(NULL, 1, 1));
    NULL_IN(dmr_session_fetch_directory(NULL, NOW, 0));
    NULL_IN(dmr_session_directory_changed(NULL, 1));
    NULL_IN(dmr_session_accept_deliveries(NULL));
    NULL_IN(dmr_session_reconnect(NULL, DMR_CLOSE_LINK_LOST, NOW, 0));
    NULL_IN(dmr_session_shutdown(NULL, NOW, 0));
    NULL_IN(dmr_session_handle_timeout(NULL, NOW, 0));
    NULL_IN(dmr_session_poll_event(NULL, &event));
    NULL_IN(dmr_session_poll_event(session, NULL));
    NULL_IN(dmr_event_free(NULL));
    NULL_IN(dmr_session_poll_transmit(NULL, &transmit));
    NULL_IN(dmr_session_poll_transmit(session, NULL));
    NULL_IN(dmr_transmit_free(NULL));
    NULL_IN(dmr_session_poll_timeout(NULL, &number));
    NULL_IN(dmr_session_poll_timeout(session, NULL));
    NULL_IN(dmr_session_read(NULL, &view));
    NULL_IN(dmr_session_read(session, NULL));
    NULL_IN(dmr_session_free(NULL));
    OK(dmr_session_free(&session));
}

void test_nulls(void)
{
    network_found(&net, DMR_SUITE_X25519);
    in_what_is_small();
    in_keys();
    in_directories();
    in_trust_and_authority();
    in_sealing_and_opening();
    in_logins();
    in_sessions();
    network_free(&net);
}
