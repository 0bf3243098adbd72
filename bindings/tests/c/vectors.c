/* The frozen vectors, read by C: what is sealed opens, what is refused is refused by its name. */
#include "check.h"
#include "frozen.h"

static char path[256];

static const char *at(const char *file, const char *field)
{
    snprintf(path, sizeof path, "%s.%s", file, field);
    return path;
}

static const char *item(const char *list, size_t position, const char *field)
{
    snprintf(path, sizeof path, "%s.%zu.%s", list, position, field);
    return path;
}

static dmr_keys *keys_at(const char *file, const char *field)
{
    dmr_keys *keys;
    blob text = frozen_text(at(file, field));
    OK(dmr_keys_load(text.data, text.len, &keys));
    free(text.data);
    return keys;
}

static dmr_directory *directory_at(const char *pin_path, const char *bundle_path, uint64_t now)
{
    dmr_directory *directory;
    char kept[256];
    blob pin, bundle;
    snprintf(kept, sizeof kept, "%s", bundle_path);
    pin = frozen_text(pin_path);
    bundle = frozen_text(kept);
    CHECK(pin.data != NULL && bundle.data != NULL);
    OK(dmr_directory_verify(pin.data, pin.len, bundle.data, bundle.len, now, &directory));
    free(pin.data);
    free(bundle.data);
    return directory;
}

static void an_envelope_opens(const char *file, uint16_t suite, size_t recipients)
{
    uint64_t now = frozen_number(at(file, "now_ms"));
    blob digest = frozen_hex(at(file, "digest")), content = frozen_hex(at(file, "content"));
    blob envelope = frozen_hex(at(file, "envelope"));
    dmr_keys *keys = keys_at(file, "recipient_key_file");
    char pin[256], bundle[256];
    dmr_directory *directory;
    dmr_opened opened;
    dmr_header header;
    snprintf(pin, sizeof pin, "%s.pin", file);
    snprintf(bundle, sizeof bundle, "%s.directory", file);
    directory = directory_at(pin, bundle, now);
    OK(dmr_inspect(envelope.data, envelope.len, &header));
    CHECK(header.suite == suite && header.recipient_count == recipients);
    OK(dmr_open(keys, directory, envelope.data, envelope.len, now, &opened));
    CHECK(same(opened.facts.digest.bytes, digest.data, 32));
    /* The content ends in its body. */
    CHECK(opened.body.len < content.len);
    CHECK(same(content.data + content.len - opened.body.len, opened.body.data, opened.body.len));
    OK(dmr_opened_free(&opened));
    OK(dmr_directory_free(&directory));
    OK(dmr_keys_free(&keys));
    free(digest.data);
    free(content.data);
    free(envelope.data);
}

static void named(dmr_status status, const char *expected, const char *what)
{
    char name[64];
    size_t needed;
    OK(dmr_status_name((uint32_t)status, name, sizeof name, &needed));
    if (strcmp(name, expected) != 0) {
        fprintf(stderr, "%s: %s instead of %s\n", what, name, expected);
        exit(1);
    }
}

static void refused_envelopes_are_refused(void)
{
    const char *list = "refused-envelopes.refused";
    dmr_keys *police = keys_at("refused-envelopes", "recipient_key_file");
    dmr_keys *young = keys_at("refused-envelopes", "young_recipient_key_file");
    size_t position = 0;
    for (;; position++) {
        blob what = frozen_text(item(list, position, "name")), expected, envelope, named_directory;
        char bundle[256];
        uint64_t now;
        dmr_directory *directory;
        dmr_opened opened;
        if (what.data == NULL) {
            break;
        }
        expected = frozen_text(item(list, position, "expected"));
        envelope = frozen_hex(item(list, position, "envelope"));
        named_directory = frozen_text(item(list, position, "directory"));
        now = frozen_number(item(list, position, "now_ms"));
        snprintf(bundle, sizeof bundle, "refused-envelopes.directories.%s", (char *)named_directory.data);
        directory = directory_at("refused-envelopes.pin", bundle, now);
        named(dmr_open(strcmp((char *)named_directory.data, "young") == 0 ? young : police, directory, envelope.data,
                       envelope.len, now, &opened),
              (char *)expected.data, (char *)what.data);
        CHECK(opened.body.data == NULL && opened.content_type.data == NULL);
        OK(dmr_directory_free(&directory));
        free(what.data);
        free(expected.data);
        free(envelope.data);
        free(named_directory.data);
    }
    CHECK(position >= 40);
    OK(dmr_keys_free(&police));
    OK(dmr_keys_free(&young));
}

static void refused_directories_are_refused(void)
{
    blob pin = frozen_text("refused-directories.pin");
    uint64_t now = frozen_number("refused-directories.now_ms");
    size_t position = 0;
    for (;; position++) {
        blob what = frozen_text(item("refused-directories.refused", position, "name")), expected, bundle;
        dmr_directory *directory;
        if (what.data == NULL) {
            break;
        }
        expected = frozen_text(item("refused-directories.refused", position, "expected"));
        bundle = frozen_text(item("refused-directories.refused", position, "bundle"));
        named(dmr_directory_verify(pin.data, pin.len, bundle.data, bundle.len, now, &directory), (char *)expected.data,
              (char *)what.data);
        CHECK(directory == NULL);
        free(what.data);
        free(expected.data);
        free(bundle.data);
    }
    CHECK(position >= 40);
    for (position = 0;; position++) {
        blob what = frozen_text(item("refused-directories.sequences", position, "name")), last;
        dmr_status status = DMR_OK;
        dmr_trust *trust;
        uint8_t adopted;
        if (what.data == NULL) {
            break;
        }
        last = frozen_text(item("refused-directories.sequences", position, "last"));
        OK(dmr_trust_load(pin.data, pin.len, &trust));
        for (size_t offer = 0;; offer++) {
            char field[32];
            blob bundle;
            snprintf(field, sizeof field, "offers.%zu", offer);
            bundle = frozen_text(item("refused-directories.sequences", position, field));
            if (bundle.data == NULL) {
                break;
            }
            CHECK(status == DMR_OK);
            status = dmr_trust_offer(trust, bundle.data, bundle.len, now, &adopted);
            free(bundle.data);
        }
        named(status, (char *)last.data, (char *)what.data);
        OK(dmr_trust_free(&trust));
        free(what.data);
        free(last.data);
    }
    CHECK(position >= 8);
    free(pin.data);
}

/* A login proof, or a server's challenge, is judged as the list says. */
static void a_login_is_judged(const char *list, size_t position, int of_server)
{
    blob challenge = frozen_hex(item(list, position, "challenge"));
    blob fields = of_server ? (blob){NULL, 0} : frozen_hex(item(list, position, "fields"));
    blob proof = frozen_hex(item(list, position, of_server ? "signature" : "proof"));
    blob what = frozen_text(item(list, position, "name")), expected = frozen_text(item(list, position, "expected"));
    blob named_directory = frozen_text(item(list, position, "directory"));
    uint64_t now = frozen_number(item(list, position, "now_ms"));
    char bundle[256];
    dmr_directory *directory;
    dmr_logged_in who;
    dmr_challenge decoded;
    snprintf(bundle, sizeof bundle, "refused-logins.directories.%s", (char *)named_directory.data);
    /* The directory is verified at the time of the good case: some cases are before it was issued. */
    directory = directory_at("refused-logins.pin", bundle, frozen_number("refused-logins.good.now_ms"));
    named(of_server ? dmr_challenge_verify(directory, challenge.data, challenge.len, proof.data, proof.len, now, &decoded)
                    : dmr_login_verify(directory, challenge.data, challenge.len, fields.data, fields.len, proof.data,
                                       proof.len, now, &who),
          (char *)expected.data, (char *)what.data);
    OK(dmr_directory_free(&directory));
    free(challenge.data);
    free(fields.data);
    free(proof.data);
    free(what.data);
    free(expected.data);
    free(named_directory.data);
}

static void refused_logins_are_refused(void)
{
    const char *lists[] = {"refused-logins.refused", "refused-logins.refused_challenges", "refused-logins.good_challenges"};
    const size_t least[] = {31, 16, 2};
    for (size_t list = 0; list < 3; list++) {
        size_t position = 0;
        for (;; position++) {
            blob what = frozen_text(item(lists[list], position, "name"));
            if (what.data == NULL) {
                break;
            }
            free(what.data);
            a_login_is_judged(lists[list], position, list > 0);
        }
        CHECK(position >= least[list]);
    }
}

static void answers_have_the_ids_of_their_questions(void)
{
    size_t position = 0;
    for (;; position++) {
        blob question = frozen_text(item("answers.cases", position, "question")), who, expected;
        dmr_id ids[2], answer;
        char text[DMR_ID_TEXT];
        if (question.data == NULL) {
            break;
        }
        who = frozen_text(item("answers.cases", position, "participant"));
        expected = frozen_text(item("answers.cases", position, "answer"));
        OK(dmr_id_parse((char *)question.data, &ids[0]));
        OK(dmr_id_parse((char *)who.data, &ids[1]));
        OK(dmr_answer_id(&ids[0], &ids[1], &answer));
        OK(dmr_id_text(&answer, text, sizeof text));
        CHECK(strcmp(text, (char *)expected.data) == 0);
        free(question.data);
        free(who.data);
        free(expected.data);
    }
    CHECK(position >= 3);
}

static void keys_have_the_cards_they_had(void)
{
    for (size_t position = 0; position < 2; position++) {
        blob file = frozen_text(item("keys.participants", position, "key_file")), card;
        dmr_keys *keys;
        dmr_bytes made;
        card = frozen_text(item("keys.participants", position, "card"));
        OK(dmr_keys_load(file.data, file.len, &keys));
        OK(dmr_keys_card(keys, &made));
        CHECK(made.len == card.len && same(made.data, card.data, card.len));
        OK(dmr_bytes_free(&made));
        OK(dmr_keys_free(&keys));
        free(file.data);
        free(card.data);
    }
}

int main(int argc, char **argv)
{
    size_t live;
    CHECK(argc == 2);
    frozen_load(argv[1]);
    an_envelope_opens("envelope-x25519-1", DMR_SUITE_X25519, 1);
    an_envelope_opens("envelope-x-wing-1", DMR_SUITE_X_WING, 1);
    an_envelope_opens("envelope-x25519-64", DMR_SUITE_X25519, 64);
    an_envelope_opens("envelope-x-wing-64", DMR_SUITE_X_WING, 64);
    keys_have_the_cards_they_had();
    refused_envelopes_are_refused();
    refused_directories_are_refused();
    refused_logins_are_refused();
    answers_have_the_ids_of_their_questions();
    frozen_close();
    OK(dmr_live_handles(&live));
    CHECK(live == 0);
    puts("every vector holds");
    return 0;
}
