/* Scrollback: lines that have scrolled off the main screen, in blocks of encoded lines (vt_codec.h). */
#include "vt_codec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_BLOCK 2048 /* a session that prints a page costs no more; each block is twice the one before it, up to */
#define LAST_BLOCK (WHOLE_BLOCK - (uint32_t)sizeof(vt_block))
#define WHOLE_BLOCK 16384 /* bytes of one of these with its head: whole pages, from the system and back to it */

/* ---- blocks ---- */

/* Blocks of the largest size come from the system, not from malloc: a session that floods moves from one thread to
   another, and what the first one's arena has given out would stay with it. Not where the sanitizer looks for overruns. */
#if defined(__SANITIZE_ADDRESS__)
#define MAPPED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAPPED 0
#endif
#endif
#ifndef MAPPED
#define MAPPED 1
#endif
#ifndef MAP_POPULATE /* Linux: all pages at once */
#define MAP_POPULATE 0
#endif
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

#define MAPPINGS 16384 /* blocks of the process that are; each may be a mapping of its own, and Linux gives 65,530 */

static long mappings;

/* Memory for a block of `*size` bytes, or some more if there are no more mappings for it. NULL: no memory. */
static vt_block *block_new(size_t *size)
{
    if (MAPPED && *size == LAST_BLOCK) {
        void *whole = MAP_FAILED;
        if (__atomic_add_fetch(&mappings, 1, __ATOMIC_RELAXED) <= MAPPINGS)
            whole = mmap(NULL, WHOLE_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (whole != MAP_FAILED)
            return whole;
        __atomic_sub_fetch(&mappings, 1, __ATOMIC_RELAXED);
        *size += 16; /* which says where it is from */
    }
    return malloc(sizeof(vt_block) + *size);
}

static void block_free(vt_block *b)
{
    if (MAPPED && b->size == LAST_BLOCK) {
        if (munmap(b, WHOLE_BLOCK) < 0) /* a hole in a mapping makes two of one, of which there may be enough */
            madvise(b, WHOLE_BLOCK, MADV_DONTNEED);
        __atomic_sub_fetch(&mappings, 1, __ATOMIC_RELAXED);
    } else {
        free(b);
    }
}

static void unlink_block(vt_scrollback *h, vt_block *b)
{
    if (b->prev)
        b->prev->next = b->next;
    else
        h->oldest = b->next;
    if (b->next)
        b->next->prev = b->prev;
    else
        h->newest = b->prev;
    h->bytes -= sizeof *b + b->size;
}

/* The oldest block's lines do not count any more. */
static void forget_block(vt_scrollback *h, const vt_block *b)
{
    h->count -= b->lines - h->excess;
    h->dropped += b->lines - h->excess;
    h->excess = 0;
}

size_t vt_scrollback_memory(const vt_scrollback *h)
{
    return h->bytes + (h->spare ? WHOLE_BLOCK : 0);
}

/* It has left the list. A flood drops as many blocks as it makes: one is kept for the next. */
static void retire(vt_scrollback *h, vt_block *b)
{
    if (b->size == LAST_BLOCK && !h->spare)
        h->spare = b;
    else
        block_free(b);
}

static void drop_block(vt_scrollback *h)
{
    vt_block *b = h->oldest;
    forget_block(h, b);
    unlink_block(h, b);
    retire(h, b);
}

/* A new newest block with room for `n` bytes. NULL: no memory, or more than the limit allows. */
static vt_block *new_block(vt *t, vt_scrollback *h, size_t n)
{
    size_t limit = t->limits.scrollback_bytes, size = h->newest ? (size_t)h->newest->size * 2 : FIRST_BLOCK;
    if (size > LAST_BLOCK)
        size = LAST_BLOCK;
    if (size > limit / 4) /* a block is dropped whole: it must not be too large a part of all */
        size = limit / 4;
    if (size < n)
        size = n;
    if (size < 256)
        size = 256;
    size_t all = sizeof(vt_block) + size;
    if (all > limit)
        return NULL;
    vt_block *b = NULL;
    while (h->oldest && h->bytes + all > limit) {
        vt_block *old = h->oldest;
        if (!b && old->size == size) { /* used again as it is */
            forget_block(h, old);
            unlink_block(h, old);
            b = old;
        } else {
            drop_block(h);
        }
    }
    if (!b && size == LAST_BLOCK && h->spare) {
        b = h->spare;
        h->spare = NULL;
    }
    if (!b && !(b = block_new(&size))) {
        h->failed = 1;
        return NULL;
    }
    all = sizeof(vt_block) + size;
    b->size = (uint32_t)size;
    b->n = b->last = b->lines = 0;
    b->next = NULL;
    b->prev = h->newest;
    if (h->newest)
        h->newest->next = b;
    else
        h->oldest = b;
    h->newest = b;
    h->bytes += all;
    return b;
}

/* The slow half of put(): the newest block is full, or there is none. */
static __attribute__((noinline)) vt_block *put_in_new(vt *t, vt_scrollback *h, const vt_encodable *c)
{
    for (size_t n = 0;; n = n ? n * 2 : FIRST_BLOCK) {
        vt_block *b = new_block(t, h, n);
        if (!b)
            return NULL;
        uint8_t *p = vt_encode(t, c, b->data, b->data + b->size);
        if (p) {
            b->last = 0;
            b->n = (uint32_t)(p - b->data);
            return b;
        }
        if (n < b->size)
            n = b->size;
        unlink_block(h, b);
        block_free(b);
    }
}

/* Neither memory nor the limit allow a line. Lines are numbered without gaps, so the older ones go too. */
static void lose_all(vt_scrollback *h)
{
    vt_scrollback_free(h);
    h->dropped += h->count + 1;
    h->count = 0;
}

/* What is too much is left out at once, and freed when all of its block is. */
static inline void count_line(const vt *t, vt_scrollback *h, vt_block *b)
{
    b->lines++;
    if (h->count < t->limits.scrollback_lines) {
        h->count++;
        return;
    }
    h->dropped++;
    h->excess++;
    while (h->excess >= h->oldest->lines) { /* the newest has lines that count */
        vt_block *old = h->oldest;
        h->excess -= old->lines;
        unlink_block(h, old);
        retire(h, old);
    }
}

/* The newest block now has one line more, which ends at `p`. */
static inline void appended(const vt *t, vt_scrollback *h, vt_block *b, const uint8_t *p)
{
    b->last = b->n;
    b->n = (uint32_t)(p - b->data);
    count_line(t, h, b);
}

static __attribute__((noinline)) void append(vt *t, vt_scrollback *h, const vt_encodable *c)
{
    if (!t->limits.scrollback_lines) {
        h->dropped++;
        return;
    }
    vt_block *b = h->newest;
    uint8_t *p = b ? vt_encode(t, c, b->data + b->n, b->data + b->size) : NULL;
    if (p)
        appended(t, h, b, p);
    else if ((b = put_in_new(t, h, c)))
        count_line(t, h, b);
    else
        lose_all(h);
}

/* What DECALN and REP leave behind the cells is text. */
static void put_filled(vt *t, vt_scrollback *h, const vt_row *r, int cols)
{
    vt_cell all[VT_MAX_COLS + VT_PAD];
    if (!r->len) {
        append(t, h, &(vt_encodable){.cells = &r->tail, .times = cols, .wrapped = r->wrapped});
        return;
    }
    memcpy(all, r->cells, (size_t)r->len * sizeof *all);
    for (int i = r->len; i < cols + VT_PAD; i++)
        all[i] = r->tail;
    append(t, h, &(vt_encodable){.cells = all, .len = cols, .wrapped = r->wrapped});
}

/* How many of one character a row consists of, or 0. */
static inline int all_same(const vt_cell *cells, int len)
{
    int width = len < 16 ? 0 : VT_WIDTH(cells[0]);
    if (!width || cells[0] != cells[width] || cells[0] != cells[2 * width] || len % width)
        return 0;
    return memcmp(cells, cells + width, (size_t)(len - width) * sizeof *cells) ? 0 : len / width;
}

void vt_scrollback_put_row(vt *t, vt_scrollback *h, const vt_row *r, int cols)
{
    vt_block *b = h->newest; /* none if no lines are kept */
    uint8_t *p = b ? vt_encode_plain(r, b->data + b->n, b->data + b->size) : NULL;
    if (p) {
        appended(t, h, b, p);
        return;
    }
    vt_encodable c = {.cells = r->cells, .len = r->len, .wrapped = r->wrapped};
    if (r->tail != VT_BLANK && r->len < cols) {
        if (VT_CODE(r->tail)) {
            put_filled(t, h, r, cols);
            return;
        }
        c.tail = VT_STYLE(r->tail) ? &t->styles[VT_STYLE(r->tail)] : NULL;
    }
    if (!c.tail && !r->wrapped) {
        /* Blanks of the default style, written or not, say nothing at the end of a line. */
        for (; c.len; c.len--) {
            vt_cell cell = c.cells[c.len - 1] & ~VT_PROTECTED;
            if (cell != VT_BLANK && cell != (VT_BLANK | ' '))
                break;
        }
    }
    c.times = all_same(c.cells, c.len);
    append(t, h, &c);
}

void vt_scrollback_push(vt *t, const vt_row *r) { vt_scrollback_put_row(t, &t->scrollback, r, t->cols); }

void vt_scrollback_unwrap(vt *t)
{
    vt_block *b = t->scrollback.newest;
    if (t->scrollback.count)
        vt_encoded_unwrap(b->data + b->last);
}

void vt_scrollback_put(vt *t, vt_scrollback *h, const vt_line *line)
{
    append(t, h, &(vt_encodable){.line = line, .tail = &line->tail, .wrapped = line->wrapped});
}

void vt_scrollback_free(vt_scrollback *h)
{
    while (h->oldest) {
        vt_block *b = h->oldest;
        unlink_block(h, b);
        block_free(b);
    }
    if (h->spare)
        block_free(h->spare);
    h->spare = NULL;
    h->excess = 0;
}

void vt_scrollback_clear(vt *t)
{
    vt_scrollback_free(&t->scrollback);
    t->scrollback.dropped += t->scrollback.count;
    t->scrollback.count = 0;
}

void vt_scrollback_trim(vt *t, uint64_t lines)
{
    vt_scrollback *h = &t->scrollback;
    if (lines > h->count)
        lines = h->count;
    h->count -= lines;
    while (lines && h->newest) {
        vt_block *b = h->newest;
        if (b->lines <= lines && b->prev) {
            lines -= b->lines;
            unlink_block(h, b);
            block_free(b);
            continue;
        }
        uint32_t at = 0;
        b->lines -= (uint32_t)lines;
        for (uint32_t i = 0; i < b->lines; i++) {
            int header;
            b->last = at;
            at += vt_encoded_size(b->data + at, &header);
        }
        b->n = at;
        lines = 0;
    }
}

/* ---- reading ---- */

void vt_scrollback_seek(const vt *t, vt_scrollback_reader *r, uint64_t index)
{
    const vt_scrollback *h = &t->scrollback;
    memset(r, 0, sizeof *r);
    if (index >= h->count)
        return;
    r->left = h->count - index;
    const vt_block *b;
    uint64_t skip;
    if (index < h->count / 2) {
        skip = index + h->excess;
        for (b = h->oldest; skip >= b->lines; b = b->next)
            skip -= b->lines;
    } else {
        uint64_t back = r->left;
        for (b = h->newest; back > b->lines; b = b->prev)
            back -= b->lines;
        skip = b->lines - back;
    }
    r->block = b;
    r->skipped = (uint32_t)skip;
    int header;
    for (; skip; skip--)
        r->at += vt_encoded_size(b->data + r->at, &header);
}

static const uint8_t *encoded_at(vt_scrollback_reader *r)
{
    while (r->at >= r->block->n) {
        r->block = r->block->next;
        r->at = 0;
    }
    return r->block->data + r->at;
}

void vt_scrollback_pass(vt *t, vt_scrollback *h, const vt_scrollback_reader *reader)
{
    vt_scrollback_reader r = *reader;
    const uint8_t *record = encoded_at(&r);
    int header;
    uint32_t n = vt_encoded_size(record, &header);
    vt_block *b = h->newest;
    if (!b || b->size - b->n < n)
        b = new_block(t, h, n);
    if (!b) {
        lose_all(h);
        return;
    }
    memcpy(b->data + b->n, record, n);
    appended(t, h, b, b->data + b->n + n);
}

int vt_scrollback_copy(const vt *t, vt *to, uint64_t lines)
{
    vt_scrollback_reader from;
    if (lines > t->scrollback.count)
        lines = t->scrollback.count;
    to->scrollback = (vt_scrollback){.count = lines, .dropped = t->scrollback.dropped + t->scrollback.count - lines,
                                .left_out = t->scrollback.left_out + t->scrollback.count - lines};
    vt_scrollback_seek(t, &from, t->scrollback.count - lines);
    uint64_t left = lines;
    for (const vt_block *b = from.block; left; b = b->next) {
        uint32_t start = b == from.block ? from.at : 0, n = b->n - start;
        size_t size = n == LAST_BLOCK ? n + 1 : n; /* from malloc, and so is to be freed */
        vt_block *copy = malloc(sizeof *copy + size);
        if (!copy) {
            vt_scrollback_free(&to->scrollback);
            return -1;
        }
        *copy = (vt_block){.prev = to->scrollback.newest, .n = n, .size = (uint32_t)size, .last = b->last - start};
        copy->lines = b == from.block ? b->lines - from.skipped : b->lines;
        memcpy(copy->data, b->data + start, n);
        if (copy->prev)
            copy->prev->next = copy;
        else
            to->scrollback.oldest = copy;
        to->scrollback.newest = copy;
        to->scrollback.bytes += sizeof *copy + size;
        left -= copy->lines;
    }
    return 0;
}

int vt_scrollback_next(vt_scrollback_reader *r, vt_line *line)
{
    if (!r->left)
        return 0;
    const uint8_t *p = encoded_at(r);
    int header;
    vt_decode(p, line);
    r->at += vt_encoded_size(p, &header);
    r->left--;
    return 1;
}
