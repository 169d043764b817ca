"""What output says beside text: bells, titles (OSC 0, 2; xterm ctlseqs) and the working folder (OSC 7). Chunk-safe."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    TEXT_MAX = 1024  # bytes of an OSC string that are kept; of a longer one nothing is used

    MARK_TITLE = 2
    MARK_FOLDER = 4


cdef enum State:
    GROUND
    ESCAPE
    OSC_NUMBER
    OSC_TEXT
    STRING  # DCS, SOS, PM, APC: skipped
    STRING_ESCAPE  # the ESC of an ST, perhaps


cdef struct Scanner:
    State state
    bint osc  # the string that STRING_ESCAPE may end is an OSC
    uint16_t number
    uint16_t n
    uint32_t bells
    uint8_t[1024] text


cdef inline bint _plain(uint64_t word) noexcept nogil:
    """Whether none of eight bytes is ESC or BEL (the zero-byte test of Hacker's Delight §6-1, twice)."""
    cdef uint64_t esc = word ^ <uint64_t>0x1B1B1B1B1B1B1B1B
    cdef uint64_t bel = word ^ <uint64_t>0x0707070707070707
    cdef uint64_t low = 0x0101010101010101
    return (((esc - low) & ~esc) | ((bel - low) & ~bel)) & <uint64_t>0x8080808080808080 == 0


cdef inline unsigned _osc_done(Scanner* s) noexcept nogil:
    s.state = GROUND
    if s.n > TEXT_MAX:
        return 0
    return MARK_TITLE if s.number == 0 or s.number == 2 else MARK_FOLDER if s.number == 7 else 0


cdef inline unsigned scan(Scanner* s, const uint8_t* data, size_t n, size_t* used) noexcept nogil:
    """Read data[used..n). Returns 0 at its end, or MARK_TITLE or MARK_FOLDER right behind such a string, whose
    text[:n] then holds it; call again for the rest. Bells are counted in s.bells."""
    cdef uint64_t word
    cdef uint8_t c
    cdef unsigned found
    cdef size_t i = used[0]
    while i < n:
        if s.state == GROUND and i + 8 <= n:
            memcpy(&word, data + i, 8)
            if _plain(word):
                i += 8
                continue
        c = data[i]
        i += 1
        if s.state == GROUND:
            if c == 0x1B:
                s.state = ESCAPE
            elif c == 0x07:
                s.bells += 1
        elif c == 0x18 or c == 0x1A:  # CAN, SUB abort any sequence (ECMA-48, VT510)
            s.state = GROUND
        elif s.state == ESCAPE:
            if c == b"]":
                s.state = OSC_NUMBER
                s.osc = True
                s.number = 0
                s.n = 0
            elif c == b"P" or c == b"X" or c == b"^" or c == b"_":
                s.state = STRING
                s.osc = False
            elif c != 0x1B:
                s.state = GROUND
                if c == 0x07:
                    s.bells += 1
        elif s.state == STRING:
            if c == 0x1B:
                s.state = STRING_ESCAPE
        elif s.state == STRING_ESCAPE:
            if c == b"\\":
                found = _osc_done(s) if s.osc else 0
                s.state = GROUND
                if found:
                    used[0] = i
                    return found
            else:  # not an ST: the string is over all the same, and this ESC begins something new
                s.state = ESCAPE
                i -= 1
        elif c == 0x1B:
            s.state = STRING_ESCAPE
        elif c == 0x07:  # ends an OSC as ST does (xterm)
            found = _osc_done(s)
            if found:
                used[0] = i
                return found
        elif s.state == OSC_NUMBER:
            if b"0" <= c <= b"9" and s.number < 1000:
                s.number = s.number * 10 + c - 48
            elif c == b";":
                s.state = OSC_TEXT
            else:
                s.state = STRING
        elif s.n < TEXT_MAX:
            s.text[s.n] = c
            s.n += 1
        else:
            s.n = TEXT_MAX + 1
    used[0] = i
    return 0
