/* Scrollback: lines that have scrolled off the main screen, as blocks of encoded lines (vt_codec.h). */
#include "vt_codec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_BLOCK 2048 /* bytes, enough for a page of output; each block is twice the one before, up to LAST_BLOCK */
#define LAST_BLOCK (WHOLE_BLOCK - (uint32_t)sizeof(vt_block))
#define WHOLE_BLOCK 16384 /* bytes of the largest block with its head: whole pages, mapped and unmapped */

/* ---- blocks ---- */

/* The largest blocks are mapped from the system, not taken from malloc. A session that floods moves from one thread to
   another, and the first thread's malloc arena would keep the memory. The sanitizer, which looks for overruns, gets
   malloc. */
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

#define MAPPINGS 16384 /* mapped blocks of the process; each may be a mapping of its own, and Linux allows 65,530 */

static long mappings;

/* Memory for a block of `*size` bytes, which grows a little if no mapping is left. NULL: no memory. */
static vt_block *block_new(size_t *size)
{
    if (MAPPED && *size == LAST_BLOCK) {
        void *whole = MAP_FAILED;
        if (__atomic_add_fetch(&mappings, 1, __ATOMIC_RELAXED) <= MAPPINGS)
            whole = mmap(NULL, WHOLE_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (whole != MAP_FAILED)
            return whole;
        __atomic_sub_fetch(&mappings, 1, __ATOMIC_RELAXED);
        *size += 16; /* any other size: block_free() sees that malloc gave it */
    }
    return malloc(sizeof(vt_block) + *size);
}

static void block_free(vt_block *b)
{
    if (MAPPED && b->size == LAST_BLOCK) {
        if (munmap(b, WHOLE_BLOCK) < 0) /* it would have split a mapping, and no more are allowed */
            madvise(b, WHOLE_BLOCK, MADV_DONTNEED);
        __atomic_sub_fetch(&mappings, 1, __ATOMIC_RELAXED);
    } else {
        free(b);
    }
}

static void unlink_block(vt_scrollback *s, vt_block *b)
{
    if (b->prev)
        b->prev->next = b->next;
    else
        s->oldest = b->next;
    if (b->next)
        b->next->prev = b->prev;
    else
        s->newest = b->prev;
    s->bytes -= sizeof *b + b->size;
}

/* The oldest block's lines no longer count. */
static void forget_block(vt_scrollback *s, const vt_block *b)
{
    s->count -= b->lines - s->excess;
    s->dropped += b->lines - s->excess;
    s->excess = 0;
}

size_t vt_scrollback_memory(const vt_scrollback *s)
{
    return s->bytes + (s->spare ? WHOLE_BLOCK : 0);
}

/* Free a block that has left the list. A flood drops as many blocks as it makes, so one is kept for the next. */
static void retire(vt_scrollback *s, vt_block *b)
{
    if (b->size == LAST_BLOCK && !s->spare)
        s->spare = b;
    else
        block_free(b);
}

static void drop_block(vt_scrollback *s)
{
    vt_block *b = s->oldest;
    forget_block(s, b);
    unlink_block(s, b);
    retire(s, b);
}

/* A new block at the end of the list, with room for `n` bytes. NULL: no memory, or above the limit. */
static vt_block *new_block(vt *t, vt_scrollback *s, size_t n)
{
    size_t limit = t->limits.scrollback_bytes, size = s->newest ? (size_t)s->newest->size * 2 : FIRST_BLOCK;
    if (size > LAST_BLOCK)
        size = LAST_BLOCK;
    if (size > limit / 4) /* blocks are dropped whole, so none may be a large part of the scrollback */
        size = limit / 4;
    if (size < n)
        size = n;
    if (size < 256)
        size = 256;
    size_t all = sizeof(vt_block) + size;
    if (all > limit)
        return NULL;
    vt_block *b = NULL;
    while (s->oldest && s->bytes + all > limit) {
        vt_block *old = s->oldest;
        if (!b && old->size == size) { /* reuse it */
            forget_block(s, old);
            unlink_block(s, old);
            b = old;
        } else {
            drop_block(s);
        }
    }
    if (!b && size == LAST_BLOCK && s->spare) {
        b = s->spare;
        s->spare = NULL;
    }
    if (!b && !(b = block_new(&size))) {
        s->failed = 1;
        return NULL;
    }
    all = sizeof(vt_block) + size;
    b->size = (uint32_t)size;
    b->n = b->last = b->lines = 0;
    b->next = NULL;
    b->prev = s->newest;
    if (s->newest)
        s->newest->next = b;
    else
        s->oldest = b;
    s->newest = b;
    s->bytes += all;
    return b;
}

/* The slow half of append(): the newest block is full, or there is none. */
static __attribute__((noinline)) vt_block *put_in_new(vt *t, vt_scrollback *s, const vt_encodable *c)
{
    for (size_t n = 0;; n = n ? n * 2 : FIRST_BLOCK) {
        vt_block *b = new_block(t, s, n);
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
        unlink_block(s, b);
        block_free(b);
    }
}

/* Memory or the limit does not allow a line. Lines are numbered without gaps, so the older ones go too. */
static void lose_all(vt_scrollback *s)
{
    vt_scrollback_free(s);
    s->dropped += s->count + 1;
    s->count = 0;
}

/* Count a line of block `b`. A line beyond the limit is dropped at once, and freed with the rest of its block. */
static inline void count_line(const vt *t, vt_scrollback *s, vt_block *b)
{
    b->lines++;
    if (s->count < t->limits.scrollback_lines) {
        s->count++;
        return;
    }
    s->dropped++;
    s->excess++;
    while (s->excess >= s->oldest->lines) { /* ends: the newest block has lines that count */
        vt_block *old = s->oldest;
        s->excess -= old->lines;
        unlink_block(s, old);
        retire(s, old);
    }
}

/* The newest block has one more line, which ends at `p`. */
static inline void appended(const vt *t, vt_scrollback *s, vt_block *b, const uint8_t *p)
{
    b->last = b->n;
    b->n = (uint32_t)(p - b->data);
    count_line(t, s, b);
}

static __attribute__((noinline)) void append(vt *t, vt_scrollback *s, const vt_encodable *c)
{
    if (!t->limits.scrollback_lines) {
        s->dropped++;
        return;
    }
    vt_block *b = s->newest;
    uint8_t *p = b ? vt_encode(t, c, b->data + b->n, b->data + b->size) : NULL;
    if (p)
        appended(t, s, b, p);
    else if ((b = put_in_new(t, s, c)))
        count_line(t, s, b);
    else
        lose_all(s);
}

/* A row whose tail is text, of DECALN or REP. */
static void put_filled(vt *t, vt_scrollback *s, const vt_row *r, int cols)
{
    vt_cell all[VT_MAX_COLS + VT_PAD];
    if (!r->len) {
        append(t, s, &(vt_encodable){.cells = &r->tail, .times = cols, .wrapped = r->wrapped, .size = r->size});
        return;
    }
    memcpy(all, r->cells, (size_t)r->len * sizeof *all);
    for (int i = r->len; i < cols + VT_PAD; i++)
        all[i] = r->tail;
    append(t, s, &(vt_encodable){.cells = all, .len = cols, .wrapped = r->wrapped, .size = r->size});
}

/* If the cells are all the same character: how many times; else 0. */
static inline int all_same(const vt_cell *cells, int len)
{
    int width = len < 16 ? 0 : VT_WIDTH(cells[0]);
    if (!width || cells[0] != cells[width] || cells[0] != cells[2 * width] || len % width)
        return 0;
    return memcmp(cells, cells + width, (size_t)(len - width) * sizeof *cells) ? 0 : len / width;
}

/* A row that vt_encode_plain() does not take. */
static __attribute__((noinline)) void put_other(vt *t, vt_scrollback *s, const vt_row *r, int cols)
{
    vt_encodable c = {.cells = r->cells, .len = r->len, .wrapped = r->wrapped, .size = r->size};
    if (r->tail != VT_BLANK && r->len < cols) {
        if (VT_CODE(r->tail)) {
            put_filled(t, s, r, cols);
            return;
        }
        c.tail = VT_STYLE(r->tail) ? &t->styles[VT_STYLE(r->tail)] : NULL;
    }
    if (!c.tail && !r->wrapped) {
        /* Blanks of the default style at the end of a line, written or not, are left out. */
        for (; c.len; c.len--) {
            vt_cell cell = c.cells[c.len - 1] & ~VT_PROTECTED;
            if (cell != VT_BLANK && cell != (VT_BLANK | ' '))
                break;
        }
    }
    c.times = all_same(c.cells, c.len);
    append(t, s, &c);
}

void vt_scrollback_put_row(vt *t, vt_scrollback *s, const vt_row *r, int cols)
{
    vt_block *b = s->newest; /* NULL if the limit is 0 lines */
    uint8_t *p = b ? vt_encode_plain(r, b->data + b->n, b->data + b->size) : NULL;
    if (p)
        appended(t, s, b, p);
    else
        put_other(t, s, r, cols);
}

void vt_scrollback_push(vt *t, const vt_row *r) { vt_scrollback_put_row(t, &t->scrollback, r, t->cols); }

void vt_scrollback_unwrap(vt *t)
{
    vt_block *b = t->scrollback.newest;
    if (t->scrollback.count)
        vt_encoded_unwrap(b->data + b->last);
}

void vt_scrollback_put(vt *t, vt_scrollback *s, const vt_line *line)
{
    append(t, s, &(vt_encodable){.line = line, .tail = &line->tail, .wrapped = line->wrapped, .size = line->size});
}

void vt_scrollback_free(vt_scrollback *s)
{
    while (s->oldest) {
        vt_block *b = s->oldest;
        unlink_block(s, b);
        block_free(b);
    }
    if (s->spare)
        block_free(s->spare);
    s->spare = NULL;
    s->excess = 0;
}

void vt_scrollback_clear(vt *t)
{
    t->shadow.clears++;
    vt_scrollback_free(&t->scrollback);
    t->scrollback.dropped += t->scrollback.count;
    t->scrollback.count = 0;
}

void vt_scrollback_trim(vt *t, uint64_t lines)
{
    vt_scrollback *s = &t->scrollback;
    if (lines > s->count)
        lines = s->count;
    s->count -= lines;
    while (lines && s->newest) {
        vt_block *b = s->newest;
        if (b->lines <= lines && b->prev) {
            lines -= b->lines;
            unlink_block(s, b);
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
    const vt_scrollback *s = &t->scrollback;
    memset(r, 0, sizeof *r);
    if (index >= s->count)
        return;
    r->left = s->count - index;
    const vt_block *b;
    uint64_t skip;
    if (index < s->count / 2) {
        skip = index + s->excess;
        for (b = s->oldest; skip >= b->lines; b = b->next)
            skip -= b->lines;
    } else {
        uint64_t back = r->left;
        for (b = s->newest; back > b->lines; b = b->prev)
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

void vt_scrollback_pass(vt *t, vt_scrollback *s, const vt_scrollback_reader *reader)
{
    vt_scrollback_reader r = *reader;
    const uint8_t *record = encoded_at(&r);
    int header;
    uint32_t n = vt_encoded_size(record, &header);
    vt_block *b = s->newest;
    if (!b || b->size - b->n < n)
        b = new_block(t, s, n);
    if (!b) {
        lose_all(s);
        return;
    }
    memcpy(b->data + b->n, record, n);
    appended(t, s, b, b->data + b->n + n);
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
        size_t size = n == LAST_BLOCK ? n + 1 : n; /* malloc gave it, so its size must not be a mapped block's */
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
