# cython: cdivision=True
"""Output as text, for clients that take no bytes: valid UTF-8, plain or inside a JSON string, and server-sent events.

The bytes of a program may end inside a character, or be no UTF-8 at all. An invalid part becomes U+FFFD, one for each
maximal part, as in Python and browsers (Unicode 3.9, "U+FFFD substitution of maximal subparts").
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from vibetunnel._ext.rfc6455 cimport utf8_prefix

cdef extern from "vt_utf8.h":
    int vt_utf8_size(uint8_t lead) nogil
    int vt_utf8_part(const uint8_t* p, const uint8_t* end) nogil

cdef enum:
    TEXT_GROWTH = 3  # bytes of text for one byte of output, at most: U+FFFD for an invalid one
    JSON_GROWTH = 6  # bytes inside a JSON string for one byte of output, at most: \u001b for an escape
    UNFINISHED_MAX = 3  # bytes of an unfinished character, at most
    EVENT_HEAD_MAX = 96  # bytes of an event around its text


cdef inline size_t unfinished(const uint8_t* s, size_t n) noexcept nogil:
    """How many bytes at the end are the beginning of a character that more bytes may finish: 0 to 3."""
    cdef size_t k = 1
    while k <= n and k <= UNFINISHED_MAX:
        if s[n - k] & 0xC0 != 0x80:
            return k if vt_utf8_size(s[n - k]) > <int>k and vt_utf8_part(s + n - k, s + n) == <int>k else 0
        k += 1
    return 0


cdef inline size_t put_replacement(uint8_t* out) noexcept nogil:
    memcpy(out, b"\xef\xbf\xbd", 3)
    return 3


cdef inline size_t put_text(uint8_t* out, const uint8_t* s, size_t n) noexcept nogil:
    """Write n bytes of output as UTF-8 text, up to TEXT_GROWTH times as many bytes. Returns how many."""
    cdef size_t i = 0, at = 0, run
    while i < n:
        run = utf8_prefix(s + i, n - i)
        memcpy(out + at, s + i, run)
        at += run
        i += run
        if i < n:
            at += put_replacement(out + at)
            i += <size_t>vt_utf8_part(s + i, s + n)
    return at


cdef inline uint8_t hex_digit(uint8_t value) noexcept nogil:
    return value + (48 if value < 10 else 87)


cdef inline size_t put_escaped(uint8_t* out, uint8_t c) noexcept nogil:
    """Write a character that JSON does not take as it is (RFC 8259 §7)."""
    cdef uint8_t short = 0
    if c == b'"' or c == b"\\":
        short = c
    elif c == b"\n":
        short = b"n"
    elif c == b"\r":
        short = b"r"
    elif c == b"\t":
        short = b"t"
    elif c == 8:
        short = b"b"
    elif c == 12:
        short = b"f"
    out[0] = b"\\"
    if short:
        out[1] = short
        return 2
    memcpy(out + 1, b"u00", 3)
    out[4] = hex_digit(c >> 4)
    out[5] = hex_digit(c & 15)
    return 6


cdef inline size_t put_json(uint8_t* out, const uint8_t* s, size_t n) noexcept nogil:
    """Write n bytes of output as the inside of a JSON string, up to JSON_GROWTH times as many bytes."""
    cdef size_t i = 0, at = 0, part
    cdef uint8_t c
    while i < n:
        c = s[i]
        if c < 0x80:
            if c < 0x20 or c == b'"' or c == b"\\":
                at += put_escaped(out + at, c)
            else:
                out[at] = c
                at += 1
            i += 1
            continue
        part = <size_t>vt_utf8_part(s + i, s + n)
        if part == <size_t>vt_utf8_size(c):
            memcpy(out + at, s + i, part)
            at += part
        else:
            at += put_replacement(out + at)
        i += part
    return at


# ---------------------------------------------------------------- server-sent events

cdef inline size_t put_number(uint8_t* out, int64_t value) noexcept nogil:
    cdef uint8_t[20] digits
    cdef uint64_t rest = <uint64_t>value
    cdef size_t n = 0, at = 0
    if value < 0:
        out[0] = b"-"
        at = 1
        rest = 0 - rest
    while True:
        digits[n] = <uint8_t>(48 + rest % 10)
        n += 1
        rest //= 10
        if rest == 0:
            break
    while n:
        n -= 1
        out[at] = digits[n]
        at += 1
    return at


cdef inline size_t put_seconds(uint8_t* out, int64_t ms) noexcept nogil:
    """A time in seconds with three decimals; 0 without them."""
    cdef size_t n = put_number(out, ms // 1000)
    cdef int64_t rest = ms % 1000
    if ms == 0:
        return n
    out[n] = b"."
    out[n + 1] = <uint8_t>(48 + rest // 100)
    out[n + 2] = <uint8_t>(48 + rest // 10 % 10)
    out[n + 3] = <uint8_t>(48 + rest % 10)
    return n + 4


cdef inline size_t begin_output(uint8_t* out, uint64_t offset, int64_t ms) noexcept nogil:
    """The event of output that ends at `offset`, up to its text. end_output() follows the text."""
    cdef size_t n
    memcpy(out, b"id: ", 4)
    n = 4 + put_number(out + 4, <int64_t>offset)
    memcpy(out + n, b"\ndata: [", 8)
    n += 8
    n += put_seconds(out + n, ms)
    memcpy(out + n, b',"o","', 6)
    return n + 6


cdef inline size_t end_output(uint8_t* out) noexcept nogil:
    memcpy(out, b'"]\n\n', 4)
    return 4


cdef inline size_t put_resized(uint8_t* out, int64_t ms, int64_t rows, int64_t cols) noexcept nogil:
    cdef size_t n = 7
    memcpy(out, b"data: [", 7)
    n += put_seconds(out + n, ms)
    memcpy(out + n, b',"r","', 6)
    n += 6
    n += put_number(out + n, cols)
    out[n] = b"x"
    n += 1
    n += put_number(out + n, rows)
    return n + end_output(out + n)


cdef inline size_t begin_header(uint8_t* out, int64_t rows, int64_t cols) noexcept nogil:
    """The first event, up to the fields after the size: a header of asciicast v2."""
    cdef size_t n = 27
    memcpy(out, b'data: {"version":2,"width":', 27)
    n += put_number(out + n, cols)
    memcpy(out + n, b',"height":', 10)
    n += 10
    return n + put_number(out + n, rows)


cdef inline size_t begin_exit(uint8_t* out, int code) noexcept nogil:
    """The last event, up to the session's id."""
    cdef size_t n = 14
    memcpy(out, b'data: ["exit",', 14)
    n += put_number(out + n, code)
    memcpy(out + n, b',"', 2)
    return n + 2
