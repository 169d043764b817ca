/* The shape of the mouse pointer over the terminal (OSC 22), after kitty's protocol: a stack for each screen. */
#include "vt_string.h"

#define LIST_MAX 64 /* names; more are ignored */
#define BY_DEFAULT "text" /* what the web client shows over text, */
#define WHILE_GRABBED "default" /* and while the program has the mouse */

/* The names of CSS that the protocol has. */
static const char *const SHAPES[] = {
    "alias", "cell", "context-menu", "copy", "crosshair", "default", "e-resize", "ew-resize", "grab", "grabbing", "help",
    "move", "n-resize", "ne-resize", "nesw-resize", "no-drop", "not-allowed", "ns-resize", "nw-resize", "nwse-resize",
    "pointer", "progress", "s-resize", "se-resize", "sw-resize", "text", "vertical-text", "w-resize", "wait", "zoom-in",
    "zoom-out",
};

/* Names of the X cursor font, which xterm takes. */
static const struct {
    const char *x11, *css;
} ALIASES[] = {
    {"bottom_left_corner", "sw-resize"}, {"bottom_right_corner", "se-resize"}, {"bottom_side", "s-resize"},
    {"circle", "not-allowed"},           {"cross", "crosshair"},               {"fleur", "move"},
    {"hand1", "pointer"},                {"hand2", "pointer"},                 {"left_ptr", "default"},
    {"left_side", "w-resize"},           {"plus", "cell"},                     {"question_arrow", "help"},
    {"right_side", "e-resize"},          {"sb_h_double_arrow", "ew-resize"},   {"sb_v_double_arrow", "ns-resize"},
    {"tcross", "crosshair"},             {"top_left_corner", "nw-resize"},     {"top_right_corner", "ne-resize"},
    {"top_side", "n-resize"},            {"watch", "wait"},                    {"xterm", "text"},
};

/* The shape's name in CSS, which lives for ever; NULL: there is none. */
static const char *shape_named(text name)
{
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        if (is(name, SHAPES[i]))
            return SHAPES[i];
    for (size_t i = 0; i < sizeof ALIASES / sizeof *ALIASES; i++)
        if (is(name, ALIASES[i].x11))
            return ALIASES[i].css;
    return NULL;
}

static void push(vt *t, text names)
{
    const char **stack = t->s->pointers;
    for (int i = 0, more = 1; more && i < LIST_MAX; i++) {
        more = memchr(names.p, ',', names.n) != NULL;
        text name = split(&names, ',');
        const char *shape = shape_named(name);
        t->budget -= VT_STEP_COST;
        if (name.n && !shape)
            continue;
        memmove(stack, stack + 1, (VT_POINTERS - 1) * sizeof *stack);
        stack[VT_POINTERS - 1] = shape;
    }
}

static void pop(vt *t)
{
    const char **stack = t->s->pointers;
    memmove(stack + 1, stack, (VT_POINTERS - 1) * sizeof *stack);
    stack[0] = NULL;
}

static void answer_names(vt *t, text names, int bel)
{
    vt_buf found = {0};
    for (int i = 0; i < LIST_MAX && (names.n || !i); i++) {
        text name = split(&names, ',');
        const char *now = vt_pointer_name(t->s);
        t->budget -= VT_STEP_COST;
        if (i)
            vt_put_byte(&found, ',');
        vt_put_string(&found, is(name, "__current__")   ? *now ? now : "0"
                              : is(name, "__default__") ? BY_DEFAULT
                              : is(name, "__grabbed__") ? WHILE_GRABBED
                              : shape_named(name)       ? "1"
                                                        : "0");
    }
    if (!found.failed)
        vt_answer(t, "\033]22;%.*s%s", (int)found.n, (const char *)found.data, bel ? "\a" : "\033\\");
    vt_buf_free(&found);
}

void vt_pointer_shape(vt *t, const char *p, size_t n, int bel)
{
    text names = {p, n};
    char how = n && strchr("=><?", p[0]) ? p[0] : '=';
    if (n && how == p[0]) {
        names.p++;
        names.n--;
    }
    if (how == '?') {
        answer_names(t, names, bel);
        return;
    }
    const char *shape = shape_named(names);
    if (how == '>')
        push(t, names);
    else if (how == '<')
        pop(t);
    else if (shape || !names.n)
        t->s->pointers[VT_POINTERS - 1] = shape;
    t->events |= VT_POINTER;
}
