/* What every test in C stands on: a check that fails ends the program and says where. */
#ifndef CHECK_H
#define CHECK_H

#include <dmr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);               \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* That a call comes to this status. */
#define IS(expected, call) check_status((call), (expected), #call, __FILE__, __LINE__)
#define OK(call) IS(DMR_OK, call)

void check_status(dmr_status found, dmr_status expected, const char *call, const char *file, int line);

/* The moment at which all tests happen. */
#define NOW UINT64_C(1790000000000)
#define HOUR UINT64_C(3600000)
#define DAY (24 * HOUR)

/* A network of two participants, and a third who is not listed. */
typedef struct network {
    dmr_authority *authority;
    dmr_keys *tax, *police, *stranger;
    dmr_id tax_id, police_id, stranger_id;
    dmr_bytes pin;
    dmr_directory *directory;
} network;

void network_found(network *network, uint16_t suite);
/* The same of the frozen keys, with the frozen relay in its directory. The vectors are loaded. */
void network_of_frozen_keys(network *network);
void network_free(network *network);

int same(const void *one, const void *other, size_t len);

void test_keys_and_ids(void);
void test_directory(void);
void test_trust(void);
void test_sealing(void);
void test_receipts(void);
void test_login(const char *vectors);
void test_session(const char *vectors);
void test_handles(void);
void test_threads(void);
void test_fork(void);
void test_nulls(void);
void test_random_bytes(void);

#endif
