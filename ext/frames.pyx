"""The frame codec of rfc6455.pxd for Python: tests, tools and clients. The pump uses the .pxd itself."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from collections import namedtuple

from vibetunnel._ext cimport rfc6455 as rfc

CONTINUATION = rfc.OP_CONTINUATION
TEXT = rfc.OP_TEXT
BINARY = rfc.OP_BINARY
CLOSE = rfc.OP_CLOSE
PING = rfc.OP_PING
PONG = rfc.OP_PONG
COMPRESSED = rfc.RSV1

Message = namedtuple("Message", ["opcode", "data"])


class FrameError(ValueError):
    def __init__(self, int code, list messages):
        super().__init__(f"not a valid WebSocket frame here (close code {code})")
        self.code = code
        self.messages = messages


def encode(int opcode, bytes payload not None, *, bint fin=True, bytes mask=None):
    """One complete frame (RFC 6455 §5.2); payload is copied once. mask: 4 bytes, or None for a server's frame."""
    if opcode & ~(0xF | rfc.RSV1):
        raise ValueError(f"opcode: expected 0..15, COMPRESSED or not, got {opcode}")
    if mask is not None and len(mask) != 4:
        raise ValueError(f"mask: expected 4 bytes, got {len(mask)}")
    cdef uint8_t[14] header
    cdef Py_ssize_t body = len(payload)
    cdef Py_ssize_t head = rfc.write_header(header, <uint8_t>opcode, fin, <size_t>body)
    if mask is not None:
        header[1] |= 0x80
        memcpy(&header[head], PyBytes_AS_STRING(mask), 4)
        head += 4
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, head + body)
    cdef uint8_t* out = <uint8_t*>PyBytes_AS_STRING(frame)
    memcpy(out, header, head)
    memcpy(out + head, PyBytes_AS_STRING(payload), body)
    if mask is not None:
        rfc.xor_mask(out + head, body, &header[head - 4], 0)
    return frame


def mask(bytes data not None, bytes key not None, int phase=0):
    """Return data XOR the 4-byte key, which begins at its byte `phase` (RFC 6455 §5.3)."""
    if len(key) != 4:
        raise ValueError(f"key: expected 4 bytes, got {len(key)}")
    cdef bytes out = PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), len(data))
    if len(data):
        # `out` is a new object, safe to change. But the interpreter shares its strings of one byte.
        if len(data) == 1:
            return bytes([data[0] ^ key[phase & 3]])
        rfc.xor_mask(<uint8_t*>PyBytes_AS_STRING(out), len(data), <const uint8_t*>PyBytes_AS_STRING(key), phase & 3)
    return out


def is_utf8(bytes data not None):
    return bool(rfc.utf8_valid(<const uint8_t*>PyBytes_AS_STRING(data), len(data)))


cdef class Decoder:
    """Decodes a peer's bytes into messages, wherever TCP cut them (frames.pyi)."""

    cdef rfc.Decoder state
    cdef int failed

    def __cinit__(self, *, Py_ssize_t limit=65536, bint masked=True, bint deflate=False):
        if limit < 0:
            raise ValueError(f"limit: expected 0 or more bytes, got {limit}")
        memset(&self.state, 0, sizeof(self.state))
        self.state.limit = limit
        self.state.masked = masked
        self.state.deflate = deflate
        self.failed = 0

    def __dealloc__(self):
        rfc.decoder_free(&self.state)

    def feed(self, bytes data not None):
        if self.failed:
            raise FrameError(self.failed, [])
        cdef bytearray own = bytearray(data)  # unmasking works in place
        cdef uint8_t* start = <uint8_t*><char*>own
        cdef size_t n = len(own)
        cdef size_t used = 0
        cdef rfc.Message message
        cdef int result
        messages = []
        while True:
            result = rfc.decoder_next(&self.state, start, n, &used, &message)
            if result == 0:
                return messages
            if result < 0:
                self.failed = -result
                raise FrameError(self.failed, messages)
            messages.append(Message(message.opcode, PyBytes_FromStringAndSize(<char*>message.data, message.n)))
