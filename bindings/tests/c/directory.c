/* Directories: verified, looked into, and taken up one after the other. */
#include "check.h"

void test_directory(void)
{
    network network;
    dmr_directory *verified, *broken;
    dmr_directory_info info, again;
    dmr_participant found;
    dmr_bytes bundle;
    uint32_t freshness;
    uint8_t allowed;
    network_found(&network, DMR_SUITE_X25519);
    OK(dmr_directory_read(network.directory, &info));
    CHECK(strcmp(info.network.text, "test") == 0 && info.revision == 2 && info.participants == 2 && info.servers == 0);
    CHECK(info.issued_ms == NOW && info.expires_ms == NOW + 30 * DAY && info.max_ttl_ms == DAY && !info.is_forked);
    CHECK(info.suite_floor == DMR_SUITE_X25519 && info.root_version == 1);

    OK(dmr_directory_bundle(network.directory, &bundle));
    OK(dmr_directory_verify(network.pin.data, network.pin.len, bundle.data, bundle.len, NOW, &verified));
    OK(dmr_directory_read(verified, &again));
    CHECK(same(&info.digest, &again.digest, sizeof info.digest));
    IS(DMR_ROOT_JSON, dmr_directory_verify(NULL, 0, bundle.data, bundle.len, NOW, &broken));
    /* Another letter in the signature, which is the end of the last line. */
    bundle.data[bundle.len - 20] = bundle.data[bundle.len - 20] == 'A' ? 'B' : 'A';
    IS(DMR_REFUSED_BAD_SIGNATURE,
       dmr_directory_verify(network.pin.data, network.pin.len, bundle.data, bundle.len, NOW, &broken));
    CHECK(broken == NULL);
    OK(dmr_bytes_free(&bundle));

    OK(dmr_directory_freshness(verified, NOW, &freshness));
    CHECK(freshness == DMR_FRESHNESS_FRESH);
    OK(dmr_directory_freshness(verified, NOW + 20 * DAY, &freshness));
    CHECK(freshness == DMR_FRESHNESS_AGEING);
    OK(dmr_directory_freshness(verified, NOW + 30 * DAY + 1, &freshness));
    CHECK(freshness == DMR_FRESHNESS_GRACE);
    OK(dmr_directory_freshness(verified, NOW + 32 * DAY, &freshness));
    CHECK(freshness == DMR_FRESHNESS_EXPIRED);

    OK(dmr_directory_find_name(verified, "police", &found));
    CHECK(same(&found.id, &network.police_id, sizeof found.id) && found.status == DMR_PARTICIPANT_ACTIVE);
    OK(dmr_directory_find_id(verified, &network.tax_id, &found));
    CHECK(strcmp(found.name.text, "tax") == 0);
    OK(dmr_directory_participant(verified, 1, &found));
    IS(DMR_CALL_OUT_OF_RANGE, dmr_directory_participant(verified, 2, &found));
    IS(DMR_AUTHORITY_UNKNOWN_NAME, dmr_directory_find_name(verified, "nobody", &found));
    IS(DMR_STANDING_NOT_LISTED, dmr_directory_find_id(verified, &network.stranger_id, &found));
    CHECK(found.name.text[0] == 0);
    OK(dmr_directory_allows(verified, &network.tax_id, &network.police_id, &allowed));
    CHECK(allowed == 1);
    OK(dmr_directory_allows(verified, &network.tax_id, &network.stranger_id, &allowed));
    CHECK(allowed == 0);
    OK(dmr_directory_standing(verified, network.tax, NOW));
    IS(DMR_STANDING_NOT_LISTED, dmr_directory_standing(verified, network.stranger, NOW));
    OK(dmr_directory_free(&verified));
    network_free(&network);
}

void test_trust(void)
{
    network network;
    dmr_trust *trust, *restored;
    dmr_directory *current, *next;
    dmr_bytes first, second;
    uint8_t adopted;
    network_found(&network, DMR_SUITE_X25519);
    OK(dmr_directory_bundle(network.directory, &first));
    OK(dmr_authority_add(network.authority, NULL, 0, NOW + DAY, 30 * DAY, &next));
    OK(dmr_directory_bundle(next, &second));

    OK(dmr_trust_load(network.pin.data, network.pin.len, &trust));
    OK(dmr_trust_current(trust, &current));
    CHECK(current == NULL);
    OK(dmr_trust_offer(trust, first.data, first.len, NOW, &adopted));
    CHECK(adopted == 1);
    OK(dmr_trust_offer(trust, first.data, first.len, NOW, &adopted));
    CHECK(adopted == 0);
    OK(dmr_trust_offer(trust, second.data, second.len, NOW + DAY, &adopted));
    CHECK(adopted == 1);
    IS(DMR_TRUST_ROLLBACK, dmr_trust_offer(trust, first.data, first.len, NOW + DAY, &adopted));
    OK(dmr_trust_current(trust, &current));
    CHECK(current != NULL);
    OK(dmr_directory_free(&current));

    /* After a restart the directory may have expired; as an offer it may not. */
    OK(dmr_trust_load(network.pin.data, network.pin.len, &restored));
    IS(DMR_TRUST_EXPIRED, dmr_trust_offer(restored, first.data, first.len, NOW + 60 * DAY, &adopted));
    OK(dmr_trust_restore(restored, first.data, first.len, NOW + 60 * DAY, &adopted));
    CHECK(adopted == 1);

    OK(dmr_trust_free(&restored));
    OK(dmr_trust_free(&trust));
    OK(dmr_directory_free(&next));
    OK(dmr_bytes_free(&first));
    OK(dmr_bytes_free(&second));
    network_free(&network);
}
