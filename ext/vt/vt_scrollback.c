/* Scrollback: lines that have scrolled off the main screen, as compact bytes.

   A block holds records one behind the other:
       u16 bytes of the rest (LONG: the next four bytes say it), u8 flags, [style of the tail], runs
   and a run is
       u8 HAS_STYLE | bytes of text (at most 127), [style], UTF-8 text, a NUL for each cell never written.
   Without HAS_STYLE a run has the default style. A style is a mask byte (two bits each: what kind of foreground,
   background, underline colour; then attributes? link?) and the values it names; mask 0 means: as in the run before.
   A link is its number in this record, or 0 and then its text.

   Styles stand in it by value, not by id: collecting styles need not walk what may be ten thousand lines. The
   protection that DECSCA gives is not kept: nothing can erase these lines. */
#include "vt_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LONG 0xFFFF
#define HEADER 3        /* u16 and flags */
#define LONG_HEADER 7

#define WRAPPED 1
#define HAS_TAIL 2
#define NOT_ASCII 4     /* columns are not bytes */

#define HAS_STYLE 0x80
#define RUN_MAX 127     /* bytes of text */
#define HAS_ATTRS 0x40
#define HAS_LINK 0x80
#define STYLE_MAX 16    /* bytes of a style without its link, and some that are written and not taken */

#define CELL_MAX 32     /* bytes of text of a cell: a cluster of 8 */
#define FIRST_BLOCK 2048 /* a session that prints a page costs no more; each block is twice the one before it, up to */
#define LAST_BLOCK (WHOLE_BLOCK - (uint32_t)sizeof(vt_block))
#define WHOLE_BLOCK 16384 /* bytes of one of these with its head: whole pages, from the system and back to it */
#define LINK_MAX 4096   /* bytes of id and URI; a longer link is left out */

/* Bytes from the lowest on; four are written, whatever is taken of them. */
static inline void put_four(uint8_t *p, uint32_t bytes)
{
    p[0] = (uint8_t)bytes;
    p[1] = (uint8_t)(bytes >> 8);
    p[2] = (uint8_t)(bytes >> 16);
    p[3] = (uint8_t)(bytes >> 24);
}

static inline uint8_t *put_utf8(uint8_t *p, uint32_t c)
{
    if (c - 0x800 < 0xF800) {
        put_four(p, 0x8080E0 | c >> 12 | (c << 2 & 0x3F00) | (c & 63) << 16);
        return p + 3;
    }
    if (c < 0x800) {
        put_four(p, c < 0x80 ? c : 0x80C0 | c >> 6 | (c & 63) << 8);
        return p + (c < 0x80 ? 1 : 2);
    }
    put_four(p, 0x808080F0 | c >> 18 | (c >> 4 & 0x3F00) | (c << 10 & 0x3F0000) | (c & 63) << 24);
    return p + 4;
}

static uint8_t *put_cluster(const vt *t, uint8_t *p, vt_cell c)
{
    if (VT_CODE(c) >= t->clusters_n) {
        *p++ = ' ';
        return p;
    }
    const vt_cluster *k = &t->clusters[VT_CODE(c)];
    for (int i = 0; i < k->n && i < 8; i++)
        p = put_utf8(p, k->codes[i] ? k->codes[i] : ' ');
    if (!k->n)
        *p++ = ' ';
    return p;
}

/* The text of a cell that is no plain ASCII: at most CELL_MAX bytes. */
static inline uint8_t *put_cell(const vt *t, uint8_t *p, vt_cell c)
{
    return c & VT_CLUSTER ? put_cluster(t, p, c) : put_utf8(p, VT_CODE(c));
}

/* ---- writing ---- */

static inline uint8_t colour_kind(uint32_t colour) { return colour >> 24 & 3; }

/* Writes three bytes, whatever is taken of them: which kind of colour comes next is not to be guessed. */
static inline uint8_t *put_colour(uint8_t *p, uint32_t colour)
{
    static const uint8_t size[] = {0, 1, 3, 0};
    uint8_t kind = colour_kind(colour);
    colour <<= kind == 1 ? 16 : 0;
    p[0] = (uint8_t)(colour >> 16);
    p[1] = (uint8_t)(colour >> 8);
    p[2] = (uint8_t)colour;
    return p + size[kind];
}

static inline uint8_t *put_style(uint8_t *p, const vt_style *s, int link)
{
    uint8_t *mask = p++;
    *mask = (uint8_t)(colour_kind(s->fg) | colour_kind(s->bg) << 2 | colour_kind(s->ul) << 4
                      | (s->attrs ? HAS_ATTRS : 0) | (link ? HAS_LINK : 0));
    if (s->attrs) {
        if (s->attrs < 0x80) {
            *p++ = (uint8_t)s->attrs;
        } else {
            *p++ = (uint8_t)(s->attrs | 0x80);
            *p++ = (uint8_t)(s->attrs >> 7);
        }
    }
    p = put_colour(p, s->fg);
    p = put_colour(p, s->bg);
    return put_colour(p, s->ul);
}

/* Links of the record that is being written, by the pointer to their text: equal texts are one link in vt.links. */
typedef struct {
    const char *text[32];
    int n;
} links_seen;

static uint8_t *put_link(uint8_t *p, links_seen *seen, const char *text, uint16_t id_n, uint16_t uri_n)
{
    for (int i = 0; i < seen->n; i++)
        if (seen->text[i] == text) {
            *p++ = (uint8_t)(i + 1);
            return p;
        }
    *p++ = 0;
    *p++ = (uint8_t)id_n;
    *p++ = (uint8_t)(id_n >> 8);
    *p++ = (uint8_t)uri_n;
    *p++ = (uint8_t)(uri_n >> 8);
    memcpy(p, text, (size_t)id_n + uri_n);
    if (seen->n < 32)
        seen->text[seen->n++] = text;
    return p + id_n + uri_n;
}

/* Text, width 1, and the style alone may stand in the cells of a plain run. */
#define NOT_PLAIN (~(vt_cell)0x7F & ~VT_PROTECTED)

/* The low bytes of 8 cells, all written to `p`; of how many, from the first on, they are the text in this style. */
static inline int pack(uint8_t *p, const vt_cell *cells, vt_cell base)
{
#ifdef __SSE2__
    const __m128i want = _mm_set1_epi64x((long long)base);
    const __m128 low = _mm_castsi128_ps(_mm_set1_epi64x((long long)~NOT_PLAIN));
    __m128 pairs[4];
    for (int k = 0; k < 4; k++)
        pairs[k] = _mm_castsi128_ps(
            _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(cells + 2 * k)), want));
    __m128i odd[2], text[2];
    for (int k = 0; k < 2; k++) {
        __m128 code = _mm_shuffle_ps(pairs[2 * k], pairs[2 * k + 1], _MM_SHUFFLE(2, 0, 2, 0));
        __m128 style = _mm_shuffle_ps(pairs[2 * k], pairs[2 * k + 1], _MM_SHUFFLE(3, 1, 3, 1));
        const __m128 plain = _mm_shuffle_ps(low, low, _MM_SHUFFLE(2, 0, 2, 0));
        odd[k] = _mm_cmpeq_epi32(_mm_castps_si128(_mm_or_ps(_mm_andnot_ps(plain, code), style)), _mm_setzero_si128());
        text[k] = _mm_and_si128(_mm_castps_si128(code), _mm_set1_epi32(0x7F));
    }
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packus_epi16(_mm_packs_epi32(text[0], text[1]), _mm_setzero_si128()));
    unsigned same = (unsigned)_mm_movemask_epi8(_mm_packs_epi32(odd[0], odd[1]));
    return __builtin_ctz(~same) / 2; /* two bits a cell, and ones above them */
#else
    int n = 0;
    for (int k = 0; k < 8; k++)
        p[k] = (uint8_t)cells[k];
    while (n < 8 && !((cells[n] ^ base) & NOT_PLAIN))
        n++;
    return n;
#endif
}

/* The style of a run in the record; `*styled` is 0 if it turns out to be the default. NULL: [p, end) is too small. */
static uint8_t *put_cell_style(const vt *t, uint8_t *p, const uint8_t *end, uint32_t id, links_seen *seen,
                               uint8_t *styled)
{
    const vt_style *s = &t->styles[id];
    uint8_t *mask = p;
    if (!s->link)
        return put_style(p, s, 0);
    const vt_link *link = s->link < t->links_n ? &t->links[s->link] : NULL;
    if (link && (size_t)link->id_n + link->uri_n > LINK_MAX)
        link = NULL;
    if (link && end - p < (ptrdiff_t)(STYLE_MAX + 5 + link->id_n + link->uri_n + RUN_MAX + CELL_MAX))
        return NULL;
    p = put_style(p, s, link != NULL);
    if (link)
        p = put_link(p, seen, link->text, link->id_n, link->uri_n);
    if (!*mask) { /* a style whose link was left out, and nothing else in it */
        *styled = 0;
        return mask;
    }
    return p;
}

/* Encodes cells [0, len) behind `p`; VT_PAD cells more may be read. NULL: [p, end) is too small. */
static inline uint8_t *put_cells(const vt *t, const vt_cell *cells, int len, uint8_t *p, const uint8_t *end,
                                 uint8_t *flags)
{
    links_seen seen;
    seen.n = 0;
    int i = 0;
    uint32_t before = UINT32_MAX;
    while (i < len) {
        if (!VT_WIDTH(cells[i])) { /* a right half: the left one has said it */
            i++;
            continue;
        }
        /* Room for head, style and a full run: checked once, so that the loops below need not. */
        if (end - p < 1 + STYLE_MAX + RUN_MAX + CELL_MAX)
            return NULL;
        uint32_t id = VT_STYLE(cells[i]);
        uint8_t *head = p++;
        uint8_t styled = 0;
        if (id) {
            styled = HAS_STYLE;
            if (id == before)
                *p++ = 0;
            else if (!(p = put_cell_style(t, p, end, id, &seen, &styled)))
                return NULL;
        }
        before = styled ? id : UINT32_MAX;
        const uint8_t *text = p;
        const vt_cell base = VT_STYLE_BITS(id) | VT_WIDTH_BITS(1);
        for (;;) {
            int room = (int)(RUN_MAX - (p - text)), stop = len - i < room ? len : i + room;
            for (; i < stop; i += 8, p += 8) {
                int n = pack(p, cells + i, base);
                if (n < 8) {
                    i += n;
                    p += n;
                    break;
                }
            }
            if (i >= stop) { /* of the last eight some were too much */
                p -= i - stop;
                i = stop;
                break;
            }
            /* No ASCII: as many of them as there are, with ASCII that stands alone among them. A right half is passed
               with its left one. */
            *flags |= NOT_ASCII;
            vt_cell c = cells[i];
            do {
                if (p - text > RUN_MAX - CELL_MAX)
                    goto next;
                uint64_t code = (c & ~(VT_WIDTH_BITS(3) | VT_PROTECTED)) ^ VT_STYLE_BITS(id);
                if (__builtin_expect(code < VT_CLUSTER, 1)) {
                    p = put_utf8(p, (uint32_t)code);
                    i += VT_WIDTH(c);
                } else if (VT_STYLE(c) != id) {
                    goto next;
                } else {
                    p = put_cluster(t, p, c);
                    i += VT_WIDTH(c);
                }
                c = cells[i];
            } while (i < len && ((c ^ base) & NOT_PLAIN || (i + 1 < len && (cells[i + 1] ^ base) & NOT_PLAIN)));
            if (i >= len)
                break;
        }
    next:
        *head = (uint8_t)(styled | (p - text));
    }
    return p;
}

/* Encodes a character `times` over, as put_cells() would. */
static uint8_t *put_repeated(const vt *t, vt_cell cell, int times, uint8_t *p, const uint8_t *end, uint8_t *flags)
{
    links_seen seen;
    uint8_t text[CELL_MAX + 4], styled = VT_STYLE(cell) ? HAS_STYLE : 0;
    int size = (int)(put_cell(t, text, cell) - text);
    seen.n = 0;
    if (text[0] >= 0x80 || size > 1)
        *flags |= NOT_ASCII;
    for (int run = 0; times > 0; run++) {
        if (end - p < 1 + STYLE_MAX + RUN_MAX + CELL_MAX)
            return NULL;
        uint8_t *head = p++;
        if (styled && run)
            *p++ = 0;
        else if (styled && !(p = put_cell_style(t, p, end, VT_STYLE(cell), &seen, &styled)))
            return NULL;
        int n = times < RUN_MAX / size ? times : RUN_MAX / size;
        *head = (uint8_t)(styled | n * size);
        times -= n;
        n *= size;
        if (size == 1)
            memset(p, *text, (size_t)n);
        else
            memcpy(p, text, (size_t)size);
        for (int have = size; size > 1 && have < n; have *= 2) /* twice as much each time */
            memcpy(p + have, p, (size_t)(n - have < have ? n - have : have));
        p += n;
    }
    return p;
}

static uint8_t *put_line(const vt_line *line, uint8_t *p, const uint8_t *end, uint8_t *flags)
{
    links_seen seen;
    seen.n = 0;
    for (int i = 0; i < line->n; i++) {
        const vt_run *r = &line->runs[i];
        int link = r->link && (size_t)r->id_n + r->uri_n <= LINK_MAX;
        const uint8_t *text = r->text, *text_end = text + r->n;
        int begun = 0;
        while (text < text_end) {
            if (end - p < (ptrdiff_t)(1 + STYLE_MAX + RUN_MAX + (link ? 5 + r->id_n + r->uri_n : 0)))
                return NULL;
            uint8_t *head = p++;
            uint8_t styled = HAS_STYLE;
            if (begun) {
                *p++ = 0;
            } else {
                uint8_t *mask = p;
                p = put_style(p, &r->style, link);
                if (link)
                    p = put_link(p, &seen, r->link, r->id_n, r->uri_n);
                if (*mask)
                    begun = 1;
                else
                    p = mask, styled = 0;
            }
            ptrdiff_t n = text_end - text;
            if (n > RUN_MAX) { /* cut before a cell, not inside it */
                n = RUN_MAX - CELL_MAX;
                const uint8_t *at = text, *last = text;
                while (at - text <= n) {
                    uint32_t code;
                    const uint8_t *here = at;
                    at += vt_decode(at, text_end, &code);
                    if (code < 0x80 || vt_width(code))
                        last = here;
                }
                n = last > text ? last - text : at - text;
            }
            for (ptrdiff_t k = 0; k < n; k++)
                if (text[k] >= 0x80)
                    *flags |= NOT_ASCII;
            memcpy(p, text, (size_t)n);
            p += n;
            text += n;
            *head = (uint8_t)(styled | n);
        }
    }
    return p;
}

static inline int no_style(const vt_style *s) { return !(s->fg | s->bg | s->ul | s->attrs | s->link); }

/* The record from `record` to `p` gets its size and flags. NULL: a size of more than two bytes does not fit. */
static inline uint8_t *finish_record(uint8_t *record, uint8_t *p, const uint8_t *end, uint8_t flags)
{
    size_t n = (size_t)(p - record) - 2;
    record[2] = flags;
    if (__builtin_expect(n >= LONG, 0)) {
        if (end - p < LONG_HEADER - HEADER)
            return NULL;
        memmove(record + LONG_HEADER, record + HEADER, n - 1);
        p += LONG_HEADER - HEADER;
        for (int i = 0; i < 4; i++)
            record[2 + i] = (uint8_t)(n >> 8 * i);
        record[LONG_HEADER - 1] = flags;
        n = LONG;
    }
    record[0] = (uint8_t)n;
    record[1] = (uint8_t)(n >> 8);
    return p;
}

/* What becomes a record: cells, or else a line. */
typedef struct {
    const vt_cell *cells;
    int len;
    int times;            /* not 0: they are so many of the first one, and that is all that need be looked at */
    int wrapped;
    const vt_style *tail; /* NULL: the default */
    const vt_line *line;
} content;

/* One record behind `p`; NULL: it does not fit. */
static inline uint8_t *put_record(const vt *t, const content *c, uint8_t *p, const uint8_t *end)
{
    if (end - p < LONG_HEADER + STYLE_MAX)
        return NULL;
    uint8_t *record = p, flags = c->wrapped ? WRAPPED : 0;
    p += HEADER;
    if (c->tail && !no_style(c->tail)) {
        flags |= HAS_TAIL;
        p = put_style(p, c->tail, 0);
    }
    if (c->line)
        p = put_line(c->line, p, end, &flags);
    else if (c->times)
        p = put_repeated(t, c->cells[0], c->times, p, end, &flags);
    else
        p = put_cells(t, c->cells, c->len, p, end, &flags);
    return p ? finish_record(record, p, end, flags) : NULL;
}

/* ---- blocks ---- */

/* Bytes of the record at `p`, all of it; `header`: of them before the tail or the first run. */
static inline uint32_t record_size(const uint8_t *p, int *header)
{
    uint32_t n = p[0] | (uint32_t)p[1] << 8;
    if (n != LONG) {
        *header = HEADER;
        return n + 2;
    }
    *header = LONG_HEADER;
    return (p[2] | (uint32_t)p[3] << 8 | (uint32_t)p[4] << 16 | (uint32_t)p[5] << 24) + 6;
}

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

static void unlink_block(vt_history *h, vt_block *b)
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
static void forget_block(vt_history *h, const vt_block *b)
{
    h->count -= b->lines - h->excess;
    h->dropped += b->lines - h->excess;
    h->excess = 0;
}

size_t vt_history_memory(const vt_history *h)
{
    return h->bytes + (h->spare ? WHOLE_BLOCK : 0);
}

/* It has left the list. A flood drops as many blocks as it makes: one is kept for the next. */
static void retire(vt_history *h, vt_block *b)
{
    if (b->size == LAST_BLOCK && !h->spare)
        h->spare = b;
    else
        block_free(b);
}

static void drop_block(vt_history *h)
{
    vt_block *b = h->oldest;
    forget_block(h, b);
    unlink_block(h, b);
    retire(h, b);
}

/* A new newest block with room for `n` bytes. NULL: no memory, or more than the limit allows. */
static vt_block *new_block(vt *t, vt_history *h, size_t n)
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
static __attribute__((noinline)) vt_block *put_in_new(vt *t, vt_history *h, const content *c)
{
    for (size_t n = 0;; n = n ? n * 2 : FIRST_BLOCK) {
        vt_block *b = new_block(t, h, n);
        if (!b)
            return NULL;
        uint8_t *p = put_record(t, c, b->data, b->data + b->size);
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
static void lose_all(vt_history *h)
{
    vt_history_free(h);
    h->dropped += h->count + 1;
    h->count = 0;
}

/* What is too much is left out at once, and freed when all of its block is. */
static inline void count_line(const vt *t, vt_history *h, vt_block *b)
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

static __attribute__((noinline)) void put(vt *t, vt_history *h, const content *c)
{
    if (!t->limits.scrollback_lines) {
        h->dropped++;
        return;
    }
    vt_block *b = h->newest;
    uint8_t *p = b ? put_record(t, c, b->data + b->n, b->data + b->size) : NULL;
    if (p) {
        b->last = b->n;
        b->n = (uint32_t)(p - b->data);
    } else if (!(b = put_in_new(t, h, c))) {
        lose_all(h);
        return;
    }
    count_line(t, h, b);
}

/* What DECALN and REP leave behind the cells is text. */
static void put_filled(vt *t, vt_history *h, const vt_row *r, int cols)
{
    vt_cell all[VT_MAX_COLS + VT_PAD];
    if (!r->len) {
        put(t, h, &(content){.cells = &r->tail, .times = cols, .wrapped = r->wrapped});
        return;
    }
    memcpy(all, r->cells, (size_t)r->len * sizeof *all);
    for (int i = r->len; i < cols + VT_PAD; i++)
        all[i] = r->tail;
    put(t, h, &(content){.cells = all, .len = cols, .wrapped = r->wrapped});
}

/* How many of one character a row consists of, or 0. */
static inline int all_same(const vt_cell *cells, int len)
{
    int width = len < 16 ? 0 : VT_WIDTH(cells[0]);
    if (!width || cells[0] != cells[width] || cells[0] != cells[2 * width] || len % width)
        return 0;
    return memcmp(cells, cells + width, (size_t)(len - width) * sizeof *cells) ? 0 : len / width;
}

/* A row of the commonest kind, not wrapped and of text in the default style alone: as put() does it, with less ado.
   0: it is another, or there is no room. */
static inline int put_plain(const vt *t, vt_history *h, const vt_row *r)
{
    vt_block *b = h->newest;
    int len = r->len;
    if (!b || b->size - b->n < HEADER + 1 + RUN_MAX + CELL_MAX || r->wrapped || len > RUN_MAX || r->tail != VT_BLANK)
        return 0;
    uint8_t *record = b->data + b->n, *text = record + HEADER + 1, *p = text;
    for (int i = 0; i < len; i += 8, p += 8) {
        int n = pack(p, r->cells + i, VT_BLANK);
        if (n < 8 && i + n < len)
            return 0;
    }
    p = text + len;
    while (p > text && (p[-1] == ' ' || !p[-1]))
        p--;
    record[HEADER] = (uint8_t)(p - text);
    if (p == text)
        p--; /* no run at all */
    size_t n = (size_t)(p - record);
    record[0] = (uint8_t)(n - 2);
    record[1] = record[2] = 0;
    b->last = b->n;
    b->n += (uint32_t)n;
    count_line(t, h, b);
    return 1;
}

void vt_history_put_row(vt *t, vt_history *h, const vt_row *r, int cols)
{
    if (t->limits.scrollback_lines && put_plain(t, h, r))
        return;
    content c = {.cells = r->cells, .len = r->len, .wrapped = r->wrapped};
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
    put(t, h, &c);
}

void vt_history_push(vt *t, const vt_row *r) { vt_history_put_row(t, &t->history, r, t->cols); }

void vt_history_unwrap(vt *t)
{
    vt_block *b = t->history.newest;
    int header;
    if (!t->history.count)
        return;
    record_size(b->data + b->last, &header);
    b->data[b->last + header - 1] &= (uint8_t)~WRAPPED;
}

void vt_history_put(vt *t, vt_history *h, const vt_line *line)
{
    put(t, h, &(content){.line = line, .tail = &line->tail, .wrapped = line->wrapped});
}

void vt_history_free(vt_history *h)
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

void vt_history_clear(vt *t)
{
    vt_history_free(&t->history);
    t->history.dropped += t->history.count;
    t->history.count = 0;
}

void vt_set_top(vt *t, int64_t top)
{
    if (top >= (int64_t)t->history.count)
        t->history.dropped = (uint64_t)top - t->history.count;
    t->command_line = -1;
}

void vt_history_trim(vt *t, uint64_t lines)
{
    vt_history *h = &t->history;
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
            at += record_size(b->data + at, &header);
        }
        b->n = at;
        lines = 0;
    }
}

/* ---- reading ---- */

void vt_history_seek(const vt *t, vt_history_reader *r, uint64_t index)
{
    const vt_history *h = &t->history;
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
        r->at += record_size(b->data + r->at, &header);
}

static const uint8_t *get_colour(const uint8_t *p, int kind, uint32_t *colour)
{
    if (kind == 1) {
        *colour = VT_PALETTE | *p++;
    } else if (kind == 2) {
        *colour = VT_RGB | (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        p += 3;
    } else {
        *colour = 0;
    }
    return p;
}

static const uint8_t *get_style(const uint8_t *p, uint8_t mask, vt_style *s)
{
    s->attrs = 0;
    s->link = 0;
    if (mask & HAS_ATTRS) {
        s->attrs = *p++;
        if (s->attrs & 0x80)
            s->attrs = (uint16_t)((s->attrs & 0x7F) | *p++ << 7);
    }
    p = get_colour(p, mask & 3, &s->fg);
    p = get_colour(p, mask >> 2 & 3, &s->bg);
    return get_colour(p, mask >> 4 & 3, &s->ul);
}

/* The first of `n` bytes that is not ASCII, or n. */
static uint32_t ascii_prefix(const uint8_t *p, uint32_t n)
{
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < n && p[i] < 0x80)
        i++;
    return i;
}

static int columns(const uint8_t *p, uint32_t n)
{
    int cols = 0;
    for (const uint8_t *end = p + n; p < end;) {
        uint32_t plain = ascii_prefix(p, (uint32_t)(end - p)), code;
        cols += (int)plain;
        p += plain;
        if (p < end) {
            p += vt_decode(p, end, &code);
            cols += vt_width(code);
        }
    }
    return cols;
}

static const uint8_t *record_at(vt_history_reader *r)
{
    while (r->at >= r->block->n) {
        r->block = r->block->next;
        r->at = 0;
    }
    return r->block->data + r->at;
}

void vt_history_pass(vt *t, vt_history *h, const vt_history_reader *reader)
{
    vt_history_reader r = *reader;
    const uint8_t *record = record_at(&r);
    int header;
    uint32_t n = record_size(record, &header);
    vt_block *b = h->newest;
    if (!b || b->size - b->n < n)
        b = new_block(t, h, n);
    if (!b) {
        lose_all(h);
        return;
    }
    memcpy(b->data + b->n, record, n);
    b->last = b->n;
    b->n += n;
    count_line(t, h, b);
}

int vt_history_copy(const vt *t, vt *to, uint64_t lines)
{
    vt_history_reader from;
    if (lines > t->history.count)
        lines = t->history.count;
    to->history = (vt_history){.count = lines, .dropped = t->history.dropped + t->history.count - lines,
                                .left_out = t->history.left_out + t->history.count - lines};
    vt_history_seek(t, &from, t->history.count - lines);
    uint64_t left = lines;
    for (const vt_block *b = from.block; left; b = b->next) {
        uint32_t start = b == from.block ? from.at : 0, n = b->n - start;
        size_t size = n == LAST_BLOCK ? n + 1 : n; /* from malloc, and so is to be freed */
        vt_block *copy = malloc(sizeof *copy + size);
        if (!copy) {
            vt_history_free(&to->history);
            return -1;
        }
        *copy = (vt_block){.prev = to->history.newest, .n = n, .size = (uint32_t)size, .last = b->last - start};
        copy->lines = b == from.block ? b->lines - from.skipped : b->lines;
        memcpy(copy->data, b->data + start, n);
        if (copy->prev)
            copy->prev->next = copy;
        else
            to->history.oldest = copy;
        to->history.newest = copy;
        to->history.bytes += sizeof *copy + size;
        left -= copy->lines;
    }
    return 0;
}

int vt_history_next(vt_history_reader *r, vt_line *line)
{
    if (!r->left)
        return 0;
    const uint8_t *p = record_at(r), *end;
    int header;
    uint32_t size = record_size(p, &header);
    end = p + size;
    p += header;
    uint8_t flags = p[-1];
    r->at += size;
    r->left--;

    struct { const char *text; uint16_t id_n, uri_n; } links[32];
    int links_n = 0;
    vt_line_clear(line);
    line->wrapped = flags & WRAPPED;
    if (flags & HAS_TAIL) {
        uint8_t mask = *p++;
        p = get_style(p, mask, &line->tail);
    }
    while (p < end && line->n < line->room) {
        vt_run *run = &line->runs[line->n];
        uint8_t head = *p++, mask;
        memset(run, 0, sizeof *run);
        if (head & HAS_STYLE) {
            mask = *p++;
            if (!mask && line->n) {
                const vt_run *before = run - 1;
                run->style = before->style;
                run->link = before->link;
                run->id_n = before->id_n;
                run->uri_n = before->uri_n;
            } else {
                p = get_style(p, mask, &run->style);
                if (mask & HAS_LINK) {
                    int k = *p++;
                    if (!k) {
                        run->id_n = (uint16_t)(p[0] | p[1] << 8);
                        run->uri_n = (uint16_t)(p[2] | p[3] << 8);
                        run->link = (const char *)p + 4;
                        p += 4 + run->id_n + run->uri_n;
                        if (links_n < 32) {
                            links[links_n].text = run->link;
                            links[links_n].id_n = run->id_n;
                            links[links_n++].uri_n = run->uri_n;
                        }
                    } else if (k <= links_n) {
                        run->link = links[k - 1].text;
                        run->id_n = links[k - 1].id_n;
                        run->uri_n = links[k - 1].uri_n;
                    }
                }
            }
        }
        run->text = p;
        run->n = head & RUN_MAX;
        run->cols = (uint16_t)(flags & NOT_ASCII ? columns(p, run->n) : (int)run->n);
        p += run->n;
        line->cols += run->cols;
        line->n++;
    }
    return 1;
}

/* ---- lines ---- */

int vt_line_init(vt_line *line, int cols)
{
    memset(line, 0, sizeof *line);
    line->room = cols + 2;
    line->runs = malloc((size_t)line->room * sizeof *line->runs);
    line->text = malloc((size_t)line->room * CELL_MAX);
    if (line->runs && line->text)
        return 0;
    vt_line_free(line);
    return -1;
}

void vt_line_free(vt_line *line)
{
    free(line->runs);
    free(line->text);
    line->runs = NULL;
    line->text = NULL;
}

void vt_line_clear(vt_line *line)
{
    line->n = line->cols = line->wrapped = 0;
    line->text_n = 0;
    memset(&line->tail, 0, sizeof line->tail);
}

static void set_style(const vt *t, vt_run *run, uint32_t id)
{
    run->style = t->styles[id];
    run->link = NULL;
    run->id_n = run->uri_n = 0;
    if (run->style.link) {
        if (run->style.link < t->links_n && t->links[run->style.link].text) {
            const vt_link *link = &t->links[run->style.link];
            run->link = link->text;
            run->id_n = link->id_n;
            run->uri_n = link->uri_n;
        }
        run->style.link = 0;
    }
}

/* Puts cells behind the line, which has room for them. */
static void add_cells(const vt *t, vt_line *line, const vt_cell *cells, int len)
{
    uint8_t *p = line->text + line->text_n;
    int i = 0;
    while (i < len && line->n < line->room) {
        vt_cell first = cells[i];
        if (!VT_WIDTH(first)) {
            i++;
            continue;
        }
        vt_run *run = &line->runs[line->n++];
        set_style(t, run, VT_STYLE(first));
        run->protect = (first & VT_PROTECTED) != 0;
        run->text = p;
        int cols = 0;
        vt_cell base = (first & ~(vt_cell)0x3FFFFF & ~VT_WIDTH_BITS(3)) | VT_WIDTH_BITS(1);
        for (;;) {
            int begin = i;
            for (; i + 8 <= len; i += 8, p += 8) {
                vt_cell odd = 0;
                for (int k = 0; k < 8; k++)
                    odd |= cells[i + k] ^ base;
                if (odd & ~(vt_cell)0x7F)
                    break;
                for (int k = 0; k < 8; k++)
                    p[k] = (uint8_t)cells[i + k];
            }
            for (; i < len && !((cells[i] ^ base) & ~(vt_cell)0x7F); i++)
                *p++ = (uint8_t)cells[i];
            cols += i - begin;
            if (i >= len)
                break;
            vt_cell c = cells[i];
            if (!VT_WIDTH(c)) {
                i++;
                continue;
            }
            if (VT_STYLE(c) != VT_STYLE(first) || ((c ^ first) & VT_PROTECTED))
                break;
            p = put_cell(t, p, c);
            cols += VT_WIDTH(c);
            i++;
        }
        run->n = (uint32_t)(p - run->text);
        run->cols = (uint16_t)cols;
        line->cols += cols;
        line->text_n = (size_t)(p - line->text);
    }
}

void vt_line_row(const vt *t, vt_line *line, const vt_row *r, int cols)
{
    vt_line_clear(line);
    line->wrapped = r->wrapped;
    add_cells(t, line, r->cells, r->len < cols ? r->len : cols);
    vt_cell tail = r->tail;
    if (VT_CODE(tail)) {
        for (int i = r->len; i < cols; i++)
            add_cells(t, line, &tail, 1);
    } else if (r->len < cols) {
        line->tail = t->styles[VT_STYLE(tail)];
        line->tail.link = 0;
    }
}

static int same_run(const vt_run *a, const vt_run *b)
{
    return a->style.fg == b->style.fg && a->style.bg == b->style.bg && a->style.ul == b->style.ul
           && a->style.attrs == b->style.attrs && a->protect == b->protect && a->link == b->link;
}

void vt_line_add(vt_line *line, const vt_run *run, const uint8_t *text, uint32_t n, int cols)
{
    if (!n || line->n >= line->room || line->text_n + n > (size_t)line->room * CELL_MAX)
        return;
    uint8_t *p = line->text + line->text_n;
    memcpy(p, text, n);
    line->text_n += n;
    line->cols += cols;
    if (line->n && same_run(&line->runs[line->n - 1], run)) {
        line->runs[line->n - 1].n += n;
        line->runs[line->n - 1].cols = (uint16_t)(line->runs[line->n - 1].cols + cols);
        return;
    }
    vt_run *to = &line->runs[line->n++];
    *to = *run;
    to->text = p;
    to->n = n;
    to->cols = (uint16_t)cols;
}

void vt_line_trim(vt_line *line, int spaces)
{
    if (line->wrapped || !no_style(&line->tail))
        return;
    while (line->n) {
        vt_run *r = &line->runs[line->n - 1];
        if (!no_style(&r->style) || r->link || r->protect)
            return;
        while (r->n && (!r->text[r->n - 1] || (spaces && r->text[r->n - 1] == ' '))) {
            r->n--;
            r->cols--;
            line->cols--;
        }
        if (r->n)
            return;
        line->n--;
    }
}

int vt_line_at(const vt *t, vt_line *line, vt_history_reader *reader, int64_t number)
{
    int64_t oldest = (int64_t)t->history.dropped, top = oldest + (int64_t)t->history.count;
    if (number < oldest || number >= top + t->rows)
        return 0;
    if (number >= top) {
        vt_line_row(t, line, t->s->rows[number - top], t->cols);
        if (number == top + t->rows - 1)
            line->wrapped = 0; /* it goes on nowhere */
        return 1;
    }
    if (reader->left != (uint64_t)(top - number))
        vt_history_seek(t, reader, (uint64_t)(number - oldest));
    if (!vt_history_next(reader, line))
        return 0;
    if (number == top - 1 && t->s != &t->main)
        line->wrapped = 0; /* what it goes on in is not shown */
    return 1;
}

/* ---- back onto a screen ---- */

int vt_history_pop(vt *t, vt_row *row)
{
    vt_history_reader reader;
    vt_line line;
    if (!t->history.count || vt_line_init(&line, t->cols))
        return 0;
    vt_history_seek(t, &reader, t->history.count - 1);
    int some = vt_history_next(&reader, &line);
    if (some) {
        vt_line_cells(t, &line, row);
        vt_history_trim(t, 1);
    }
    vt_line_free(&line);
    return some;
}

void vt_line_cells(vt *t, const vt_line *line, vt_row *row)
{
    int col = 0;
    row->len = 0;
    row->tail = VT_BLANK;
    /* Whatever interns may collect what no screen uses: the row must show what it has at every such call. */
    if (!no_style(&line->tail))
        row->tail |= VT_STYLE_BITS(vt_style_id(t, &line->tail));
    row->wrapped = (uint8_t)line->wrapped;
    for (int i = 0; i < line->n; i++) {
        const vt_run *run = &line->runs[i];
        vt_style style = run->style;
        if (run->link)
            style.link = vt_link_id(t, run->link, run->id_n, run->link + run->id_n, run->uri_n);
        vt_cell base = VT_STYLE_BITS(no_style(&style) ? 0 : vt_style_id(t, &style)) | (run->protect ? VT_PROTECTED : 0);
        const uint8_t *p = run->text, *end = p + run->n;
        while (p < end) {
            uint32_t code, more;
            p += vt_decode(p, end, &code);
            int width = code < 0x80 ? 1 : vt_width(code);
            if (!width)
                width = 1;
            if (col + width > t->cols)
                return;
            vt_cluster k = {.n = 1, .codes = {code}};
            while (p < end && *p >= 0x80) {
                int n = vt_decode(p, end, &more);
                if (vt_width(more) || k.n >= 8)
                    break;
                k.codes[k.n++] = more;
                p += n;
            }
            vt_cell cell = base | VT_WIDTH_BITS(width);
            if (k.n > 1) {
                /* the style counts as used only when it stands in the row */
                row->cells[col] = cell;
                row->len = (uint16_t)(col + 1);
                uint32_t id = vt_cluster_id(t, &k);
                cell |= id ? VT_CLUSTER | id : code;
            } else {
                cell |= code;
            }
            row->cells[col++] = cell;
            if (width == 2)
                row->cells[col++] = base;
            row->len = (uint16_t)col;
        }
    }
}
