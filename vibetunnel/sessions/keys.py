"""The bytes that a named key writes (the VibeTunnel names)."""

from vibetunnel.errors import InvalidField

KEYS: dict[str, bytes] = {
    "arrow_up": b"\x1b[A",
    "arrow_down": b"\x1b[B",
    "arrow_right": b"\x1b[C",
    "arrow_left": b"\x1b[D",
    "escape": b"\x1b",
    "enter": b"\r",
    "ctrl_enter": b"\n",
    "shift_enter": b"\r\n",
    "backspace": b"\x7f",
    "tab": b"\t",
    "shift_tab": b"\x1b[Z",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "delete": b"\x1b[3~",
    "page_up": b"\x1b[5~",
    "page_down": b"\x1b[6~",
    "f1": b"\x1bOP",
    "f2": b"\x1bOQ",
    "f3": b"\x1bOR",
    "f4": b"\x1bOS",
    "f5": b"\x1b[15~",
    "f6": b"\x1b[17~",
    "f7": b"\x1b[18~",
    "f8": b"\x1b[19~",
    "f9": b"\x1b[20~",
    "f10": b"\x1b[21~",
    "f11": b"\x1b[23~",
    "f12": b"\x1b[24~",
}

# Those that differ while a program has asked for application cursor keys (DECCKM), as less and htop do.
APPLICATION_KEYS = {
    name: KEYS[name].replace(b"[", b"O")
    for name in ("arrow_up", "arrow_down", "arrow_right", "arrow_left", "home", "end")
}


def key_bytes(name: str, *, application: bool = False) -> bytes:
    """The bytes that the key `name` writes to the PTY. Raises InvalidField for a name that is not in KEYS.

    application  the program has asked for application cursor keys
    """
    if application and name in APPLICATION_KEYS:
        return APPLICATION_KEYS[name]
    try:
        return KEYS[name]
    except KeyError:
        raise InvalidField("key", f"one of {', '.join(KEYS)}", repr(name[:40])) from None
