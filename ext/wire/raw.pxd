"""A reader for the JSON objects of raw mode (docs/protocol.md): input, resize and ping.

It is strict (RFC 8259) and allocates nothing. Any other text that a raw client sends is input, unchanged.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

cdef enum:
    MAX_DEPTH = 16  # nested arrays and objects; a deeper text is input

    OBJECT_NONE = 0  # none of the objects below: the text is input
    OBJECT_INPUT = 1
    OBJECT_RESIZE = 2
    OBJECT_PING = 3
    OBJECT_BAD = 4  # its type is input or resize, but a field is missing or invalid


cdef struct Object:
    uint8_t* data  # of input: the text, unescaped in place; borrowed from the message
    size_t n
    int rows  # of resize
    int cols


cdef struct Span:
    size_t start
    size_t end


cdef struct Fields:
    Span type
    Span data
    Span rows
    Span cols


cdef inline size_t _space(const uint8_t* s, size_t n, size_t i) noexcept nogil:
    while i < n and (s[i] == b" " or s[i] == b"\t" or s[i] == b"\n" or s[i] == b"\r"):
        i += 1
    return i


cdef inline int _hex(const uint8_t* s) noexcept nogil:
    """The value of four hexadecimal digits, or -1."""
    cdef int i, value = 0
    cdef uint8_t c
    for i in range(4):
        c = s[i]
        if b"0" <= c <= b"9":
            value = value * 16 + c - 48
        elif b"a" <= (c | 32) <= b"f":
            value = value * 16 + (c | 32) - 87
        else:
            return -1
    return value


cdef inline size_t _string(const uint8_t* s, size_t n, size_t i) noexcept nogil:
    """Return the index after the string whose opening quote is at i; 0 if it is malformed."""
    i += 1
    while i < n:
        if s[i] == b'"':
            return i + 1
        if s[i] < 0x20:
            return 0
        if s[i] == b"\\":
            i += 1
            if i >= n:
                return 0
            if s[i] == b"u":
                if i + 4 >= n or _hex(s + i + 1) < 0:
                    return 0
                i += 4
            elif not (
                s[i] == b'"' or s[i] == b"\\" or s[i] == b"/" or s[i] == b"b"
                or s[i] == b"f" or s[i] == b"n" or s[i] == b"r" or s[i] == b"t"
            ):
                return 0
        i += 1
    return 0


cdef inline size_t _number(const uint8_t* s, size_t n, size_t i) noexcept nogil:
    cdef size_t start
    if s[i] == b"-":
        i += 1
    if i >= n or not b"0" <= s[i] <= b"9":
        return 0
    if s[i] == b"0":
        i += 1
    else:
        while i < n and b"0" <= s[i] <= b"9":
            i += 1
    if i < n and s[i] == b".":
        i += 1
        start = i
        while i < n and b"0" <= s[i] <= b"9":
            i += 1
        if i == start:
            return 0
    if i < n and (s[i] | 32) == b"e":
        i += 1
        if i < n and (s[i] == b"+" or s[i] == b"-"):
            i += 1
        start = i
        while i < n and b"0" <= s[i] <= b"9":
            i += 1
        if i == start:
            return 0
    return i


cdef inline Span* _field(const uint8_t* key, size_t n, Fields* fields) noexcept nogil:
    """Return the field of this key (its quotes included), or NULL if the key is unknown."""
    if fields is NULL or n != 6:
        return NULL
    if memcmp(key, b'"type"', 6) == 0:
        return &fields.type
    if memcmp(key, b'"data"', 6) == 0:
        return &fields.data
    if memcmp(key, b'"rows"', 6) == 0:
        return &fields.rows
    if memcmp(key, b'"cols"', 6) == 0:
        return &fields.cols
    return NULL


cdef inline size_t _value(const uint8_t* s, size_t n, size_t i, int depth, Fields* fields) noexcept nogil:
    """Return the index after the value at i; 0 if it is malformed. `fields` gets the fields of the outermost object."""
    cdef size_t key, key_end
    cdef Span* field
    if i >= n or depth > MAX_DEPTH:
        return 0
    if s[i] == b'"':
        return _string(s, n, i)
    if s[i] == b"{":
        i = _space(s, n, i + 1)
        if i < n and s[i] == b"}":
            return i + 1
        while True:
            if i >= n or s[i] != b'"':
                return 0
            key = i
            key_end = i = _string(s, n, i)
            if i == 0:
                return 0
            i = _space(s, n, i)
            if i >= n or s[i] != b":":
                return 0
            i = _space(s, n, i + 1)
            field = _field(s + key, key_end - key, fields)
            if field is not NULL:
                field.start = i
            i = _value(s, n, i, depth + 1, NULL)
            if i == 0:
                return 0
            if field is not NULL:
                field.end = i
            i = _space(s, n, i)
            if i < n and s[i] == b"}":
                return i + 1
            if i >= n or s[i] != b",":
                return 0
            i = _space(s, n, i + 1)
    if s[i] == b"[":
        i = _space(s, n, i + 1)
        if i < n and s[i] == b"]":
            return i + 1
        while True:
            i = _value(s, n, i, depth + 1, NULL)
            if i == 0:
                return 0
            i = _space(s, n, i)
            if i < n and s[i] == b"]":
                return i + 1
            if i >= n or s[i] != b",":
                return 0
            i = _space(s, n, i + 1)
    if n - i >= 4 and (memcmp(s + i, b"true", 4) == 0 or memcmp(s + i, b"null", 4) == 0):
        return i + 4
    if n - i >= 5 and memcmp(s + i, b"false", 5) == 0:
        return i + 5
    return _number(s, n, i)


cdef inline size_t _put_utf8(uint8_t* out, uint32_t c) noexcept nogil:
    if c < 0x80:
        out[0] = <uint8_t>c
        return 1
    if c < 0x800:
        out[0] = <uint8_t>(0xC0 | (c >> 6))
        out[1] = <uint8_t>(0x80 | (c & 0x3F))
        return 2
    if c < 0x10000:
        out[0] = <uint8_t>(0xE0 | (c >> 12))
        out[1] = <uint8_t>(0x80 | ((c >> 6) & 0x3F))
        out[2] = <uint8_t>(0x80 | (c & 0x3F))
        return 3
    out[0] = <uint8_t>(0xF0 | (c >> 18))
    out[1] = <uint8_t>(0x80 | ((c >> 12) & 0x3F))
    out[2] = <uint8_t>(0x80 | ((c >> 6) & 0x3F))
    out[3] = <uint8_t>(0x80 | (c & 0x3F))
    return 4


cdef inline size_t _unescape(uint8_t* s, Span at) noexcept nogil:
    """Replace the JSON string at `at` by its text, which begins at at.start. Returns the text's length in bytes.

    The text is never longer than its JSON form. A lone surrogate becomes U+FFFD.
    """
    cdef size_t i = at.start + 1
    cdef size_t out = at.start
    cdef uint32_t c, low
    while i < at.end - 1:
        if s[i] != b"\\":
            s[out] = s[i]
            out += 1
            i += 1
            continue
        c = s[i + 1]
        i += 2
        if c == b"u":
            c = <uint32_t>_hex(s + i)
            i += 4
            if 0xD800 <= c < 0xDC00 and i + 6 <= at.end - 1 and s[i] == b"\\" and s[i + 1] == b"u":
                low = <uint32_t>_hex(s + i + 2)
                if 0xDC00 <= low < 0xE000:
                    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00)
                    i += 6
            if 0xD800 <= c < 0xE000:
                c = 0xFFFD
        elif c == b"n":
            c = 10
        elif c == b"r":
            c = 13
        elif c == b"t":
            c = 9
        elif c == b"b":
            c = 8
        elif c == b"f":
            c = 12
        out += _put_utf8(s + out, c)
    return out - at.start


cdef inline int _size(const uint8_t* s, Span at) noexcept nogil:
    """Return the rows or cols at `at`, or 0 unless they are an integer in 1..1000."""
    cdef size_t i
    cdef int value = 0
    if at.end == 0 or at.end - at.start > 4:
        return 0
    for i in range(at.start, at.end):
        if not b"0" <= s[i] <= b"9":
            return 0
        value = value * 10 + s[i] - 48
    return value if value <= 1000 else 0


cdef inline bint _outermost(const uint8_t* s, size_t n, Fields* fields) noexcept nogil:
    """Whether s is one JSON object and nothing else. `fields` gets its fields."""
    cdef size_t i = _space(s, n, 0)
    fields.type.end = fields.data.end = fields.rows.end = fields.cols.end = 0
    if i >= n or s[i] != b"{":
        return False
    i = _value(s, n, i, 0, fields)
    return i != 0 and _space(s, n, i) == n


cdef inline int read_object(uint8_t* s, size_t n, Object* out) noexcept nogil:
    """Return the kind of the text s, an OBJECT_... constant. Unescapes in place, and leaves OBJECT_NONE unchanged."""
    cdef Fields fields
    cdef size_t start
    if not _outermost(s, n, &fields) or fields.type.end == 0:
        return OBJECT_NONE
    if fields.type.end - fields.type.start == 6 and memcmp(s + fields.type.start, b'"ping"', 6) == 0:
        return OBJECT_PING
    if fields.type.end - fields.type.start == 7 and memcmp(s + fields.type.start, b'"input"', 7) == 0:
        if fields.data.end == 0 or s[fields.data.start] != b'"':
            return OBJECT_BAD
        out.n = _unescape(s, fields.data)
        out.data = s + fields.data.start
        return OBJECT_INPUT
    if fields.type.end - fields.type.start == 8 and memcmp(s + fields.type.start, b'"resize"', 8) == 0:
        if fields.data.end and fields.rows.end == 0 and fields.cols.end == 0:
            start = fields.data.start
            if s[start] == b'"':
                n = _unescape(s, fields.data)
            else:
                n = fields.data.end - start
            s += start
            if not _outermost(s, n, &fields):
                return OBJECT_BAD
        out.rows = _size(s, fields.rows)
        out.cols = _size(s, fields.cols)
        return OBJECT_RESIZE if out.rows and out.cols else OBJECT_BAD
    return OBJECT_NONE
