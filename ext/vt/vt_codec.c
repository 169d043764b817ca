/* The codec of scrollback: a line as compact bytes, and back.

   An encoded line is
       u16 size of the rest (0xFFFF: it is in the next four bytes), u8 flags, [style of the tail], runs
   and a run is
       u8 HAS_STYLE | size of the text (at most 127), [style], text as in a vt_line.
   Without HAS_STYLE a run has the default style. A style is a mask byte and the values that it announces: two bits each
   for the kind of foreground, background and underline colour, one for attributes, one for a link. Mask 0 means the
   style of the run before. A link is its number in this line, or 0 and then its text.

   Styles are stored by value, so collecting styles need not walk ten thousand lines. DECSCA's protection is not
   stored: nothing can erase these lines. */
#include "vt_codec.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define WRAPPED 1
#define HAS_TAIL 2
#define NOT_ASCII 4     /* the text has fewer columns than bytes */
#define SIZE_SHIFT 3    /* two bits: VT_SINGLE.. */

#define HAS_STYLE 0x80
#define RUN_MAX 127     /* bytes of text */
#define HAS_ATTRS 0x40
#define HAS_LINK 0x80
#define STYLE_MAX 16    /* bytes of a style without its link, and a few that are written and not used */
#define LINK_MAX 4096   /* bytes of id and URI; a longer link is left out */
#define LINKS 32        /* links of a line that have numbers; a further one is stored with its text each time */

/* ---- encoding ---- */

static inline uint8_t colour_kind(uint32_t colour) { return colour >> 24 & 3; }

/* Always writes three bytes: the kind of colour cannot be predicted, so there is no branch. */
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

/* Links of the line being encoded, by the pointer to their text: equal texts are one link in vt.links. */
typedef struct {
    const char *text[LINKS];
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
    if (seen->n < LINKS)
        seen->text[seen->n++] = text;
    return p + id_n + uri_n;
}

/* Cells of a plain run differ from the pen in these bits: none but ASCII text of width 1. */
#define NOT_PLAIN (~(vt_cell)0x7F & ~VT_PROTECTED)

/* Write the low bytes of 8 cells to `p`. Returns how many cells, from the first on, are plain text of this style. */
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
    return __builtin_ctz(~same) / 2; /* two bits a cell; above them ~same has ones */
#else
    int n = 0;
    for (int k = 0; k < 8; k++)
        p[k] = (uint8_t)cells[k];
    while (n < 8 && !((cells[n] ^ base) & NOT_PLAIN))
        n++;
    return n;
#endif
}

/* The style of a run; sets `*styled` to 0 if it turns out to be the default. NULL: [p, end) is too small. */
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
    if (link && end - p < (ptrdiff_t)(STYLE_MAX + 5 + link->id_n + link->uri_n + RUN_MAX + VT_CELL_TEXT))
        return NULL;
    p = put_style(p, s, link != NULL);
    if (link)
        p = put_link(p, seen, link->text, link->id_n, link->uri_n);
    if (!*mask) { /* a style with nothing but a link, which was left out */
        *styled = 0;
        return mask;
    }
    return p;
}

/* Encode cells [0, len); VT_PAD more may be read. NULL: [p, end) is too small. */
static inline uint8_t *put_cells(const vt *t, const vt_cell *cells, int len, uint8_t *p, const uint8_t *end,
                                 uint8_t *flags)
{
    links_seen seen;
    seen.n = 0;
    int i = 0;
    uint32_t before = UINT32_MAX;
    while (i < len) {
        if (!VT_WIDTH(cells[i])) { /* a right half: the left half stands for both */
            i++;
            continue;
        }
        /* Room for head, style and a full run is checked once, here, and not in the loops below. */
        if (end - p < 1 + STYLE_MAX + RUN_MAX + VT_CELL_TEXT)
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
            if (i >= stop) { /* some of the last eight were too many */
                p -= i - stop;
                i = stop;
                break;
            }
            /* Not ASCII: as many such cells as follow each other, with single ASCII cells between them. A right half is
               skipped with its left half. */
            *flags |= NOT_ASCII;
            vt_cell c = cells[i];
            do {
                if (p - text > RUN_MAX - 4)
                    goto next;
                uint64_t code = (c & ~(VT_WIDTH_BITS(3) | VT_PROTECTED)) ^ VT_STYLE_BITS(id);
                if (__builtin_expect(code < VT_CLUSTER, 1)) {
                    p = vt_utf8_put(p, (uint32_t)code);
                    i += VT_WIDTH(c);
                } else if (VT_STYLE(c) != id || p - text > RUN_MAX - t->clusters[VT_CODE(c)].n) {
                    goto next;
                } else {
                    p = vt_cluster_text(t, p, c);
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

/* Encode a cell `times` over, as put_cells() would. */
static uint8_t *put_repeated(const vt *t, vt_cell cell, int times, uint8_t *p, const uint8_t *end, uint8_t *flags)
{
    links_seen seen;
    uint8_t text[VT_CELL_TEXT + 4], styled = VT_STYLE(cell) ? HAS_STYLE : 0;
    int size = (int)(vt_cell_text(t, text, cell) - text);
    seen.n = 0;
    if (text[0] >= 0x80 || size > 1)
        *flags |= NOT_ASCII;
    for (int run = 0; times > 0; run++) {
        if (end - p < 1 + STYLE_MAX + RUN_MAX + VT_CELL_TEXT)
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
        for (int have = size; size > 1 && have < n; have *= 2) /* doubled each time */
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
                int width;
                ptrdiff_t cell = 0;
                for (n = 0; n + cell <= RUN_MAX; cell = vt_character(text + n, text_end, &width))
                    n += cell;
            }
            for (ptrdiff_t k = 0; k < n; k++)
                if (text[k] >= 0x80)
                    *flags |= NOT_ASCII;
            memcpy(p, text, (size_t)(n & RUN_MAX)); /* n is no more, which the compiler cannot see */
            p += n;
            text += n;
            *head = (uint8_t)(styled | n);
        }
    }
    return p;
}

/* Write size and flags of the encoded line [begin, p). NULL: there is no room for a long size. */
static inline uint8_t *finish(uint8_t *begin, uint8_t *p, const uint8_t *end, uint8_t flags)
{
    size_t n = (size_t)(p - begin) - 2;
    begin[2] = flags;
    if (__builtin_expect(n >= VT_CODEC_LONG, 0)) {
        if (end - p < VT_CODEC_LONG_HEADER - VT_CODEC_HEADER)
            return NULL;
        memmove(begin + VT_CODEC_LONG_HEADER, begin + VT_CODEC_HEADER, n - 1);
        p += VT_CODEC_LONG_HEADER - VT_CODEC_HEADER;
        for (int i = 0; i < 4; i++)
            begin[2 + i] = (uint8_t)(n >> 8 * i);
        begin[VT_CODEC_LONG_HEADER - 1] = flags;
        n = VT_CODEC_LONG;
    }
    begin[0] = (uint8_t)n;
    begin[1] = (uint8_t)(n >> 8);
    return p;
}

uint8_t *vt_encode(const vt *t, const vt_encodable *c, uint8_t *p, const uint8_t *end)
{
    if (end - p < VT_CODEC_LONG_HEADER + STYLE_MAX)
        return NULL;
    uint8_t *begin = p, flags = (uint8_t)((c->wrapped ? WRAPPED : 0) | c->size << SIZE_SHIFT);
    p += VT_CODEC_HEADER;
    if (c->tail && !vt_is_plain(c->tail)) {
        flags |= HAS_TAIL;
        p = put_style(p, c->tail, 0);
    }
    if (c->line)
        p = put_line(c->line, p, end, &flags);
    else if (c->times)
        p = put_repeated(t, c->cells[0], c->times, p, end, &flags);
    else
        p = put_cells(t, c->cells, c->len, p, end, &flags);
    return p ? finish(begin, p, end, flags) : NULL;
}

/* A faster vt_encode() for the most common rows: not wrapped, with nothing but text in the default style. */
uint8_t *vt_encode_plain(const vt_row *r, uint8_t *begin, const uint8_t *end)
{
    int len = r->len;
    if (end - begin < VT_CODEC_HEADER + 1 + RUN_MAX + VT_CELL_TEXT || r->wrapped | r->size || len > RUN_MAX
        || r->tail != VT_BLANK)
        return NULL;
    uint8_t *text = begin + VT_CODEC_HEADER + 1, *p = text;
    for (int i = 0; i < len; i += 8, p += 8) {
        int n = pack(p, r->cells + i, VT_BLANK);
        if (n < 8 && i + n < len)
            return NULL;
    }
    p = text + len;
    while (p > text && (p[-1] == ' ' || !p[-1]))
        p--;
    begin[VT_CODEC_HEADER] = (uint8_t)(p - text);
    if (p == text)
        p--; /* an empty run is left out */
    size_t n = (size_t)(p - begin);
    begin[0] = (uint8_t)(n - 2);
    begin[1] = begin[2] = 0;
    return p;
}

void vt_encoded_unwrap(uint8_t *p)
{
    int header;
    vt_encoded_size(p, &header);
    p[header - 1] &= (uint8_t)~WRAPPED;
}

/* ---- decoding ---- */

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

/* How many bytes come before the first that is not ASCII; at most n. */
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
        uint32_t plain = ascii_prefix(p, (uint32_t)(end - p));
        int width;
        /* The last of them may be the first of a cell that goes on. */
        while (plain && p + plain < end && vt_is_mark(p[plain - 1]))
            plain--;
        plain -= plain && p + plain < end;
        cols += (int)plain;
        p += plain;
        if (p < end) {
            p += vt_character(p, end, &width);
            cols += width;
        }
    }
    return cols;
}

void vt_decode(const uint8_t *p, vt_line *line)
{
    int header;
    const uint8_t *end = p + vt_encoded_size(p, &header);
    p += header;
    uint8_t flags = p[-1];

    struct { const char *text; uint16_t id_n, uri_n; } links[LINKS];
    int links_n = 0;
    vt_line_clear(line);
    line->wrapped = flags & WRAPPED;
    line->size = flags >> SIZE_SHIFT & 3;
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
                        if (links_n < LINKS) {
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
}
