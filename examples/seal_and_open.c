/*
 * Seals a message for one recipient, opens it again, and tries to cheat: the cryptography alone, without any network.
 *
 *     cc examples/seal_and_open.c $(pkg-config --cflags --libs dmr) -o seal_and_open && ./seal_and_open
 */
#include <dmr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Ends the program, saying why, when a call did not succeed. */
static void must(dmr_status status)
{
    char text[1024];
    size_t needed;
    if (status != DMR_OK) {
        dmr_last_error(text, sizeof text, &needed);
        fprintf(stderr, "error %d: %s\n", (int)status, text);
        exit(1);
    }
}

int main(void)
{
    const char *question = "Is report 2026-00417 registered with you?";
    const uint64_t day = 24 * 60 * 60 * 1000;
    /* Nothing in dmr reads a clock: the time is an argument everywhere. */
    const uint64_t now = (uint64_t)time(NULL) * 1000;
    char text[1024];
    size_t needed;

    /* Each institution makes its own keys and hands out a card with the public ones. */
    dmr_id tax_id, police_id;
    dmr_keys *tax, *police;
    must(dmr_id_parse("0193a5c8-7e1d-7cc2-8f4e-000000000001", &tax_id));
    must(dmr_id_parse("0193a5c8-7e1d-7cc2-8f4e-000000000002", &police_id));
    must(dmr_keys_generate(&tax_id, "tax", DMR_SUITE_X_WING, now, now + 90 * day, &tax));
    must(dmr_keys_generate(&police_id, "police", DMR_SUITE_X_WING, now, now + 90 * day, &police));

    /* The network's keeper founds it, adds both cards, and signs the result. Sealing takes no other list of keys. */
    dmr_authority *keeper;
    dmr_directory *directory;
    dmr_directory_info info;
    dmr_bytes cards[2];
    must(dmr_authority_found("demo", now, 30 * day, &keeper));
    must(dmr_keys_card(tax, &cards[0]));
    must(dmr_keys_card(police, &cards[1]));
    const dmr_slice given[2] = {{cards[0].data, cards[0].len}, {cards[1].data, cards[1].len}};
    must(dmr_authority_add(keeper, given, 2, now, 30 * day, &directory));
    must(dmr_directory_read(directory, &info));
    printf("directory   revision %llu with %zu participants\n", (unsigned long long)info.revision, info.participants);

    dmr_content content = {.content_type = "text/plain", .body = (const uint8_t *)question, .body_len = strlen(question)};
    dmr_seal_request request = {
        .recipients = &police_id,
        .recipient_count = 1,
        .created_ms = now,
        .expires_ms = now + day,
        .kind = DMR_KIND_QUESTION,
    };
    dmr_sealed sealed;
    must(dmr_seal(tax, directory, &request, &content, &sealed));
    printf("sealed      %zu bytes\n", sealed.envelope.len);

    /* A relay needs no secret to check who signed it, and has none to open it with. */
    dmr_facts facts;
    dmr_participant sender;
    must(dmr_verify(directory, sealed.envelope.data, sealed.envelope.len, now, &facts));
    must(dmr_directory_find_id(directory, &facts.sender, &sender));
    printf("verified    signed by %s\n", sender.name.text);

    dmr_opened opened;
    must(dmr_open(police, directory, sealed.envelope.data, sealed.envelope.len, now, &opened));
    printf("opened      \"%.*s\"\n", (int)opened.body.len, (const char *)opened.body.data);
    must(dmr_opened_free(&opened));

    /* Nobody else can open it, and no bit of it can change. */
    if (dmr_open(tax, directory, sealed.envelope.data, sealed.envelope.len, now, &opened) == DMR_OK) {
        return 1;
    }
    dmr_last_error(text, sizeof text, &needed);
    printf("not for tax %s\n", text);
    sealed.envelope.data[sealed.envelope.len / 2] ^= 1;
    if (dmr_open(police, directory, sealed.envelope.data, sealed.envelope.len, now, &opened) == DMR_OK) {
        return 1;
    }
    dmr_last_error(text, sizeof text, &needed);
    printf("tampered    %s\n", text);

    must(dmr_sealed_free(&sealed));
    must(dmr_bytes_free(&cards[0]));
    must(dmr_bytes_free(&cards[1]));
    must(dmr_directory_free(&directory));
    must(dmr_authority_free(&keeper));
    must(dmr_keys_free(&tax));
    must(dmr_keys_free(&police));
    return 0;
}
