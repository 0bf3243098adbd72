/* A network as the tests need it, and what a failed check says. */
#include "check.h"
#include "frozen.h"

void check_status(dmr_status found, dmr_status expected, const char *call, const char *file, int line)
{
    char name[64], wanted[64], text[1024];
    size_t needed;
    if (found == expected) {
        return;
    }
    dmr_status_name((uint32_t)found, name, sizeof name, &needed);
    dmr_status_name((uint32_t)expected, wanted, sizeof wanted, &needed);
    dmr_last_error(text, sizeof text, &needed);
    fprintf(stderr, "%s:%d: %s gives %s, not %s (last error: %s)\n", file, line, call, name, wanted, text);
    exit(1);
}

int same(const void *one, const void *other, size_t len)
{
    return memcmp(one, other, len) == 0;
}

static dmr_keys *participant(const char *id, const char *name, uint16_t suite, dmr_id *parsed)
{
    dmr_keys *keys = NULL;
    OK(dmr_id_parse(id, parsed));
    OK(dmr_keys_generate(parsed, name, suite, NOW, NOW + 90 * DAY, &keys));
    return keys;
}

void network_found(network *network, uint16_t suite)
{
    dmr_bytes cards[2];
    dmr_slice views[2];
    memset(network, 0, sizeof *network);
    network->tax = participant("0193a5c8-7e1d-7cc2-8f4e-000000000001", "tax", suite, &network->tax_id);
    network->police = participant("0193a5c8-7e1d-7cc2-8f4e-000000000002", "police", suite, &network->police_id);
    network->stranger = participant("0193a5c8-7e1d-7cc2-8f4e-000000000003", "stranger", suite, &network->stranger_id);
    OK(dmr_authority_found("test", NOW, 30 * DAY, &network->authority));
    OK(dmr_authority_pin(network->authority, &network->pin));
    OK(dmr_keys_card(network->tax, &cards[0]));
    OK(dmr_keys_card(network->police, &cards[1]));
    for (int i = 0; i < 2; i++) {
        views[i].data = cards[i].data;
        views[i].len = cards[i].len;
    }
    OK(dmr_authority_add(network->authority, views, 2, NOW, 30 * DAY, &network->directory));
    OK(dmr_bytes_free(&cards[0]));
    OK(dmr_bytes_free(&cards[1]));
}

static dmr_keys *frozen_keys(const char *path, dmr_id *id)
{
    dmr_keys *keys;
    blob file = frozen_text(path);
    OK(dmr_keys_load(file.data, file.len, &keys));
    OK(dmr_keys_participant(keys, id));
    free(file.data);
    return keys;
}

void network_of_frozen_keys(network *network)
{
    const char *paths[3] = {"keys.participants.0.card", "keys.participants.1.card", "made.server_card"};
    dmr_slice views[3];
    blob cards[3];
    memset(network, 0, sizeof *network);
    network->tax = frozen_keys("keys.participants.0.key_file", &network->tax_id);
    network->police = frozen_keys("keys.participants.1.key_file", &network->police_id);
    network->stranger = participant("0193a5c8-7e1d-7cc2-8f4e-000000000003", "stranger", 1, &network->stranger_id);
    OK(dmr_authority_found("test", NOW, 30 * DAY, &network->authority));
    OK(dmr_authority_pin(network->authority, &network->pin));
    for (int i = 0; i < 3; i++) {
        cards[i] = frozen_text(paths[i]);
        views[i].data = cards[i].data;
        views[i].len = cards[i].len;
    }
    OK(dmr_authority_add(network->authority, views, 3, NOW, 30 * DAY, &network->directory));
    for (int i = 0; i < 3; i++) {
        free(cards[i].data);
    }
}

void network_free(network *network)
{
    OK(dmr_directory_free(&network->directory));
    OK(dmr_bytes_free(&network->pin));
    OK(dmr_authority_free(&network->authority));
    OK(dmr_keys_free(&network->stranger));
    OK(dmr_keys_free(&network->police));
    OK(dmr_keys_free(&network->tax));
}
