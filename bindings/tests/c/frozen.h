/* The frozen vectors, flattened by the harness: a line is a path and the value's bytes in hexadecimal. */
#ifndef FROZEN_H
#define FROZEN_H

#include <stddef.h>
#include <stdint.h>

typedef struct blob {
    uint8_t *data;
    size_t len;
} blob;

void frozen_load(const char *file);
void frozen_close(void);

/* The value as it is written, with a zero behind it; `data` is null when there is none. Freed by the caller. */
blob frozen_text(const char *path);
/* The bytes that the value is the hexadecimal form of. */
blob frozen_hex(const char *path);
uint64_t frozen_number(const char *path);

#endif
