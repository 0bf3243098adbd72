/* The library itself, its errors, ids and keys. */
#include "check.h"

static void the_library_says_what_it_is(void)
{
    dmr_library library;
    char text[1024];
    size_t needed = 0;
    OK(dmr_version(&library));
    CHECK(library.abi == DMR_ABI && library.protocol == 1 && library.major + library.minor + library.patch > 0);
    IS(DMR_CALL_NULL, dmr_version(NULL));
    OK(dmr_last_error(text, sizeof text, &needed));
    CHECK(strcmp(text, "library is null") == 0 && needed == strlen(text) + 1);
    OK(dmr_last_error(NULL, 0, &needed));
    CHECK(needed == strlen("library is null") + 1);
    OK(dmr_last_error(text, 4, &needed));
    CHECK(strcmp(text, "lib") == 0);
}

static void every_status_has_a_name(void)
{
    char name[64];
    size_t needed;
    OK(dmr_status_name(DMR_OK, name, sizeof name, &needed));
    CHECK(strcmp(name, "ok") == 0);
    OK(dmr_status_name(DMR_VERIFY_BAD_SIGNATURE, name, sizeof name, &needed));
    CHECK(strcmp(name, "verify.bad-signature") == 0);
    IS(DMR_CALL_OUT_OF_RANGE, dmr_status_name(999, name, sizeof name, &needed));
    CHECK(name[0] == 0 && needed == 0);
    IS(DMR_CALL_OUT_OF_RANGE, dmr_status_name(70000, name, sizeof name, &needed));
}

static void ids_survive_text(void)
{
    const char *written = "0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f";
    char text[DMR_ID_TEXT];
    dmr_id id, fresh, answer, again, none = {{0}};
    OK(dmr_id_parse(written, &id));
    CHECK(id.bytes[0] == 0x01 && id.bytes[15] == 0x5f);
    OK(dmr_id_text(&id, text, sizeof text));
    CHECK(strcmp(text, written) == 0);
    IS(DMR_CALL_WRONG_LENGTH, dmr_id_text(&id, text, DMR_ID_TEXT - 1));
    CHECK(text[0] == 0);
    IS(DMR_ID_NIL, dmr_id_text(&none, text, sizeof text));
    IS(DMR_ID_NIL, dmr_id_parse("00000000-0000-0000-0000-000000000000", &answer));
    IS(DMR_ID_NOT_UUID, dmr_id_parse("0193a5c8", &answer));
    IS(DMR_CALL_NOT_TEXT, dmr_id_parse("\xff\xfe", &answer));
    IS(DMR_CALL_TOO_LONG, dmr_id_parse("0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f and then some", &answer));
    CHECK(same(&answer, &none, sizeof none));
    OK(dmr_id_fresh(NOW, &fresh));
    OK(dmr_id_fresh(NOW, &again));
    CHECK(!same(&fresh, &again, sizeof fresh) && fresh.bytes[6] >> 4 == 7);
    OK(dmr_answer_id(&fresh, &id, &answer));
    OK(dmr_answer_id(&fresh, &id, &again));
    CHECK(same(&answer, &again, sizeof answer) && answer.bytes[6] >> 4 == 8);
}

static void keys_survive_their_file(void)
{
    dmr_keys *keys, *loaded;
    dmr_bytes file, card, other;
    dmr_id id, found;
    dmr_name name;
    OK(dmr_id_parse("0193a5c8-7e1d-7cc2-8f4e-000000000001", &id));
    OK(dmr_keys_generate(&id, "tax", DMR_SUITE_X_WING, NOW, NOW + DAY, &keys));
    OK(dmr_keys_participant(keys, &found));
    CHECK(same(&found, &id, sizeof id));
    OK(dmr_keys_name(keys, &name));
    CHECK(strcmp(name.text, "tax") == 0);
    OK(dmr_keys_save(keys, &file));
    OK(dmr_keys_card(keys, &card));
    CHECK(strstr((const char *)file.data, "seed") && !strstr((const char *)card.data, "seed"));
    OK(dmr_keys_load(file.data, file.len, &loaded));
    OK(dmr_keys_card(loaded, &other));
    CHECK(card.len == other.len && same(card.data, other.data, card.len));
    OK(dmr_keys_free(&loaded));
    file.data[3] ^= 1;
    IS(DMR_KEY_FILE_MALFORMED, dmr_keys_load(file.data, file.len, &loaded));
    CHECK(loaded == NULL);
    IS(DMR_KEY_FILE_MALFORMED, dmr_keys_load(NULL, 0, &loaded));
    OK(dmr_bytes_free(&file));
    OK(dmr_bytes_free(&file));
    CHECK(file.data == NULL && file.len == 0);
    OK(dmr_bytes_free(&card));
    OK(dmr_bytes_free(&other));
    OK(dmr_keys_free(&keys));
    CHECK(keys == NULL);
    OK(dmr_keys_free(&keys));
}

static void keys_that_cannot_be_are_refused(void)
{
    dmr_keys *keys;
    dmr_id id, none = {{0}};
    OK(dmr_id_fresh(NOW, &id));
    IS(DMR_CALL_OUT_OF_RANGE, dmr_keys_generate(&id, "tax", 3, NOW, NOW + DAY, &keys));
    IS(DMR_CALL_OUT_OF_RANGE, dmr_keys_generate(&id, "tax", 1, NOW, NOW, &keys));
    IS(DMR_ID_NOT_NAME, dmr_keys_generate(&id, "Tax Office", 1, NOW, NOW + DAY, &keys));
    IS(DMR_CALL_TOO_LONG, dmr_keys_generate(&id, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1,
                                            NOW, NOW + DAY, &keys));
    IS(DMR_ID_NIL, dmr_keys_generate(&none, "tax", 1, NOW, NOW + DAY, &keys));
    CHECK(keys == NULL);
}

void test_keys_and_ids(void)
{
    the_library_says_what_it_is();
    every_status_has_a_name();
    ids_survive_text();
    keys_survive_their_file();
    keys_that_cannot_be_are_refused();
}
