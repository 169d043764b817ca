"""Tells what a person typed from what a terminal reports by itself. Pure: bytes in, an answer out.

A terminal reports moves of the mouse, the focus, and answers to queries of the program. A message that is made up of
such reports was typed by no person. Buttons and the wheel of the mouse count as typed. A report may be cut anywhere.
One encoding is ambiguous: `CSI 1;5R` is Ctrl+F3 in some terminals, and counts as the answer that it is in all others.
"""

from libc.stdint cimport uint8_t, uint16_t

cdef enum ReportState:
    NO_REPORT
    AFTER_ESC
    CSI_BEGINS  # ESC [
    CSI_PARAMETERS
    X10_BUTTON  # ESC [ M, then three characters
    X10_PLACE
    STRING_BEGINS  # ESC P, ESC ] or ESC _
    STRING_TEXT
    STRING_ENDS  # ESC in a string

cdef enum:
    ESC = 0x1B
    BEL = 0x07
    MOTION = 32  # the bit of a button's number that says that the mouse moved
    X10_BASE = 32  # what the X10 and urxvt encodings add to a number
    MOST = 1000  # larger numbers count as this one, which no mouse sends


cdef struct Report:  # the report that a client is in the middle of
    uint8_t state  # ReportState
    uint8_t prefix  # of CSI: one of <=>?, or 0; of a string: the character after ESC
    uint8_t dollar  # CSI has the intermediate character $
    uint8_t parameters  # how many have begun
    uint16_t first  # the first of them
    uint8_t places  # X10: coordinates that are still to come
    uint8_t lead  # X10: the last character began like a UTF-8 character of two bytes (mode 1005)


cdef inline bint csi_ends(Report* r, uint8_t final) noexcept nogil:
    """Whether this CSI sequence is a report."""
    r.state = NO_REPORT
    if r.prefix == c"<":  # SGR mouse
        return (final == c"M" or final == c"m") and r.parameters == 3 and r.first < MOST and r.first & MOTION != 0
    if r.prefix:
        return True  # DA, DECXCPR, DECRPM, kitty's flags: no key has a private prefix
    if r.dollar:
        return final == c"y"  # DECRPM
    if final == c"M" and r.parameters == 0:
        r.state = X10_BUTTON
        return True
    if final == c"M":  # urxvt's mouse
        return r.parameters == 3 and X10_BASE <= r.first < MOST and (r.first - X10_BASE) & MOTION != 0
    if final == c"I" or final == c"O":
        return r.parameters == 0  # focus
    if final == c"R" or final == c"x":
        return r.parameters >= 2  # CPR, DECREPTPARM
    return (final == c"n" or final == c"t") and r.parameters >= 1  # DSR, reports of the window


cdef inline bint take_parameter(Report* r, uint8_t b) noexcept nogil:
    """A byte of a CSI sequence after its prefix."""
    if c"0" <= b <= c"9":
        r.parameters = max(r.parameters, <uint8_t>1)
        if r.parameters == 1:
            r.first = min(<uint16_t>(10 * r.first + b - c"0"), <uint16_t>MOST)
    elif b == c";":
        r.parameters = min(<uint8_t>(max(r.parameters, <uint8_t>1) + 1), <uint8_t>16)
    elif b == c"$":
        r.dollar = True
    else:
        return c"@" <= b <= c"~" and csi_ends(r, b)
    return True


cdef inline bint string_begins(Report* r, uint8_t b) noexcept nogil:
    """Whether a string that begins with this character may be an answer."""
    r.state = STRING_TEXT
    if r.prefix == c"]":
        return c"0" <= b <= c"9" or b == c"l" or b == c"L"  # colours, clipboard; the window's titles
    if r.prefix == c"_":
        return b == c"G"  # kitty's graphics
    return c"0" <= b <= c"9" or b == c">" or b == c"!" or b == c"$" or b == c"+"  # XTVERSION, DA3, DECRQSS, XTGETTCAP


cdef inline bint take_place(Report* r, uint8_t b) noexcept nogil:
    """A byte after the button of an X10 report."""
    if r.lead and 0x80 <= b <= 0xBF:
        r.lead = False
    else:
        r.lead = 0xC2 <= b <= 0xDF
        r.places -= 1
        if b != 0 and b < X10_BASE:  # 0: a coordinate too large for one byte
            return False
    if r.places == 0 and not r.lead:
        r.state = NO_REPORT
    return True


cdef inline bint take_byte(Report* r, uint8_t b) noexcept nogil:
    """Whether the bytes up to this one are reports, or the beginning of one."""
    if r.state == X10_PLACE and (r.places or 0x80 <= b <= 0xBF):
        return take_place(r, b)
    if r.state == NO_REPORT or r.state == X10_PLACE:  # only the next byte tells that an X10 report is over
        r.state = AFTER_ESC
        return b == ESC
    if r.state == AFTER_ESC:
        r.prefix = b if b != c"[" else 0
        r.state = CSI_BEGINS if b == c"[" else STRING_BEGINS
        r.dollar = r.parameters = 0
        r.first = 0
        return b == c"[" or b == c"P" or b == c"]" or b == c"_"
    if r.state == CSI_BEGINS:
        r.state = CSI_PARAMETERS
        if c"<" <= b <= c"?":
            r.prefix = b
            return True
        return take_parameter(r, b)
    if r.state == CSI_PARAMETERS:
        return take_parameter(r, b)
    if r.state == X10_BUTTON:
        r.state = X10_PLACE
        r.places = 2
        r.lead = False
        return X10_BASE + MOTION <= b < X10_BASE + 2 * MOTION
    if r.state == STRING_BEGINS:
        return string_begins(r, b)
    if r.state == STRING_ENDS:
        r.state = NO_REPORT
        return b == c"\\"
    if b == BEL and r.prefix == c"]":
        r.state = NO_REPORT
        return True
    if b == ESC:
        r.state = STRING_ENDS
    return b == ESC or b >= 0x20 and b != 0x7F  # no line end: an answer runs nothing in a shell


cdef inline bint read_reports(Report* r, const uint8_t* data, size_t n) noexcept nogil:
    """is_typed() for a message that may begin with a report, or with the rest of one."""
    cdef size_t i
    for i in range(n):
        if not take_byte(r, data[i]):
            r.state = NO_REPORT
            return True
    if r.state == AFTER_ESC or r.state == CSI_BEGINS or r.state == STRING_BEGINS:
        r.state = NO_REPORT  # the key Escape, or Alt with [ or ] or P or _
        return True
    return False


cdef inline bint is_typed(Report* r, const uint8_t* data, size_t n) noexcept nogil:
    """Whether a person typed some of this message. r: what came before, all zeros at first."""
    if n and data[0] != ESC and r.state == NO_REPORT:
        return True
    return read_reports(r, data, n)
