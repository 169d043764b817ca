"""Output for terminal engines: seven kinds, a mix of them, and chunks made to be expensive. The same in every run."""

import random
from collections.abc import Callable, Iterator

SLICES = 32  # pieces of each kind in the mix
CHUNK = 64 * 1024  # bytes; what a pump feeds at once
HOSTILE_SIZE = (50, 200)  # rows, columns
ROWS, COLS = 24, 80  # size of the full-screen programs

_COLOURS = [tuple(17 * each % 256 for each in (3 * at + 1, 5 * at + 7, 11 * at + 2)) for at in range(12)]
_WORDS = (
    "the of server and request to session in handler was for on buffer that client by terminal with timeout as socket "
    "queue retry at from output closed user worker is kernel packet opened an stream error token or cache path input"
).split()
_WIDE = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏かなカナ한국어글자"
_EMOJI = "😀😎🎉🚀🔥🌍🐍📦💡🔧🎯🍎"  # from Unicode 9 and older: two columns in every terminal
_BOX = "─│┌┐└┘├┤┬┴┼═║╔╗╚╝█▓▒░"
_COMBINED = [base + mark for base in "aeiounsz" for mark in "\u0300\u0301\u0302\u0303\u0308\u030c"]
_LETTERS = "äöüßéèñçøåžščπσφωдбгжшыя"


def kind(name: str, size: int) -> bytes:
    """`size` bytes or a little more, in whole records, so that any two kinds may follow each other."""
    return b"".join(_records(name, size))


def mixed(size: int) -> bytes:
    """The mix of kinds of `size` bytes. It is four times as long."""
    slices: list[list[bytes]] = [[] for _ in range(SLICES)]
    for name, (_, share) in KINDS.items():
        records = list(_records(name, int(size * share)))
        for at in range(SLICES):
            slices[at] += records[at * len(records) // SLICES : (at + 1) * len(records) // SLICES]
    return b"".join(b"".join(each) for each in slices)


def hostile() -> dict[str, bytes]:
    """Name -> CHUNK bytes that are cheap to print and expensive to draw, for a screen of HOSTILE_SIZE."""
    chance = random.Random("hostile")
    unique = "".join(f"\x1b[38;2;{chance.randrange(256)};{chance.randrange(256)};{at % 256}mx" for at in range(4000))
    clusters = "".join("e" + "".join(chr(0x300 + chance.randrange(0x70)) for _ in range(7)) for _ in range(5000))
    links = "".join(f"\x1b]8;;http://h/{at}\x1b\\l" for at in range(3000))
    titles = "".join(f"\x1b]0;title {at}\x07" for at in range(5000))
    dear_screen = "\x1b[H" + "".join(f"\x1b[48;2;{at % 256};{at // 256};7me\u0301" for at in range(2000))
    return {
        name: (prefix + unit * (1 + (CHUNK - len(prefix.encode())) // len(unit.encode()))).encode()[:CHUNK]
        for name, prefix, unit in [
            ("erase all, coloured", "\x1b[44m", "\x1b[2J"),
            ("erase all, plain", "", "\x1b[2J"),
            ("erase below, coloured", "\x1b[44m\x1b[H", "\x1b[J"),
            ("erase scrollback", "", "\n\x1b[3J"),
            ("insert lines, coloured", "\x1b[44m", "\x1b[50L"),
            ("delete lines, coloured", "\x1b[44m", "\x1b[50M"),
            ("scroll up, coloured", "\x1b[44m", "\x1b[50S"),
            ("scroll down, coloured", "\x1b[44m", "\x1b[50T"),
            ("scroll by one, coloured", "\x1b[44m", "\x1b[S"),
            ("scroll within margins", "\x1b[44m\x1b[?69h\x1b[2;199s", "\x1b[50S\x1b[50T"),
            ("scroll a dear screen", dear_screen, "\x1b[S"),
            ("reverse index", "\x1b[44m\x1b[H", "\x1bM"),
            ("insert characters", "\x1b[44m\x1b[H", "\x1b[200@"),
            ("delete characters", "\x1b[44m\x1b[H", "\x1b[200P"),
            ("erase characters", "\x1b[44m\x1b[H", "\x1b[9999X"),
            ("insert mode", "\x1b[4h\x1b[H", "x\r"),
            ("insert mode, wide", "\x1b[4h\x1b[H", "世\r"),
            ("DECALN", "", "\x1b#8"),
            ("REP", "", "x\x1b[9999b"),
            ("REP, wide", "", "世\x1b[9999b"),
            ("RIS", "", "\x1bc"),
            ("RIS, coloured", "", "\x1b[44m\x1b[2J\x1bc"),
            ("DECSTR", "", "\x1b[!p"),
            ("1049 in and out", "\x1b[44m", "\x1b[?1049h\x1b[?1049l"),
            ("47 in and out", "\x1b[44m", "\x1b[?47h\x1b[?47l"),
            ("margins and origin", "", "\x1b[2;49r\x1b[?6h\x1b[?6l\x1b[r"),
            ("tab stops", "", "\x1bH\x1b[9999I\x1b[9999Z\x1b[3g"),
            ("line feeds", "\x1b[44m", "\n"),
            ("y", "", "y\r\n"),
            ("a style a cell", "", unique),
            ("a cluster a cell", "", clusters),
            ("combining flood", "e", "\u0301"),
            ("a link a cell", "", links),
            ("titles", "", titles),
            ("one OSC without end", "\x1b]0;", "x"),
            ("one DCS without end", "\x1bP", "q"),
            ("clipboard", "\x1b]52;c;", "QUJD"),
            ("clipboards", "", "\x1b]52;c;QUJD\x07"),
            ("prompt marks", "", "\x1b]133;A\x07\x1b]133;B\x07\x1b]133;C\x07\x1b]133;D;0\x07"),
            ("queries", "", "\x1b[c\x1b[6n\x1b[?2026$p\x1b]11;?\x07"),
            ("parameters", "\x1b[", "1;2:3;"),
            ("keyboard stack", "", "\x1b[>1u\x1b[<u"),
            ("wide at the margin", "", "\x1b[200G世"),
            ("halves of wide ones", "", "\x1b[H世世\x1b[2Gx\x1b[P\x1b[@"),
            ("bad UTF-8", "", "\x1b[m\xff"),
        ]
    }


def log_lines(count: int) -> bytes:
    """Coloured log without a newline at the end, so that the last line stands in the last row."""
    lines = _log(random.Random("lines"), _palette)
    return b"".join(next(lines) for _ in range(count)).removesuffix(b"\r\n")


def _records(name: str, size: int) -> Iterator[bytes]:
    make = KINDS[name][0](random.Random(name))
    while size > 0:
        record = next(make)
        size -= len(record)
        yield record


def _palette(chance: random.Random) -> tuple[int, ...]:
    return chance.choice(_COLOURS)


def _any_colour(chance: random.Random) -> tuple[int, ...]:
    return tuple(chance.choices(range(256), k=3))


def _log(chance: random.Random, colour: Callable[[random.Random], tuple[int, ...]]) -> Iterator[bytes]:
    second = 0
    while True:
        second += chance.randrange(3)
        time = f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{chance.randrange(1000):03}"
        (r, g, b), (r2, g2, b2) = colour(chance), colour(chance)
        text = " ".join(chance.choices(_WORDS, k=chance.randrange(3, 9)))
        yield (
            f"\x1b[2m{time}\x1b[0m \x1b[1;38;2;{r};{g};{b}m{chance.choice(('INFO', 'WARN', 'DEBUG'))}\x1b[0m "
            f"{text} \x1b[38;2;{r2};{g2};{b2}mid={chance.randrange(1 << 24):06x}\x1b[0m\r\n"
        ).encode()


def _plain(chance: random.Random) -> Iterator[bytes]:
    while True:
        yield (" ".join(chance.choices(_WORDS, k=chance.randrange(1, 16))) + "\r\n").encode()


def _unicode(chance: random.Random) -> Iterator[bytes]:
    while True:
        words = []
        for _ in range(chance.randrange(3, 14)):
            letters = chance.choice((_WIDE, _WIDE, _EMOJI, _BOX, _COMBINED, _LETTERS))
            words.append("".join(chance.choices(letters, k=chance.randrange(1, 9))))
        yield (" ".join(words) + "\r\n").encode()


def _screens(chance: random.Random) -> Iterator[bytes]:
    """Records, each a program from start to end. None erases beyond the last column, where terminals differ."""
    while True:
        yield _monitor(chance)
        yield _editor(chance)
        yield f"$ {chance.choice(_WORDS)}\r\n".encode()


def _monitor(chance: random.Random) -> bytes:
    """As htop draws: the whole screen in each frame."""
    out = ["\x1b[?1049h\x1b[22;0;0t\x1b[?25l\x1b]0;monitor\x07\x1b[H\x1b[2J"]
    for _ in range(chance.randrange(4, 12)):
        out.append("\x1b[?2026h")
        for row in range(1, 5):
            bar = chance.randrange(40)
            out.append(f"\x1b[{row};1H\x1b[36m{row}\x1b[1;30m[\x1b[32m{'|' * bar}\x1b[m\x1b[{bar + 4}G\x1b[K\x1b[50G]")
        out.append("\x1b[6;1H\x1b[30;42m  PID USER      CPU%  MEM%  TIME+   Command\x1b[K\x1b[m")
        for row in range(7, ROWS):
            style = "\x1b[7m" if row == 9 else f"\x1b[38;5;{chance.randrange(16, 256)}m"
            out.append(
                f"\x1b[{row};1H{style}{chance.randrange(99999):5} root     {chance.uniform(0, 99):5.1f} "
                f"{chance.uniform(0, 99):5.1f}  \x1b[1m{chance.choice(_WORDS)}\x1b[22m {chance.choice(_WORDS)}"
                "\x1b[K\x1b[m"
            )
        out.append(f"\x1b[{ROWS};1H\x1b[30;46mF1\x1b[mHelp  \x1b[30;46mF10\x1b[mQuit\x1b[K\x1b[?2026l")
    out.append("\x1b[?25h\x1b[?1049l\x1b[23;0;0t\x1b]0;sh\x07")
    return "".join(out).encode()


def _editor(chance: random.Random) -> bytes:
    """As vim draws: a scrolling region, and single lines and characters inserted and deleted."""
    out = [f"\x1b[?1049h\x1b[?1h\x1b=\x1b]0;editor\x07\x1b[H\x1b[2J\x1b[1;{ROWS - 1}r"]
    out += [f"\x1b[{row};1H\x1b[33m{row:4} \x1b[m{' '.join(chance.choices(_WORDS, k=6))}" for row in range(1, ROWS)]
    for _ in range(chance.randrange(20, 80)):
        row, col = chance.randrange(1, ROWS), chance.randrange(6, 40)
        count, text = chance.randrange(1, 6), chance.choice(_WORDS)
        match chance.randrange(7):
            case 0:
                out.append(f"\x1b[{ROWS - 1};1H\n\x1b[33m{row:4} \x1b[m{text} {text}")
            case 1:
                out.append(f"\x1b[1;1H\x1bM\x1b[33m{row:4} \x1b[m{text}")
            case 2:
                out.append(f"\x1b[{row};1H\x1b[{count}L\x1b[35m{text}\x1b[m")
            case 3:
                out.append(f"\x1b[{row};1H\x1b[{count}M")
            case 4:
                out.append(f"\x1b[{row};{col}H\x1b[{count}@{text[:count]}")
            case 5:
                out.append(f"\x1b[{row};{col}H\x1b[{count}P")
            case _:
                out.append(f"\x1b[{row};{col}H\x1b[44m\x1b[{count}X\x1b[m{text}")
        out.append(f"\x1b[{ROWS};1H\x1b[1m-- INSERT --\x1b[m\x1b[K\x1b[{ROWS};60H{row},{col}\x1b[K\x1b[{row};{col}H")
    out.append("\x1b[r\x1b[?1l\x1b>\x1b[?1049l\x1b]0;sh\x07")
    return "".join(out).encode()


def _yes(_chance: random.Random) -> Iterator[bytes]:
    while True:
        yield b"y\r\n"


def _long(chance: random.Random) -> Iterator[bytes]:
    while True:
        yield "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789 ", k=998)).encode() + b"\r\n"


# Name -> its records, and its share of the mix, in sizes of a kind.
KINDS: dict[str, tuple[Callable[[random.Random], Iterator[bytes]], float]] = {
    "log": (lambda chance: _log(chance, _palette), 0.5),
    "log-rgb": (lambda chance: _log(chance, _any_colour), 0.5),
    "plain": (_plain, 1.0),
    "unicode": (_unicode, 0.5),
    "screens": (_screens, 1.0),
    "yes": (_yes, 0.25),
    "long": (_long, 0.25),
}
