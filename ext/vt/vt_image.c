/* What the first bytes of a picture's file say: its kind and its size in pixels. Nothing is decoded. */
#include "vt_pictures.h"

#include <string.h>

static uint32_t big16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static uint32_t big32(const uint8_t *p) { return big16(p) << 16 | big16(p + 2); }
static uint32_t little16(const uint8_t *p) { return (uint32_t)p[1] << 8 | p[0]; }
static uint32_t little24(const uint8_t *p) { return (uint32_t)p[2] << 16 | little16(p); }

/* The first frame header (SOF0 to SOF15 but for DHT, JPG and DAC) of a JPEG has its size. */
static int jpeg(const uint8_t *p, size_t n, uint32_t *width, uint32_t *height)
{
    for (size_t at = 2; at + 9 <= n;) {
        if (p[at] != 0xFF)
            return VT_PICTURE_NONE;
        uint8_t marker = p[at + 1];
        if (marker == 0xFF) { /* fill */
            at++;
            continue;
        }
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
            *height = big16(p + at + 5);
            *width = big16(p + at + 7);
            return VT_PICTURE_JPEG;
        }
        if (marker == 1 || (marker >= 0xD0 && marker <= 0xD8))
            at += 2;
        else
            at += 2 + big16(p + at + 2);
    }
    return VT_PICTURE_NONE;
}

static int webp(const uint8_t *p, size_t n, uint32_t *width, uint32_t *height)
{
    if (n < 30)
        return VT_PICTURE_NONE;
    if (!memcmp(p + 12, "VP8X", 4)) {
        *width = little24(p + 24) + 1;
        *height = little24(p + 27) + 1;
    } else if (!memcmp(p + 12, "VP8L", 4)) {
        uint32_t bits = little16(p + 21) | little16(p + 23) << 16;
        *width = (bits & 0x3FFF) + 1;
        *height = (bits >> 14 & 0x3FFF) + 1;
    } else if (!memcmp(p + 12, "VP8 ", 4)) {
        *width = little16(p + 26) & 0x3FFF;
        *height = little16(p + 28) & 0x3FFF;
    } else {
        return VT_PICTURE_NONE;
    }
    return VT_PICTURE_WEBP;
}

int vt_picture_fits(uint64_t width, uint64_t height)
{
    return width && height && width <= VT_PICTURE_SIDE && height <= VT_PICTURE_SIDE
           && width * height <= VT_PICTURE_PIXELS;
}

int vt_image_size(const uint8_t *p, size_t n, uint32_t *width, uint32_t *height)
{
    int kind = VT_PICTURE_NONE;
    *width = *height = 0;
    if (n >= 24 && !memcmp(p, "\x89PNG\r\n\x1a\n", 8) && !memcmp(p + 12, "IHDR", 4)) {
        *width = big32(p + 16);
        *height = big32(p + 20);
        kind = VT_PICTURE_PNG;
    } else if (n >= 10 && (!memcmp(p, "GIF87a", 6) || !memcmp(p, "GIF89a", 6))) {
        *width = little16(p + 6);
        *height = little16(p + 8);
        kind = VT_PICTURE_GIF;
    } else if (n >= 4 && p[0] == 0xFF && p[1] == 0xD8) {
        kind = jpeg(p, n, width, height);
    } else if (n >= 12 && !memcmp(p, "RIFF", 4) && !memcmp(p + 8, "WEBP", 4)) {
        kind = webp(p, n, width, height);
    }
    return vt_picture_fits(*width, *height) ? kind : VT_PICTURE_NONE;
}
