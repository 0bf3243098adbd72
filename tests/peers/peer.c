/* The peer in C, which is one in C++ too: README.md here has the protocol. */
#include <dmr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST ((size_t)4 << 20)
#define WORDS 8

typedef struct blob {
    uint8_t *data;
    size_t len;
} blob;

static const char *pin_file, *directory_file;

static void forget(blob *bytes)
{
    free(bytes->data);
    bytes->data = NULL;
}

static blob contents(const char *path)
{
    blob file = {(uint8_t *)malloc(LONGEST), 0};
    FILE *stream = fopen(path, "rb");
    if (file.data != NULL && stream != NULL) {
        file.len = fread(file.data, 1, LONGEST, stream);
    }
    if (stream != NULL) {
        fclose(stream);
    }
    return file;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of hexadecimal digits; `data` is null when they are none. */
static blob unhex(const char *text)
{
    size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text);
    blob bytes = {(uint8_t *)malloc(len / 2 + 1), len / 2};
    for (size_t i = 0; bytes.data != NULL && i < bytes.len; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            forget(&bytes);
            break;
        }
        bytes.data[i] = (uint8_t)(high << 4 | low);
    }
    if (len % 2 != 0) {
        forget(&bytes);
    }
    return bytes;
}

/* Whether `word` is a number up to `most`, which `value` then is. */
static int number(const char *word, uint64_t most, uint64_t *value)
{
    *value = 0;
    for (const char *at = word; *at != 0; at++) {
        int next = *at >= '0' && *at <= '9' ? *at - '0' : -1;
        if (next < 0 || *value > (most - (uint64_t)next) / 10) {
            return 0;
        }
        *value = *value * 10 + (uint64_t)next;
    }
    return *word != 0;
}

static void print_hex(const dmr_bytes *bytes)
{
    if (bytes->len == 0) {
        putchar('-');
    }
    for (size_t i = 0; i < bytes->len; i++) {
        printf("%02x", bytes->data[i]);
    }
}

static void refuse(dmr_status status)
{
    char name[64];
    size_t needed;
    dmr_status_name((uint32_t)status, name, sizeof name, &needed);
    printf("error %s\n", name);
}

static dmr_status load(const char *key_file, uint64_t now, dmr_keys **keys, dmr_directory **directory)
{
    blob file = contents(key_file), pin = contents(pin_file), bundle = contents(directory_file);
    dmr_status status = dmr_keys_load(file.data, file.len, keys);
    *directory = NULL;
    if (status == DMR_OK) {
        status = dmr_directory_verify(pin.data, pin.len, bundle.data, bundle.len, now, directory);
    }
    forget(&file);
    forget(&pin);
    forget(&bundle);
    return status;
}

static dmr_status seal(char **words)
{
    dmr_id recipients[65];
    dmr_seal_request request;
    dmr_content content;
    dmr_directory *directory = NULL;
    dmr_keys *keys = NULL;
    dmr_sealed sealed;
    blob body = unhex(words[7]);
    dmr_status status = body.data == NULL ? DMR_CALL_OUT_OF_RANGE : DMR_OK;
    uint64_t kind = 0;
    memset(&request, 0, sizeof request);
    memset(&content, 0, sizeof content);
    if (!number(words[2], UINT64_MAX, &request.created_ms) || !number(words[3], UINT64_MAX, &request.expires_ms) ||
        !number(words[4], UINT16_MAX, &kind)) {
        status = DMR_CALL_OUT_OF_RANGE;
    }
    request.kind = (uint16_t)kind;
    request.recipients = recipients;
    for (char *id = strtok(words[5], ","); status == DMR_OK && id != NULL; id = strtok(NULL, ",")) {
        if (request.recipient_count == 65) {
            status = DMR_SEAL_RECIPIENT_COUNT;
            break;
        }
        status = dmr_id_parse(id, &recipients[request.recipient_count]);
        request.recipient_count++;
    }
    content.content_type = words[6];
    content.body = body.data;
    content.body_len = body.len;
    if (status == DMR_OK) {
        status = load(words[1], request.created_ms, &keys, &directory);
    }
    if (status == DMR_OK) {
        status = dmr_seal(keys, directory, &request, &content, &sealed);
    }
    if (status == DMR_OK) {
        fputs("ok ", stdout);
        print_hex(&sealed.envelope);
        putchar('\n');
        dmr_sealed_free(&sealed);
    }
    dmr_keys_free(&keys);
    dmr_directory_free(&directory);
    forget(&body);
    return status;
}

static dmr_status open_one(char **words)
{
    dmr_directory *directory = NULL;
    dmr_keys *keys = NULL;
    dmr_opened opened;
    blob envelope = unhex(words[3]);
    uint64_t now;
    int is_request = number(words[2], UINT64_MAX, &now) && envelope.data != NULL;
    dmr_status status = is_request ? load(words[1], now, &keys, &directory) : DMR_CALL_OUT_OF_RANGE;
    if (status == DMR_OK) {
        status = dmr_open(keys, directory, envelope.data, envelope.len, now, &opened);
    }
    if (status == DMR_OK) {
        char id[DMR_ID_TEXT], sender[DMR_ID_TEXT];
        dmr_id_text(&opened.facts.id, id, sizeof id);
        dmr_id_text(&opened.facts.sender, sender, sizeof sender);
        printf("ok %s %s %u %s ", id, sender, opened.facts.kind, (const char *)opened.content_type.data);
        print_hex(&opened.body);
        putchar('\n');
        dmr_opened_free(&opened);
    }
    dmr_keys_free(&keys);
    dmr_directory_free(&directory);
    forget(&envelope);
    return status;
}

/* Cuts a line into its words, one more than there may be at most. */
static size_t split(char *line, char **words)
{
    size_t count = 0;
    line[strcspn(line, "\r\n")] = 0;
    while (*line != 0 && count < WORDS + 1) {
        words[count++] = line;
        line += strcspn(line, " ");
        if (*line != 0) {
            *line++ = 0;
        }
    }
    return count;
}

int main(int argc, char **argv)
{
    char *line = (char *)malloc(LONGEST + 2);
    if (argc != 3 || line == NULL) {
        fputs("usage: peer PIN-FILE DIRECTORY-FILE\n", stderr);
        return 64;
    }
    pin_file = argv[1];
    directory_file = argv[2];
    while (fgets(line, (int)LONGEST + 2, stdin) != NULL) {
        char *words[WORDS + 1];
        int whole = strchr(line, '\n') != NULL || feof(stdin);
        size_t count = split(line, words);
        dmr_status status = DMR_CALL_OUT_OF_RANGE;
        for (int c = 0; !whole && c != EOF && c != '\n';) {
            c = getchar();
        }
        if (whole && count == 8 && strcmp(words[0], "seal") == 0) {
            status = seal(words);
        } else if (whole && count == 4 && strcmp(words[0], "open") == 0) {
            status = open_one(words);
        }
        if (status != DMR_OK) {
            refuse(status);
        }
        fflush(stdout);
    }
    free(line);
    return 0;
}
