/* Logins: made and checked, with the frozen challenge of a server that the directory lists. */
#include "check.h"
#include "frozen.h"

void test_login(const char *vectors)
{
    blob challenge, signature, fields, proof;
    network network;
    dmr_login_options options = {0};
    dmr_directory *directory;
    dmr_logged_in who;
    dmr_challenge decoded;
    dmr_login login;
    dmr_keys *tax;
    frozen_load(vectors);
    challenge = frozen_hex("login.challenge");
    signature = frozen_hex("login.server_signature");
    fields = frozen_hex("login.fields");
    proof = frozen_hex("login.proof");
    network_of_frozen_keys(&network);
    directory = network.directory;
    tax = network.tax;

    OK(dmr_challenge_verify(directory, challenge.data, challenge.len, signature.data, signature.len, NOW, &decoded));
    CHECK(strcmp(decoded.server.text, "relay") == 0 && strcmp(decoded.network.text, "test") == 0 && decoded.is_signed);
    CHECK(decoded.version_min <= 1 && decoded.version_max >= 1 && decoded.max_envelope > 0);
    signature.data[0] ^= 1;
    IS(DMR_CHALLENGE_BAD_SIGNATURE,
       dmr_challenge_verify(directory, challenge.data, challenge.len, signature.data, signature.len, NOW, &decoded));
    CHECK(decoded.server.text[0] == 0);
    IS(DMR_CHALLENGE_BAD_SIGNATURE, dmr_challenge_verify(directory, challenge.data, challenge.len, NULL, 0, NOW, &decoded));

    OK(dmr_login_verify(directory, challenge.data, challenge.len, fields.data, fields.len, proof.data, proof.len, NOW,
                        &who));
    proof.data[63] ^= 1;
    IS(DMR_LOGIN_BAD_PROOF, dmr_login_verify(directory, challenge.data, challenge.len, fields.data, fields.len,
                                             proof.data, proof.len, NOW, &who));

    options.has_binding = 1;
    memset(options.binding, 5, 32);
    IS(DMR_ID_NIL, dmr_login_prove(tax, directory, challenge.data, challenge.len, &options, NOW, &login));
    OK(dmr_id_fresh(NOW, &options.instance));
    for (options.attempt = 0; options.attempt < 3; options.attempt++) {
        dmr_directory *known = options.attempt == 0 ? directory : NULL;
        OK(dmr_login_prove(tax, known, challenge.data, challenge.len, &options, NOW, &login));
        OK(dmr_login_verify(directory, challenge.data, challenge.len, login.fields.data, login.fields.len,
                            login.proof.data, login.proof.len, NOW, &who));
        CHECK(same(&who.instance, &options.instance, 16) && who.has_binding && who.binding[31] == 5);
        CHECK((who.directory_revision != 0) == (known != NULL));
        OK(dmr_login_free(&login));
        OK(dmr_login_free(&login));
    }
    IS(DMR_DECODE_MALFORMED, dmr_login_prove(tax, directory, challenge.data, 3, &options, NOW, &login));
    CHECK(login.fields.data == NULL);

    network_free(&network);
    free(challenge.data);
    free(signature.data);
    free(fields.data);
    free(proof.data);
    frozen_close();
}
