/* Handles that threads share, that one of them frees while the others use them, and that a child inherits. */
/* For fork and pipe under -std=c11. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* A child seals with the handles of its parent, what it frees stays its parent's, and it draws no randomness again. */
void test_fork(void)
{
    dmr_content content = {0};
    dmr_seal_request request = {0};
    dmr_sealed sealed, of_child;
    dmr_opened opened;
    uint8_t travelled[4096];
    int ends[2], ended;
    ssize_t len;
    pid_t child;
    network_found(&shared, DMR_SUITE_X25519);
    content.content_type = "text/plain";
    request.recipients = &shared.police_id;
    request.recipient_count = 1;
    request.created_ms = NOW;
    request.expires_ms = NOW + HOUR;
    request.kind = DMR_KIND_EVENT;
    CHECK(pipe(ends) == 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int good = dmr_seal(shared.tax, shared.directory, &request, &content, &of_child) == DMR_OK;
        good = good && write(ends[1], of_child.envelope.data, of_child.envelope.len) == (ssize_t)of_child.envelope.len;
        OK(dmr_sealed_free(&of_child));
        network_free(&shared);
        _exit(good ? 0 : 1);
    }
    CHECK(waitpid(child, &ended, 0) == child && WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    len = read(ends[0], travelled, sizeof travelled);
    CHECK(len > 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
    OK(dmr_open(shared.police, shared.directory, travelled, (size_t)len, NOW, &opened));
    OK(dmr_seal(shared.tax, shared.directory, &request, &content, &sealed));
    CHECK(!same(&sealed.id, &opened.facts.id, sizeof sealed.id));
    OK(dmr_opened_free(&opened));
    OK(dmr_sealed_free(&sealed));
    network_free(&shared);
}
