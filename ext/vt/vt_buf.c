/* A buffer of bytes that grows. */
#include "vt.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256 /* bytes; most of what is put into one is a reply or a title */

int vt_put(vt_buf *b, const void *data, size_t n)
{
    if (!n)
        return b->failed ? -1 : 0;
    if (n > b->size - b->n) {
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
    }
    memcpy(b->data + b->n, data, n);
    b->n += n;
    return 0;
}

void vt_buf_free(vt_buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}
