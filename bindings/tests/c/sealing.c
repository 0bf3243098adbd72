/* Sealing, opening, verifying and looking at headers. */
#include "check.h"

static void everything_that_is_sealed_is_opened(uint16_t suite)
{
    network network;
    dmr_content content = {0};
    dmr_seal_request request = {0};
    dmr_sealed sealed;
    dmr_opened opened;
    dmr_facts facts;
    dmr_header header;
    network_found(&network, suite);
    content.content_type = "text/plain";
    content.body = (const uint8_t *)"Is report 2026-00417 registered with you?";
    content.body_len = strlen((const char *)content.body);
    content.has_conversation = content.has_sequence = content.has_room = content.has_in_reply_to = 1;
    OK(dmr_id_fresh(NOW, &content.conversation));
    OK(dmr_id_fresh(NOW, &content.room));
    OK(dmr_id_fresh(NOW, &content.in_reply_to.id));
    memset(content.in_reply_to.digest.bytes, 7, 32);
    content.sequence = UINT64_MAX;
    request.recipients = &network.police_id;
    request.recipient_count = 1;
    request.created_ms = NOW;
    request.expires_ms = NOW + HOUR;
    request.kind = DMR_KIND_ANSWER;
    OK(dmr_seal(network.tax, network.directory, &request, &content, &sealed));

    OK(dmr_open(network.police, network.directory, sealed.envelope.data, sealed.envelope.len, NOW, &opened));
    CHECK(strcmp((const char *)opened.content_type.data, "text/plain") == 0);
    CHECK(opened.body.len == content.body_len && same(opened.body.data, content.body, content.body_len));
    CHECK(opened.has_conversation && same(&opened.conversation, &content.conversation, sizeof(dmr_id)));
    CHECK(opened.has_room && same(&opened.room, &content.room, sizeof(dmr_id)));
    CHECK(opened.has_sequence && opened.sequence == UINT64_MAX);
    CHECK(opened.has_in_reply_to && same(&opened.in_reply_to, &content.in_reply_to, sizeof(dmr_reference)));
    CHECK(same(&opened.facts.digest, &sealed.digest, 32) && same(&opened.facts.id, &sealed.id, 16));
    CHECK(same(&opened.facts.sender, &network.tax_id, 16) && opened.facts.kind == DMR_KIND_ANSWER);
    CHECK(opened.facts.created_ms == NOW && opened.facts.expires_ms == NOW + HOUR);
    OK(dmr_verify(network.directory, sealed.envelope.data, sealed.envelope.len, NOW, &facts));
    CHECK(same(&facts, &opened.facts, sizeof facts.digest + sizeof facts.id + sizeof facts.sender));
    OK(dmr_inspect(sealed.envelope.data, sealed.envelope.len, &header));
    CHECK(header.suite == suite && header.recipient_count == 1 && strcmp(header.network.text, "test") == 0);
    CHECK(same(&header.recipients[0].participant, &network.police_id, 16) && same(&header.digest, &sealed.digest, 32));
    CHECK(header.kind == DMR_KIND_ANSWER && header.directory_revision == 2);
    OK(dmr_opened_free(&opened));
    CHECK(opened.body.data == NULL);
    OK(dmr_opened_free(&opened));

    /* Nobody else opens it, no other time, and no bit of it may change. */
    IS(DMR_OPEN_NOT_RECIPIENT,
       dmr_open(network.tax, network.directory, sealed.envelope.data, sealed.envelope.len, NOW, &opened));
    IS(DMR_VERIFY_EXPIRED,
       dmr_open(network.police, network.directory, sealed.envelope.data, sealed.envelope.len, NOW + DAY, &opened));
    sealed.envelope.data[sealed.envelope.len / 2] ^= 1;
    IS(DMR_VERIFY_BAD_SIGNATURE,
       dmr_open(network.police, network.directory, sealed.envelope.data, sealed.envelope.len, NOW, &opened));
    CHECK(opened.body.data == NULL && opened.facts.kind == 0);
    IS(DMR_VERIFY_BAD_SIGNATURE,
       dmr_verify(network.directory, sealed.envelope.data, sealed.envelope.len, NOW, &facts));
    OK(dmr_sealed_free(&sealed));
    OK(dmr_sealed_free(&sealed));
    network_free(&network);
}

static void what_cannot_be_sealed_is_refused(void)
{
    network network;
    dmr_content content = {0};
    dmr_seal_request request = {0};
    dmr_sealed sealed;
    dmr_opened opened;
    dmr_id twice[65];
    network_found(&network, DMR_SUITE_X25519);
    for (size_t i = 0; i < 65; i++) {
        twice[i] = network.police_id;
    }
    content.content_type = "text/plain";
    request.recipients = twice;
    request.created_ms = NOW;
    request.expires_ms = NOW + HOUR;
    request.kind = DMR_KIND_EVENT;
    IS(DMR_SEAL_RECIPIENT_COUNT, dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    request.recipient_count = 65;
    IS(DMR_SEAL_RECIPIENT_COUNT, dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    request.recipient_count = 2;
    IS(DMR_SEAL_REPEATED_RECIPIENT, dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    request.recipient_count = 1;
    IS(DMR_STANDING_NO_SIGNING_KEY, dmr_seal(network.stranger, network.directory, &request, &content, &sealed));
    content.body_len = (size_t)2 << 20;
    IS(DMR_ENCODE_TOO_LONG, dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    content.body_len = 5;
    IS(DMR_CALL_NULL, dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    content.body_len = 0;
    content.has_room = 1;
    IS(DMR_ID_NIL, dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    content.has_room = 0;
    request.expires_ms = NOW;
    IS(DMR_SEAL_BAD_LIFETIME, dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    request.expires_ms = NOW + HOUR;
    twice[0] = network.stranger_id;
    IS(DMR_VERIFY_UNKNOWN_RECIPIENT, dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    CHECK(sealed.envelope.data == NULL && sealed.envelope.len == 0);

    /* An empty body, an empty type, which is still a text of C's, and an id of the caller's own. */
    twice[0] = network.police_id;
    content.content_type = "";
    OK(dmr_id_parse("11111111-1111-8111-9111-111111111111", &request.id));
    OK(dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    CHECK(same(&sealed.id, &request.id, 16));
    OK(dmr_open(network.police, network.directory, sealed.envelope.data, sealed.envelope.len, NOW, &opened));
    CHECK(opened.body.data == NULL && opened.body.len == 0);
    CHECK(opened.content_type.data != NULL && opened.content_type.len == 0 && opened.content_type.data[0] == 0);
    OK(dmr_opened_free(&opened));
    CHECK(opened.content_type.data == NULL);
    OK(dmr_opened_free(&opened));
    OK(dmr_sealed_free(&sealed));
    network_free(&network);
}

void test_sealing(void)
{
    everything_that_is_sealed_is_opened(DMR_SUITE_X25519);
    everything_that_is_sealed_is_opened(DMR_SUITE_X_WING);
    what_cannot_be_sealed_is_refused();
}

void test_receipts(void)
{
    dmr_receipt said[DMR_RECEIPTS], heard[DMR_RECEIPTS];
    dmr_bytes body;
    size_t count;
    memset(said, 0, sizeof said);
    for (size_t i = 0; i < DMR_RECEIPTS; i++) {
        OK(dmr_id_fresh(NOW, &said[i].envelope.id));
        said[i].verdict = (uint32_t)(i % 3);
        said[i].reason = said[i].verdict == DMR_VERDICT_FAILED ? DMR_FAILURE_REFUSED : 0;
        said[i].at_ms = NOW + i;
    }
    OK(dmr_receipts_encode(said, DMR_RECEIPTS, &body));
    OK(dmr_receipts_decode(body.data, body.len, heard, &count));
    CHECK(count == DMR_RECEIPTS);
    for (size_t i = 0; i < count; i++) {
        CHECK(same(&said[i].envelope, &heard[i].envelope, sizeof said[i].envelope) && said[i].at_ms == heard[i].at_ms);
        CHECK(said[i].verdict == heard[i].verdict && said[i].reason == heard[i].reason);
    }
    IS(DMR_DECODE_MALFORMED, dmr_receipts_decode(body.data, body.len - 1, heard, &count));
    CHECK(count == 0);
    OK(dmr_bytes_free(&body));
    IS(DMR_CALL_OUT_OF_RANGE, dmr_receipts_encode(said, 0, &body));
    IS(DMR_CALL_TOO_LONG, dmr_receipts_encode(said, DMR_RECEIPTS + 1, &body));
    said[0].verdict = 9;
    IS(DMR_CALL_OUT_OF_RANGE, dmr_receipts_encode(said, 1, &body));
}
