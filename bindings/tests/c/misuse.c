/* Wrong calls: freed, foreign and made-up handles, and bytes that mean nothing. */
#include "check.h"

void test_handles(void)
{
    network network;
    dmr_keys *copy, *made_up = (dmr_keys *)(uintptr_t)0xdeadbeef;
    dmr_directory *wrong;
    dmr_id id;
    size_t before, after;
    OK(dmr_live_handles(&before));
    network_found(&network, DMR_SUITE_X25519);
    OK(dmr_live_handles(&after));
    CHECK(after == before + 5);
    copy = network.stranger;
    OK(dmr_keys_free(&copy));
    CHECK(copy == NULL);
    IS(DMR_CALL_WRONG_HANDLE, dmr_keys_participant(network.stranger, &id));
    IS(DMR_CALL_WRONG_HANDLE, dmr_keys_free(&network.stranger));
    network.stranger = NULL;
    IS(DMR_CALL_WRONG_HANDLE, dmr_keys_participant(made_up, &id));
    IS(DMR_CALL_WRONG_HANDLE, dmr_keys_free(&made_up));
    IS(DMR_CALL_WRONG_HANDLE, dmr_keys_participant((dmr_keys *)(void *)network.directory, &id));
    wrong = (dmr_directory *)(void *)network.tax;
    IS(DMR_CALL_WRONG_HANDLE, dmr_directory_free(&wrong));
    OK(dmr_keys_participant(network.tax, &id));
    network_free(&network);
    OK(dmr_live_handles(&after));
    CHECK(after == before);
}

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Nothing made of random bytes, and nothing cut or bent out of something good, is taken or does harm. */
void test_random_bytes(void)
{
    network network;
    dmr_content content = {0};
    dmr_seal_request request = {0};
    dmr_sealed sealed;
    dmr_bytes bundle;
    uint64_t state = 88172645463325252u;
    network_found(&network, DMR_SUITE_X25519);
    content.content_type = "text/plain";
    request.recipients = &network.police_id;
    request.recipient_count = 1;
    request.created_ms = NOW;
    request.expires_ms = NOW + HOUR;
    request.kind = DMR_KIND_EVENT;
    OK(dmr_seal(network.tax, network.directory, &request, &content, &sealed));
    OK(dmr_directory_bundle(network.directory, &bundle));
    for (int round = 0; round < 200; round++) {
        uint8_t noise[300];
        size_t len = draw(&state) % sizeof noise;
        dmr_opened opened;
        dmr_header header;
        dmr_facts facts;
        dmr_receipt receipts[DMR_RECEIPTS];
        dmr_directory *directory;
        dmr_challenge challenge;
        dmr_logged_in who;
        dmr_trust *trust;
        dmr_keys *keys;
        size_t count, place = draw(&state) % sealed.envelope.len;
        uint8_t bit = (uint8_t)(1u << draw(&state) % 8), adopted;
        for (size_t i = 0; i < len; i++) {
            noise[i] = (uint8_t)draw(&state);
        }
        CHECK(dmr_keys_load(noise, len, &keys) != DMR_OK && keys == NULL);
        CHECK(dmr_trust_load(noise, len, &trust) != DMR_OK && trust == NULL);
        CHECK(dmr_directory_verify(noise, len, bundle.data, bundle.len, NOW, &directory) != DMR_OK);
        CHECK(dmr_directory_verify(network.pin.data, network.pin.len, noise, len, NOW, &directory) != DMR_OK);
        CHECK(dmr_open(network.police, network.directory, noise, len, NOW, &opened) != DMR_OK);
        CHECK(dmr_verify(network.directory, noise, len, NOW, &facts) != DMR_OK);
        CHECK(dmr_inspect(noise, len, &header) != DMR_OK);
        CHECK(dmr_receipts_decode(noise, len, receipts, &count) != DMR_OK && count == 0);
        CHECK(dmr_challenge_verify(network.directory, noise, len, noise, len, NOW, &challenge) != DMR_OK);
        CHECK(dmr_login_verify(network.directory, noise, len, noise, len, noise, len, NOW, &who) != DMR_OK);
        CHECK(dmr_open(network.police, network.directory, sealed.envelope.data, place, NOW, &opened) != DMR_OK);
        sealed.envelope.data[place] ^= bit;
        CHECK(dmr_open(network.police, network.directory, sealed.envelope.data, sealed.envelope.len, NOW, &opened) !=
              DMR_OK);
        sealed.envelope.data[place] ^= bit;
        OK(dmr_trust_load(network.pin.data, network.pin.len, &trust));
        CHECK(dmr_trust_offer(trust, noise, len, NOW, &adopted) != DMR_OK && adopted == 0);
        OK(dmr_trust_free(&trust));
    }
    OK(dmr_bytes_free(&bundle));
    OK(dmr_sealed_free(&sealed));
    network_free(&network);
}
