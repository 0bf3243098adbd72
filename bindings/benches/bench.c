/*
 * The C side of `cargo bench -p dmr-bindings`: does a row of work when asked, and says how long it took.
 *
 * asked     ROW COUNT        answers    nanoseconds, for the whole of COUNT times
 */

#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dmr.h"

#define DAY_MS UINT64_C(86400000)
#define LARGEST 65536

static void demand(dmr_status status, const char *what)
{
    if (status != DMR_OK) {
        char why[1024];
        size_t needed;
        dmr_last_error(why, sizeof why, &needed);
        fprintf(stderr, "%s: %s\n", what, why);
        exit(1);
    }
}

static uint64_t since(clockid_t which, uint64_t unit)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (uint64_t)now.tv_sec * (1000000000 / unit) + (uint64_t)now.tv_nsec / unit;
}

static uint64_t now_ms(void)
{
    return since(CLOCK_REALTIME, 1000000);
}

struct row {
    const char *name;
    uint16_t suite;
    size_t length;
    dmr_keys *tax, *police;
    dmr_directory *directory;
    dmr_id recipient;
};

/* Two participants of a network, whose keys are of this suite. */
static void prepare(struct row *row)
{
    uint64_t now = now_ms();
    dmr_id ids[2];
    dmr_bytes cards[2] = {{0}, {0}};
    dmr_authority *authority = NULL;
    demand(dmr_authority_found("bench", now, 30 * DAY_MS, &authority), "founding");
    demand(dmr_id_fresh(now, &ids[0]), "an id");
    demand(dmr_id_fresh(now, &ids[1]), "an id");
    demand(dmr_keys_generate(&ids[0], "tax", row->suite, now, now + 365 * DAY_MS, &row->tax), "keys");
    demand(dmr_keys_generate(&ids[1], "police", row->suite, now, now + 365 * DAY_MS, &row->police), "keys");
    demand(dmr_keys_card(row->tax, &cards[0]), "a card");
    demand(dmr_keys_card(row->police, &cards[1]), "a card");
    dmr_slice slices[2] = {{cards[0].data, cards[0].len}, {cards[1].data, cards[1].len}};
    demand(dmr_authority_add(authority, slices, 2, now, 30 * DAY_MS, &row->directory), "the directory");
    row->recipient = ids[1];
    demand(dmr_bytes_free(&cards[0]), "freeing");
    demand(dmr_bytes_free(&cards[1]), "freeing");
    demand(dmr_authority_free(&authority), "freeing");
}

static void seal_and_open(const struct row *row, const uint8_t *body)
{
    dmr_seal_request request = {0};
    dmr_content content = {0};
    dmr_sealed sealed = {0};
    dmr_opened opened = {0};
    request.recipients = &row->recipient;
    request.recipient_count = 1;
    request.created_ms = now_ms();
    request.expires_ms = request.created_ms + DAY_MS;
    request.kind = DMR_KIND_QUESTION;
    content.content_type = "text/plain";
    content.body = body;
    content.body_len = row->length;
    demand(dmr_seal(row->tax, row->directory, &request, &content, &sealed), "sealing");
    demand(dmr_open(row->police, row->directory, sealed.envelope.data, sealed.envelope.len, now_ms(), &opened),
           "opening");
    if (opened.body.len != row->length) {
        fprintf(stderr, "another message was opened\n");
        exit(1);
    }
    demand(dmr_sealed_free(&sealed), "freeing");
    demand(dmr_opened_free(&opened), "freeing");
}

int main(void)
{
    static uint8_t body[LARGEST];
    struct row rows[] = {
        {"x25519-1024", DMR_SUITE_X25519, 1024, NULL, NULL, NULL, {{0}}},
        {"x-wing-1024", DMR_SUITE_X_WING, 1024, NULL, NULL, NULL, {{0}}},
        {"x25519-65536", DMR_SUITE_X25519, 65536, NULL, NULL, NULL, {{0}}},
        {"x-wing-65536", DMR_SUITE_X_WING, 65536, NULL, NULL, NULL, {{0}}},
    };
    const size_t count_of_rows = sizeof rows / sizeof rows[0];
    for (size_t at = 0; at < count_of_rows; at++) {
        prepare(&rows[at]);
    }
    char name[32];
    unsigned count;
    while (scanf("%31s %u", name, &count) == 2) {
        const struct row *row = NULL;
        for (size_t at = 0; at < count_of_rows; at++) {
            row = strcmp(rows[at].name, name) == 0 ? &rows[at] : row;
        }
        if (row == NULL) {
            fprintf(stderr, "no row %s\n", name);
            return 1;
        }
        uint64_t begun = since(CLOCK_MONOTONIC, 1);
        for (unsigned times = 0; times < count; times++) {
            seal_and_open(row, body);
        }
        printf("%" PRIu64 "\n", since(CLOCK_MONOTONIC, 1) - begun);
        fflush(stdout);
    }
    for (size_t at = 0; at < count_of_rows; at++) {
        demand(dmr_keys_free(&rows[at].tax), "freeing");
        demand(dmr_keys_free(&rows[at].police), "freeing");
        demand(dmr_directory_free(&rows[at].directory), "freeing");
    }
    return 0;
}
