/* Buffers of bytes that grow. */
#include "vt_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256 /* bytes; most buffers hold a reply or a title */
#define FIRST_ROOM 1024 /* bytes; what asks for room writes redraws and exports */

static __attribute__((noinline)) int grow(vt_buf *b, size_t n)
{
    size_t size = b->size ? b->size : FIRST_SIZE;
    while (size - b->n < n)
        size *= 2;
    uint8_t *grown = realloc(b->data, size);
    if (!grown) {
        b->failed = 1;
        return -1;
    }
    b->data = grown;
    b->size = size;
    return 0;
}

int vt_put(vt_buf *b, const void *data, size_t n)
{
    if (!n)
        return b->failed ? -1 : 0;
    if (n > b->size - b->n && grow(b, n))
        return -1;
    memcpy(b->data + b->n, data, n);
    b->n += n;
    return 0;
}

void vt_buf_free(vt_buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

uint8_t *vt_room_grown(vt_buf *b, size_t n)
{
    size_t size = b->size * 2 > b->n + n ? b->size * 2 : b->n + n;
    if (size < FIRST_ROOM)
        size = FIRST_ROOM;
    uint8_t *data = b->failed ? NULL : realloc(b->data, size);
    if (!data) {
        b->failed = 1;
        return NULL;
    }
    b->data = data;
    b->size = size;
    return data + b->n;
}

void vt_put_byte(vt_buf *b, unsigned byte)
{
    uint8_t *p = vt_room(b, 1);
    if (p) {
        *p = (uint8_t)byte;
        b->n++;
    }
}

void vt_put_number(vt_buf *b, long long n)
{
    char s[24];
    vt_put(b, s, (size_t)snprintf(s, sizeof s, "%lld", n));
}

void vt_put_spaces(vt_buf *b, int n)
{
    uint8_t *p = n > 0 ? vt_room(b, (size_t)n) : NULL;
    if (p) {
        memset(p, ' ', (size_t)n);
        b->n += (size_t)n;
    }
}

void vt_put_hex(vt_buf *b, const char *before, uint32_t colour, const char *after)
{
    char s[16];
    vt_put_string(b, before);
    vt_put(b, s, (size_t)snprintf(s, sizeof s, "#%06x", colour & 0xFFFFFF));
    vt_put_string(b, after);
}
