/* Tables of styles, clusters and links, which cells refer to by number.

   Unused entries are collected by walking the two screens and the pen: scrollback and saved cursors hold styles by
   value. A table may grow to twice its size after the last collection, so that collecting costs a bounded share of all
   work. */
#include "vt_state.h"
#include "vt_unicode.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_STYLES 16     /* entries; a shell session rarely has more */
#define FIRST_MARK 512      /* entries of a table before collecting is worth a walk */
#define LINKS_MAX 1024      /* entries; a screen of links has about a hundred */
#define LINK_ID_MAX 256     /* bytes */
#define LINK_URI_MAX 2048   /* bytes, as much as browsers and other terminals take */
#define LINK_COST 64        /* cells' worth of a look-up */
#define LINKS_WAIT 256      /* refusals between two collections, on a screen that shows the most links there may be */

static uint32_t hash_style(const vt_style *style)
{
    /* Field by field: some were just written, and a load that is wider than the store must wait for the cache. Shifts
       that join two fields would be compiled into such a load. */
    uint64_t a = style->fg * 0x9E3779B97F4A7C15u + style->bg * 0xC2B2AE3D27D4EB4Fu + style->ul * 0x165667B19E3779F9u
                 + style->attrs * 0xD6E8FEB86659FD93u + style->link * 0xFF51AFD7ED558CCDu;
    a ^= a >> 29;
    return (uint32_t)(a >> 32);
}

static void hash_insert(vt *t, uint32_t id)
{
    uint32_t at = hash_style(&t->styles[id]);
    while (t->style_hash[at & (t->style_hash_size - 1)])
        at++;
    t->style_hash[at & (t->style_hash_size - 1)] = id + 1;
}

/* Fill the hash again with the styles from 1 on that `used` marks; NULL: with all. */
static void hash_all(vt *t, const uint8_t *used)
{
    memset(t->style_hash, 0, t->style_hash_size * sizeof *t->style_hash);
    for (uint32_t id = 1; id < t->styles_n; id++)
        if (!used || used[id])
            hash_insert(t, id);
}

int vt_intern_init(vt *t)
{
    t->styles_size = FIRST_STYLES;
    t->styles = calloc(t->styles_size, sizeof *t->styles);
    t->style_hash_size = 4 * FIRST_STYLES;
    t->style_hash = calloc(t->style_hash_size, sizeof *t->style_hash);
    t->styles_n = 1;
    t->styles_mark = t->clusters_mark = FIRST_MARK;
    return t->styles && t->style_hash ? 0 : -1;
}

void vt_intern_free(vt *t)
{
    for (uint32_t i = 1; i < t->links_n; i++)
        free(t->links[i].text);
    free(t->links);
    for (uint32_t i = 1; i < t->clusters_n; i++)
        free(t->clusters[i].more);
    free(t->clusters);
    free(t->style_hash);
    free(t->styles);
}

/* ---- collecting ---- */

static void mark_screen(const vt *t, const vt_screen *s, uint8_t *styles, uint8_t *clusters)
{
    if (!s->base)
        return;
    uint32_t last = 0; /* the default style needs no mark */
    for (int i = 0; i < t->rows; i++) {
        const vt_row *r = s->rows[i];
        styles[VT_STYLE(r->tail)] = 1;
        for (int col = 0; col < r->len; col++) {
            vt_cell cell = r->cells[col];
            if (VT_STYLE(cell) != last)
                styles[last = VT_STYLE(cell)] = 1;
            if (cell & VT_CLUSTER)
                clusters[VT_CODE(cell)] = 1;
        }
    }
}

static void sweep_styles(vt *t, const uint8_t *used)
{
    uint32_t live = 0;
    t->styles_free = 0;
    for (uint32_t id = t->styles_n - 1; id > 0; id--) {
        if (used[id]) {
            live++;
        } else {
            t->styles[id].fg = t->styles_free;
            t->styles_free = id;
        }
    }
    t->styles_mark = live < FIRST_MARK / 2 ? FIRST_MARK : 2 * live;
    hash_all(t, used);
}

static void sweep_clusters(vt *t, const uint8_t *used)
{
    uint32_t live = 0;
    t->clusters_free = 0;
    for (uint32_t id = t->clusters_n; id-- > 1;) {
        if (used[id]) {
            live++;
        } else {
            free(t->clusters[id].more);
            t->clusters[id] = (vt_cluster){.next = t->clusters_free};
            t->clusters_free = id;
        }
    }
    t->clusters_mark = live < FIRST_MARK / 2 ? FIRST_MARK : 2 * live;
}

static void list_link(vt *t, uint16_t id)
{
    uint16_t *first = &t->link_hash[t->links[id].hash % VT_LINK_HASH];
    t->links[id].next = *first;
    *first = id;
}

static void sweep_links(vt *t, const uint8_t *used_styles)
{
    uint8_t used[LINKS_MAX] = {0};
    used[t->pen.link] = 1;
    for (uint32_t id = 1; id < t->styles_n; id++)
        if (used_styles[id])
            used[t->styles[id].link] = 1;
    memset(t->link_hash, 0, sizeof t->link_hash);
    t->links_from = 1;
    for (uint32_t id = 1; id < t->links_n; id++) {
        if (!used[id]) {
            free(t->links[id].text);
            t->links[id].text = NULL;
        }
        if (t->links[id].text)
            list_link(t, (uint16_t)id);
    }
}

/* Free the entries that no cell of a screen refers to. Without memory for the marks none is freed, and tables grow. */
static void collect_unused(vt *t)
{
    uint8_t *styles = calloc(t->styles_n + t->clusters_n, 1);
    if (!styles)
        return;
    mark_screen(t, &t->main, styles, styles + t->styles_n);
    mark_screen(t, &t->alt, styles, styles + t->styles_n);
    styles[VT_STYLE(t->pen_cell)] = styles[VT_STYLE(t->erase_cell)] = 1;
    sweep_styles(t, styles);
    sweep_clusters(t, styles + t->styles_n);
    sweep_links(t, styles);
    free(styles);
    t->budget -= 2 * t->rows * t->cols;
}

/* ---- styles ---- */

/* The table with room for an entry after `n`; it at least doubles. NULL: no memory, and it is as it was. */
static void *grown(void *table, uint32_t n, uint32_t *size, size_t entry)
{
    if (n < *size)
        return table;
    uint32_t more = *size ? 2 * *size : FIRST_STYLES;
    void *new = realloc(table, more * entry);
    if (new)
        *size = more;
    return new;
}

static int grow_hash(vt *t)
{
    uint32_t *hash = malloc(2 * t->style_hash_size * sizeof *hash);
    if (!hash)
        return -1;
    free(t->style_hash);
    t->style_hash = hash;
    t->style_hash_size *= 2;
    hash_all(t, NULL); /* all are in use: only a table without free entries grows */
    return 0;
}

static __attribute__((noinline)) uint32_t new_style(vt *t, const vt_style *style)
{
    if (!t->styles_free && t->styles_n >= t->styles_mark && !t->hold)
        collect_unused(t);
    uint32_t id = t->styles_free;
    if (id) {
        t->styles_free = t->styles[id].fg;
    } else {
        vt_style *styles = grown(t->styles, t->styles_n, &t->styles_size, sizeof *styles);
        if (!styles)
            return 0;
        t->styles = styles;
        if (2 * t->styles_n >= t->style_hash_size && grow_hash(t))
            return 0;
        id = t->styles_n++;
    }
    t->styles[id] = *style;
    hash_insert(t, id);
    return id;
}

uint32_t vt_style_id(vt *t, const vt_style *style)
{
    if (vt_is_plain(style))
        return 0;
    uint32_t mask = t->style_hash_size - 1;
    for (uint32_t at = hash_style(style), id; (id = t->style_hash[at & mask]); at++)
        if (vt_same_style(&t->styles[id - 1], style))
            return id - 1;
    return new_style(t, style);
}

void vt_pen_intern(vt *t)
{
    t->pen_cell = VT_STYLE_BITS(vt_style_id(t, &t->pen)) | (t->protect ? VT_PROTECTED : 0);
    t->pen_dirty = 0;
}

/* ---- clusters ---- */

/* Store a cluster's text. 0: no memory, and nothing has changed. */
static int set_text(vt_cluster *k, const uint8_t *text, int n)
{
    if (n > (int)sizeof k->few && !k->more && !(k->more = malloc(VT_CELL_TEXT)))
        return 0;
    memcpy(k->more ? k->more : k->few, text, (size_t)n);
    k->n = (uint8_t)n;
    return 1;
}

uint32_t vt_cluster_id(vt *t, const uint8_t *text, int n, int codes, int state)
{
    if (!t->clusters_free && t->clusters_n >= t->clusters_mark && !t->hold)
        collect_unused(t);
    uint32_t id = t->clusters_free;
    vt_cluster new = {.codes = (uint8_t)codes, .state = (uint8_t)state};
    if (!set_text(&new, text, n))
        return 0;
    if (id) {
        t->clusters_free = t->clusters[id].next;
    } else {
        vt_cluster *clusters = grown(t->clusters, t->clusters_n, &t->clusters_size, sizeof *clusters);
        if (!clusters) {
            free(new.more);
            return 0;
        }
        t->clusters = clusters;
        if (!t->clusters_n) {
            clusters[0] = (vt_cluster){0};
            t->clusters_n = 1;
        }
        id = t->clusters_n++;
    }
    t->clusters[id] = new;
    return id;
}

int vt_cluster_add(vt *t, vt_cell *cell, uint32_t code, int width, int state)
{
    uint8_t text[VT_CELL_TEXT + 8]; /* and what is too much */
    vt_cluster *old = *cell & VT_CLUSTER ? &t->clusters[VT_CODE(*cell)] : NULL;
    int n = (int)(vt_cell_text(t, text, *cell) - text), codes = old ? old->codes : 1;
    int first = VT_WIDTH(*cell); /* columns of the first code point */
    if (vt_is_mark(text[n - 1])) {
        n--;
        first = 3 - first;
    }
    if (codes == VT_CELL_CODES)
        return 0;
    if (vt_width_of(code))
        text[n++] = VT_JOINER;
    n = (int)(vt_utf8_put(text + n, code) - text);
    if (width != first)
        text[n++] = (uint8_t)(width == 1 ? VT_NARROW : VT_WIDE);
    if (n > VT_CELL_TEXT)
        return 0;
    if (old && !old->shared) {
        if (!set_text(old, text, n))
            return 0;
        old->codes++;
        old->state = (uint8_t)state;
    } else {
        uint32_t id = vt_cluster_id(t, text, n, codes + 1, state);
        if (!id)
            return 0;
        *cell = (*cell & ~(vt_cell)0x1FFFFF) | VT_CLUSTER | id;
    }
    *cell = (*cell & ~VT_WIDTH_BITS(3)) | VT_WIDTH_BITS(width);
    return 1;
}

/* ---- links ---- */

static uint32_t hash_text(uint32_t hash, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619u; /* FNV-1a */
    return hash;
}

/* A free entry for a link, or a new one; 0: there is none. */
static uint32_t link_place(vt *t)
{
    for (; t->links_from < t->links_n; t->links_from++)
        if (t->links_from && !t->links[t->links_from].text)
            return t->links_from;
    if (t->links_n == LINKS_MAX)
        return 0;
    vt_link *links = grown(t->links, t->links_n, &t->links_size, sizeof *links);
    if (!links)
        return 0;
    t->links = links;
    if (!t->links_n)
        t->links_n = 1;
    links[t->links_n].text = NULL;
    return t->links_n++;
}

uint16_t vt_link_id(vt *t, const char *id, size_t id_n, const char *uri, size_t uri_n)
{
    if (id_n > LINK_ID_MAX || uri_n > LINK_URI_MAX)
        return 0;
    uint32_t hash = hash_text(hash_text(2166136261u, id, id_n) * 16777619u, uri, uri_n);
    hash ^= hash >> 16;
    t->budget -= LINK_COST;
    for (uint32_t i = t->link_hash[hash % VT_LINK_HASH]; i; i = t->links[i].next) {
        const vt_link *link = &t->links[i];
        if (link->hash == hash && link->id_n == id_n && link->uri_n == uri_n
            && !memcmp(link->text, id, id_n) && !memcmp(link->text + id_n, uri, uri_n))
            return (uint16_t)i;
    }
    if (t->links_wait) {
        t->links_wait--;
        return 0;
    }
    uint32_t place = link_place(t);
    if (!place && !t->hold) {
        collect_unused(t);
        place = link_place(t);
        if (!place)
            t->links_wait = LINKS_WAIT;
    }
    char *text = place ? malloc(id_n + uri_n + 1) : NULL; /* + 1: malloc(0) may be NULL */
    if (!text)
        return 0;
    memcpy(text, id, id_n);
    memcpy(text + id_n, uri, uri_n);
    t->links[place] = (vt_link){hash, (uint16_t)id_n, (uint16_t)uri_n, text, 0};
    list_link(t, (uint16_t)place);
    return (uint16_t)place;
}
