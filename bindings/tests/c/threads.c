/* Handles that threads share, and that one of them frees while the others use them. */
#include "check.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 30

static network shared;
static dmr_session *session;

static void *use(void *unused)
{
    dmr_content content = {0};
    dmr_seal_request request = {0};
    content.content_type = "text/plain";
    request.recipients = &shared.police_id;
    request.recipient_count = 1;
    request.created_ms = NOW;
    request.expires_ms = NOW + HOUR;
    request.kind = DMR_KIND_EVENT;
    for (int round = 0; round < ROUNDS; round++) {
        dmr_sealed sealed;
        dmr_opened opened;
        dmr_status status = dmr_seal(shared.tax, shared.directory, &request, &content, &sealed);
        CHECK(status == DMR_OK || status == DMR_CALL_WRONG_HANDLE);
        if (status == DMR_OK) {
            OK(dmr_open(shared.police, shared.directory, sealed.envelope.data, sealed.envelope.len, NOW, &opened));
            OK(dmr_session_publish(session, sealed.envelope.data, sealed.envelope.len, 1, NOW, 0));
            OK(dmr_opened_free(&opened));
        } else {
            /* The text of an error is of the thread that got it. */
            char text[64];
            size_t needed;
            OK(dmr_last_error(text, sizeof text, &needed));
            CHECK(strcmp(text, "dmr_keys is no live handle of its kind") == 0);
        }
        OK(dmr_sealed_free(&sealed));
    }
    return unused;
}

void test_threads(void)
{
    const char *const servers[] = {NULL};
    pthread_t threads[THREADS];
    dmr_session_config config;
    dmr_session_view view;
    dmr_keys *copy;
    network_found(&shared, DMR_SUITE_X25519);
    OK(dmr_session_defaults(&config));
    config.network = "test";
    config.participant = shared.tax_id;
    config.server_names = servers;
    config.server_count = 1;
    OK(dmr_session_new(&config, NOW, 0, &session));
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, use, NULL) == 0);
    }
    /* Once something was sealed, in the middle of the others' work. */
    do {
        OK(dmr_session_read(session, &view));
    } while (view.outbox_messages < 5);
    copy = shared.tax;
    OK(dmr_keys_free(&copy));
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    IS(DMR_CALL_WRONG_HANDLE, dmr_keys_free(&shared.tax));
    shared.tax = NULL;
    OK(dmr_session_free(&session));
    network_free(&shared);
}
