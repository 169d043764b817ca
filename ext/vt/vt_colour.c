/* Colour specifications, as XParseColor of X11 reads them: numbers, device-independent coordinates, names.

   The device-independent spaces (CIE, TekHVC, and the linear rgbi) are turned into the RGB of the monitor that X11
   assumes where nothing was measured: a matrix, then a table for each channel. Both were measured at Xlib. A colour that
   this monitor cannot show is moved towards the grey of its luminance until it can. */
#include "vt_state.h"
#include "vt_colour_names.h"

#include <math.h>
#include <string.h>

#define NUMBER_MAX 24 /* characters of a number */
#define LEAST 1e-9    /* intensity of a channel that a colour lacks because it was moved: Xlib's is not quite 0 */

typedef struct {
    double a, b, c;
} triple;

/* ---- words and numbers ---- */

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether the text begins with a prefix in lower case. */
static int begins(const char *p, size_t n, const char *prefix)
{
    size_t i = 0;
    for (; prefix[i]; i++)
        if (i == n || lower(p[i]) != prefix[i])
            return 0;
    return 1;
}

/* A channel of 1 to 4 hexadecimal digits, as 8 bits: scaled, or after "#" its high bits. -1: it is not a channel. */
static int channel(const char *p, size_t n, int scaled)
{
    int value = 0;
    if (!n || n > 4)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0)
            return -1;
        value = 16 * value + digit;
    }
    int most = (1 << 4 * n) - 1;
    if (scaled)
        return (value * 255 + most / 2) / most;
    return n == 1 ? value << 4 : value >> (4 * n - 8);
}

/* A decimal number such as -1.5e2, which ends the text. 0: it is none. (strtod() depends on the locale.) */
static int coordinate(const char *p, size_t n, double *value)
{
    size_t i = 0;
    int digits = 0, scale = 0, power = 0, negative = 0, down = 0;
    double sum = 0;
    if (!n || n > NUMBER_MAX)
        return 0;
    if (p[i] == '-' || p[i] == '+')
        negative = p[i++] == '-';
    for (; i < n && p[i] >= '0' && p[i] <= '9'; i++, digits++)
        sum = 10 * sum + (p[i] - '0');
    if (i < n && p[i] == '.')
        for (i++; i < n && p[i] >= '0' && p[i] <= '9'; i++, digits++, scale++)
            sum = 10 * sum + (p[i] - '0');
    if (!digits)
        return 0;
    if (i < n && lower(p[i]) == 'e') {
        i++;
        if (i < n && (p[i] == '-' || p[i] == '+'))
            down = p[i++] == '-';
        if (i == n)
            return 0;
        for (; i < n && p[i] >= '0' && p[i] <= '9' && power < 100; i++)
            power = 10 * power + (p[i] - '0');
    }
    *value = (negative ? -sum : sum) * pow(10, (down ? -power : power) - scale);
    return i == n;
}

/* Three parts with a slash between them. 0: there are more or fewer. */
static int parts(const char *p, size_t n, const char **part, size_t *part_n)
{
    int count = 0;
    const char *end = p + n;
    while (count < 3) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        part[count] = p;
        part_n[count++] = (size_t)((slash ? slash : end) - p);
        if (!slash)
            return count == 3;
        p = slash + 1;
    }
    return 0;
}

/* ---- the monitor that X11 assumes ---- */

static const triple WHITE = {0.9496644, 1.0, 1.4060403}; /* CIE XYZ of the brightest white */

/* The intensity, in millionths, of each fifth value of a channel from `first` on; darker values have none. */
static const struct {
    int first;
    uint32_t intensity[50];
} CHANNELS[3] = {
    {10, {936,    1481,   2329,   3529,   5127,   7169,   9699,   12759,  16392,  20637,  25533,  31119,  37431,
          44504,  52373,  61069,  70624,  81070,  92433,  104744, 118026, 132307, 147610, 163958, 181371, 199871,
          219475, 240202, 262069, 285089, 309278, 334647, 361208, 388971, 417945, 448138, 479555, 512202, 546082,
          581199, 617552, 655144, 693971, 734031, 775322, 817837, 861571, 906515, 952662, 1000000}},
    {20, {832,    1998,   3612,   5736,   8428,   11745,  15740,  20463,  25960,  32275,  39449,  47519,
          56520,  66484,  77439,  89409,  102418, 116485, 131625, 147853, 165176, 183604, 203140, 223783,
          245533, 268384, 292327, 317351, 343441, 370580, 398747, 427919, 458068, 489165, 521176, 554067,
          587797, 622324, 657604, 693588, 730225, 767459, 805235, 843491, 882164, 921187, 960490, 1000000}},
    {15, {1341,   2080,   3188,   4729,   6766,   9357,   12559,  16424,  21004,  26344,  32489,  39481,  47357,
          56154,  65903,  76634,  88373,  101145, 114968, 129862, 145841, 162915, 181095, 200386, 220791, 242309,
          264937, 288670, 313499, 339410, 366390, 394421, 423481, 453547, 484592, 516587, 549498, 583291, 617925,
          653361, 689553, 726454, 764013, 802178, 840891, 880093, 919723, 959715, 1000000}},
};

/* The value of a channel that has this intensity, 0..1. */
static uint32_t device_value(int which, double intensity)
{
    double wanted = intensity * 1e6, below = 0;
    int value = CHANNELS[which].first, i = 0;
    if (!(intensity > 0))
        return 0;
    if (wanted < CHANNELS[which].intensity[0])
        return (uint32_t)(value - 1 + wanted / CHANNELS[which].intensity[0] + 0.5);
    for (; value < 255 && wanted >= CHANNELS[which].intensity[i]; i++, value += 5)
        below = CHANNELS[which].intensity[i];
    if (wanted >= CHANNELS[which].intensity[i])
        return 255;
    return (uint32_t)(value - 5 + 5 * (wanted - below) / (CHANNELS[which].intensity[i] - below) + 0.5);
}

static uint32_t from_intensities(triple rgb)
{
    return VT_RGB | device_value(0, rgb.a) << 16 | device_value(1, rgb.b) << 8 | device_value(2, rgb.c);
}

/* The largest part of the way from a grey to a channel's intensity that stays inside 0..1. */
static double reach(double grey, double channel, double most)
{
    double limit = channel > 1 ? (1 - grey) / (channel - grey) : channel < 0 ? grey / (grey - channel) : 1;
    return limit < most ? limit : most;
}

static uint32_t from_xyz(triple c)
{
    double grey = c.b, part = 1;
    triple rgb = {3.48340481253539 * c.a - 1.52176374927285 * c.b - 0.5592313335405 * c.c,
                  -1.07152751306194 * c.a + 1.96593795204372 * c.b + 0.03673691339554 * c.c,
                  0.06351179790498 * c.a - 0.20020501000496 * c.b + 0.81070942031648 * c.c};
    if (!(grey > 0))
        return from_intensities((triple){0, 0, 0});
    if (grey >= 1)
        return from_intensities((triple){1, 1, 1});
    part = reach(grey, rgb.a, reach(grey, rgb.b, reach(grey, rgb.c, part)));
    return from_intensities((triple){fmax(LEAST, grey + part * (rgb.a - grey)),
                                     fmax(LEAST, grey + part * (rgb.b - grey)),
                                     fmax(LEAST, grey + part * (rgb.c - grey))});
}

/* ---- colour spaces ---- */

static double luminance(double lightness)
{
    return lightness < 7.99953624 ? lightness / 903.29 : pow((lightness + 16) / 116, 3);
}

static triple from_xyy(double x, double y, double luminance_y)
{
    if (y == 0)
        return (triple){0, 0, 0};
    return (triple){x * luminance_y / y, luminance_y, (1 - x - y) * luminance_y / y};
}

static triple from_uvy(double u, double v, double luminance_y)
{
    double divisor = 6 * u - 16 * v + 12;
    if (divisor == 0)
        return (triple){0, 0, 0};
    return from_xyy(9 * u / divisor, 4 * v / divisor, luminance_y);
}

static triple from_lab(triple c)
{
    double f = (c.a + 16) / 116, y = pow(f, 3);
    if (y < 0.008856) {
        y = c.a / 9.03292; /* Xlib forgets to divide by 100 here, and so do programs that know what it makes of this */
        return (triple){WHITE.a * (c.b / 3893.5 + y), y, WHITE.c * (y - c.c / 1557.4)};
    }
    return (triple){WHITE.a * pow(f + c.b / 500, 3), y, WHITE.c * pow(f - c.c / 200, 3)};
}

/* u' and v' of white. */
static double white_u(void) { return 4 * WHITE.a / (WHITE.a + 15 * WHITE.b + 3 * WHITE.c); }
static double white_v(void) { return 9 * WHITE.b / (WHITE.a + 15 * WHITE.b + 3 * WHITE.c); }

static triple from_luv(triple c)
{
    double scale = 13 * c.a / 100;
    if (scale == 0)
        return (triple){0, 0, 0};
    return from_uvy(c.b / scale + white_u(), c.c / scale + white_v(), luminance(c.a));
}

/* Hue in degrees from the best red, value, chroma. */
static triple from_tekhvc(triple c)
{
    double hue = c.a * 3.14159265358979 / 180 + atan2(0.4931 - white_v(), 0.7127 - white_u());
    double radius = c.c / (c.b * 7.50725);
    if (c.b == 0)
        return (triple){0, 0, 0};
    return from_uvy(cos(hue) * radius + white_u(), sin(hue) * radius + white_v(), luminance(c.b));
}

enum space { NO_SPACE, INTENSITIES, XYZ, XYY, UVY, LAB, LUV, TEKHVC };

static uint32_t from_space(enum space space, triple c)
{
    switch (space) {
    case INTENSITIES:
        if (!(c.a >= 0 && c.a <= 1 && c.b >= 0 && c.b <= 1 && c.c >= 0 && c.c <= 1))
            return 0;
        return from_intensities(c);
    case XYZ:
        return from_xyz(c);
    case XYY:
        return from_xyz(from_xyy(c.a, c.b, c.c));
    case UVY:
        return from_xyz(from_uvy(c.a, c.b, c.c));
    case LAB:
        return from_xyz(from_lab(c));
    case LUV:
        return from_xyz(from_luv(c));
    case TEKHVC:
        return from_xyz(from_tekhvc(c));
    case NO_SPACE:
        break;
    }
    return 0;
}

/* ---- names ---- */

/* < 0, 0, > 0: the text, without its spaces and in lower case, is before, at or after the name. */
static int compare(const char *p, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == ' ')
            continue;
        int difference = (unsigned char)lower(p[i]) - (unsigned char)*name;
        if (difference)
            return difference;
        name++;
    }
    return *name ? -1 : 0;
}

static uint32_t named(const char *p, size_t n)
{
    size_t low = 0, high = sizeof colour_names / sizeof *colour_names;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(p, n, colour_names[middle].name);
        if (!order)
            return VT_RGB | colour_names[middle].rgb;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

uint32_t vt_parse_colour(const char *p, size_t n)
{
    static const struct {
        const char *prefix;
        enum space space;
    } SPACES[] = {{"rgbi:", INTENSITIES}, {"ciexyz:", XYZ}, {"ciexyy:", XYY}, {"cieuvy:", UVY},
                  {"cielab:", LAB},       {"cieluv:", LUV}, {"tekhvc:", TEKHVC}};
    const char *part[3];
    size_t part_n[3];
    int rgb[3];
    if (n && *p == '#') {
        size_t each = (n - 1) / 3;
        if ((n - 1) % 3)
            return 0;
        for (int i = 0; i < 3; i++)
            rgb[i] = channel(p + 1 + (size_t)i * each, each, 0);
    } else if (begins(p, n, "rgb:")) {
        if (!parts(p + 4, n - 4, part, part_n))
            return 0;
        for (int i = 0; i < 3; i++)
            rgb[i] = channel(part[i], part_n[i], 1);
    } else {
        for (size_t i = 0; i < sizeof SPACES / sizeof *SPACES; i++) {
            size_t prefix = strlen(SPACES[i].prefix);
            triple c;
            if (!begins(p, n, SPACES[i].prefix))
                continue;
            if (!parts(p + prefix, n - prefix, part, part_n) || !coordinate(part[0], part_n[0], &c.a)
                || !coordinate(part[1], part_n[1], &c.b) || !coordinate(part[2], part_n[2], &c.c))
                return 0;
            return from_space(SPACES[i].space, c);
        }
        return named(p, n);
    }
    if (rgb[0] < 0 || rgb[1] < 0 || rgb[2] < 0)
        return 0;
    return VT_RGB | (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2];
}
