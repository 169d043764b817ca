/* zlib, loaded with dlopen() when a client first negotiates compression.
 *
 * Neither zlib.h nor a link to zlib is needed. The functions used here are unchanged since zlib 1.2.0. */
#ifndef VIBETUNNEL_DEFLATE_H
#define VIBETUNNEL_DEFLATE_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ZLIB_SYNC_FLUSH = 2,
    ZLIB_OK = 0,
    ZLIB_STREAM_END = 1,
    ZLIB_MEM_ERROR = -4,
    ZLIB_BUF_ERROR = -5, /* no input is left, or the output has no room */
    ZLIB_DEFLATED = 8,
    ZLIB_BLOCK_END = 128 /* flag in data_type after inflate(): it stopped at the end of a block */
};

/* zlib's z_stream. zlib_load() has zlib check its size, so a zlib with another layout is not used. */
typedef struct {
    const uint8_t *next_in;
    unsigned avail_in;
    unsigned long total_in;
    uint8_t *next_out;
    unsigned avail_out;
    unsigned long total_out;
    const char *msg;
    void *state;
    void *(*zalloc)(void *, unsigned, unsigned);
    void (*zfree)(void *, void *);
    void *opaque;
    int data_type;
    unsigned long adler;
    unsigned long reserved;
} zlib_stream;

/* Each extension module has its own. zlib_load() writes it once, before any lane uses it. */
static struct {
    const char *(*version)(void); /* NULL: not loaded */
    int (*deflate_init)(zlib_stream *, int level, int method, int window_bits, int mem_level, int strategy,
                        const char *version, int stream_size);
    int (*deflate)(zlib_stream *, int flush);
    int (*deflate_reset)(zlib_stream *);
    int (*deflate_end)(zlib_stream *);
    int (*inflate_init)(zlib_stream *, int window_bits, const char *version, int stream_size);
    int (*inflate)(zlib_stream *, int flush);
    int (*inflate_reset)(zlib_stream *);
    int (*inflate_end)(zlib_stream *);
} zlib;

/* Open a stream of bare blocks, without zlib's header. Returns ZLIB_OK or an error. `stream` must be all zero. */
static inline int zlib_deflate_open(zlib_stream *stream, int level, int window_bits, int mem_level)
{
    int size = (int)sizeof *stream;
    return zlib.deflate_init(stream, level, ZLIB_DEFLATED, -window_bits, mem_level, 0, zlib.version(), size);
}

static inline int zlib_inflate_open(zlib_stream *stream, int window_bits)
{
    return zlib.inflate_init(stream, -window_bits, zlib.version(), (int)sizeof *stream);
}

static inline int zlib_deflate(zlib_stream *stream, int flush) { return zlib.deflate(stream, flush); }
static inline int zlib_deflate_reset(zlib_stream *stream) { return zlib.deflate_reset(stream); }
static inline int zlib_deflate_close(zlib_stream *stream) { return zlib.deflate_end(stream); }
static inline int zlib_inflate(zlib_stream *stream, int flush) { return zlib.inflate(stream, flush); }
static inline int zlib_inflate_reset(zlib_stream *stream) { return zlib.inflate_reset(stream); }
static inline int zlib_inflate_close(zlib_stream *stream) { return zlib.inflate_end(stream); }

/* Load zlib, unless it is loaded. Returns NULL, or an error message, valid until the next dlopen() or dlsym().
 *
 * The name is the one that programs link with. It finds the library that Python's own zlib module has loaded, or else
 * the system's. A Python executable may contain another zlib and export its functions. libz.so calls its own functions
 * by name, so RTLD_DEEPBIND makes it prefer its own. (The sanitizers do not allow that.) */
static inline const char *zlib_load(void)
{
    static const char *const names[] = {
#ifdef __APPLE__
        "libz.1.dylib", "/usr/lib/libz.1.dylib",
#elif defined(__linux__)
        "libz.so.1",
#else
        "libz.so.1", "libz.so",
#endif
    };
    int mode = RTLD_NOW | RTLD_LOCAL;
    void *library = NULL;
    zlib_stream probe = {0};
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VIBETUNNEL_SANITIZED
#endif
#endif
#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__) && !defined(VIBETUNNEL_SANITIZED)
    mode |= RTLD_DEEPBIND;
#endif
    if (zlib.version)
        return NULL;
    for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++)
        library = dlopen(names[i], mode);
    if (!library)
        return dlerror();
#define FIND(slot, name) (*(void **)&zlib.slot = dlsym(library, name))
    if (!FIND(deflate_init, "deflateInit2_") || !FIND(deflate, "deflate") || !FIND(deflate_reset, "deflateReset") ||
        !FIND(deflate_end, "deflateEnd") || !FIND(inflate_init, "inflateInit2_") || !FIND(inflate, "inflate") ||
        !FIND(inflate_reset, "inflateReset") || !FIND(inflate_end, "inflateEnd") || !FIND(version, "zlibVersion"))
        zlib.version = NULL;
#undef FIND
    if (!zlib.version)
        return "it lacks functions of zlib";
    if (zlib.version()[0] != '1') {
        zlib.version = NULL;
        return "it is not version 1 of zlib";
    }
    if (zlib_deflate_open(&probe, 1, 15, 8) != ZLIB_OK) { /* checks the size of z_stream */
        zlib.version = NULL;
        return "it does not match this build";
    }
    zlib_deflate_close(&probe);
    return NULL;
}

#endif
