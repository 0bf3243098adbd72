/* Reading the flattened vectors. */
#include "frozen.h"

#include "check.h"

static char *contents;

void frozen_load(const char *file)
{
    FILE *stream = fopen(file, "rb");
    long len;
    CHECK(stream != NULL);
    CHECK(fseek(stream, 0, SEEK_END) == 0 && (len = ftell(stream)) > 0 && fseek(stream, 0, SEEK_SET) == 0);
    contents = malloc((size_t)len + 1);
    CHECK(contents != NULL && fread(contents, 1, (size_t)len, stream) == (size_t)len);
    contents[len] = 0;
    fclose(stream);
}

void frozen_close(void)
{
    free(contents);
    contents = NULL;
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static blob unhex(const char *text, size_t len)
{
    blob bytes = {malloc(len / 2 + 1), len / 2};
    CHECK(bytes.data != NULL && len % 2 == 0);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.data[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    }
    bytes.data[bytes.len] = 0;
    return bytes;
}

blob frozen_text(const char *path)
{
    blob none = {NULL, 0};
    size_t len = strlen(path);
    for (const char *line = contents; line != NULL && *line != 0;) {
        const char *end = strchr(line, '\n');
        CHECK(end != NULL);
        if (strncmp(line, path, len) == 0 && line[len] == ' ') {
            return unhex(line + len + 1, (size_t)(end - line) - len - 1);
        }
        line = end + 1;
    }
    return none;
}

blob frozen_hex(const char *path)
{
    blob text = frozen_text(path), bytes;
    CHECK(text.data != NULL);
    bytes = unhex((const char *)text.data, text.len);
    free(text.data);
    return bytes;
}

uint64_t frozen_number(const char *path)
{
    blob text = frozen_text(path);
    uint64_t number;
    CHECK(text.data != NULL);
    number = strtoull((const char *)text.data, NULL, 10);
    free(text.data);
    return number;
}
