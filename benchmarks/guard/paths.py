"""The hot paths: each is prepared once, and then taken in steps that all do the same work."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from benchmarks import corpus
from benchmarks.guard.lockstep import Lockstep
from vibetunnel import protocol
from vibetunnel._ext import frames, probes, vt

KEY = b"\x01\x02\x03\x04"  # the mask of frames
SMALL, LARGE = 64, 64 * 1024  # bytes
BATCH = 200  # bytes: a line or two of output, one read of a PTY
SCROLLBACK = 1000  # lines; one warm-up step fills it, so that every counted one drops as many as it adds

Step = Callable[[], object]


@dataclass(frozen=True)
class Path:
    """One hot path.

    module   the extension module whose instructions count
    steps    number of counted steps, after one that does not count
    """

    name: str
    what: str
    module: str
    make: Callable[[], AbstractContextManager[Step]]
    steps: int = 5


@contextmanager
def _given(step: Step) -> Iterator[Step]:
    yield step


def _call(step: Step) -> Callable[[], AbstractContextManager[Step]]:
    return lambda: _given(step)


def _encode(size: int) -> Callable[[], AbstractContextManager[Step]]:
    payload = bytes(size)
    return _call(lambda: frames.encode(frames.BINARY, payload))


def _unmask(size: int) -> Callable[[], AbstractContextManager[Step]]:
    data = bytes(size)
    return _call(lambda: frames.mask(data, KEY))


def _decode(size: int, count: int) -> Callable[[], AbstractContextManager[Step]]:
    data = frames.encode(frames.BINARY, bytes(size), mask=KEY) * count
    decoder = frames.Decoder()

    def step() -> None:
        if len(decoder.feed(data)) != count:
            raise AssertionError("frames were lost")

    return _call(step)


def _utf8(data: bytes) -> Callable[[], AbstractContextManager[Step]]:
    def step() -> None:
        if not frames.is_utf8(data):
            raise AssertionError("valid UTF-8 was refused")

    return _call(step)


def _object(text: bytes, kind: str | None) -> Callable[[], AbstractContextManager[Step]]:
    def step() -> None:
        found = probes.read_object(text)
        if (found[0] if found else None) != kind:
            raise AssertionError(f"expected {kind}, got {found}")

    return _call(step)


def _terminal() -> vt.Engine:
    return vt.Engine(corpus.ROWS, corpus.COLS, scrollback_lines=SCROLLBACK)


def _feed(kind: str) -> Callable[[], AbstractContextManager[Step]]:
    @contextmanager
    def make() -> Iterator[Step]:
        data = corpus.kind(kind, LARGE)
        terminal = _terminal()

        def step() -> None:
            terminal.feed(data)
            terminal.take_events()
            terminal.take_replies()

        yield step

    return make


def _shown(take: Callable[[vt.Engine], bytes]) -> Callable[[], AbstractContextManager[Step]]:
    @contextmanager
    def make() -> Iterator[Step]:
        terminal = _terminal()
        terminal.feed(corpus.log_lines(2 * corpus.ROWS))
        yield lambda: take(terminal)

    return make


def _echo(*, v1: bool) -> Callable[[], AbstractContextManager[Step]]:
    @contextmanager
    def make() -> Iterator[Step]:
        with Lockstep(clients=1, v1=v1) as pump:
            typed = 0

            def step() -> None:
                nonlocal typed
                message = protocol.encode(protocol.Input(typed, b"k")) if v1 else b"k"
                pump.echo(frames.encode(frames.BINARY, message, mask=KEY), b"k")
                typed += 1

            yield step

    return make


def _fan_out(clients: int, size: int, *, v1: bool = False) -> Callable[[], AbstractContextManager[Step]]:
    @contextmanager
    def make() -> Iterator[Step]:
        with Lockstep(clients=clients, v1=v1) as pump:
            batch = (b"x" * 78 + b"\r\n") * (size // 80) + b"x" * (size % 80)
            yield lambda: pump.output(batch)

    return make


_JSON = b'{"type":"input","data":"ls -la /var/log | grep error\\n"}'
_TYPED = b"ls -la /var/log | grep error\n"

PATHS = [
    Path("encode-64B", "frame of 64 B", "frames", _encode(SMALL)),
    Path("encode-64KiB", "frame of 64 KiB", "frames", _encode(LARGE)),
    Path("unmask-64B", "unmask 64 B", "frames", _unmask(SMALL)),
    Path("unmask-64KiB", "unmask 64 KiB", "frames", _unmask(LARGE)),
    Path("decode-key", "decode 100 frames of 1 B", "frames", _decode(1, 100)),
    Path("decode-32KiB", "decode a frame of 32 KiB", "frames", _decode(32 * 1024, 1)),
    Path("utf8-ascii", "validate 64 KiB of ASCII", "frames", _utf8(b"x" * LARGE)),
    Path("utf8-mixed", "validate 64 KiB of CJK, emoji, marks", "frames", _utf8(corpus.kind("unicode", LARGE))),
    Path("object-input", "JSON input object of 56 B", "probes", _object(_JSON, "input")),
    Path("object-none", "raw text that is no object", "probes", _object(_TYPED, None)),
    Path("object-nearly", "raw text that begins like one", "probes", _object(_JSON[:-1], None)),
    Path("feed-plain", "terminal: 64 KiB of plain words", "vt", _feed("plain"), 3),
    Path("feed-log", "terminal: 64 KiB of coloured log", "vt", _feed("log"), 3),
    Path("feed-unicode", "terminal: 64 KiB of CJK, emoji, marks", "vt", _feed("unicode"), 3),
    Path("feed-screens", "terminal: 64 KiB of full-screen programs", "vt", _feed("screens"), 3),
    Path("redraw", "redraw of 80x24", "vt", _shown(lambda terminal: terminal.redraw())),
    Path("snapshot", "snapshot of 80x24", "vt", _shown(lambda terminal: terminal.snapshot())),
    Path("echo", "pump: a key and its echo, raw client", "pump", _echo(v1=False), 41),
    Path("echo-v1", "pump: a key and its echo, vibetunnel.v1", "pump", _echo(v1=True), 41),
    Path("output-200B", "pump: 200 B of output to 1 client", "pump", _fan_out(1, BATCH), 41),
    Path("fan-out-100", "pump: 200 B of output to 100 clients", "pump", _fan_out(100, BATCH), 21),
    Path(
        "fan-out-100-v1",
        "pump: 200 B of output to 100 vibetunnel.v1 clients",
        "pump",
        _fan_out(100, BATCH, v1=True),
        21,
    ),
]


def by_name(name: str) -> Path:
    return next(path for path in PATHS if path.name == name)


@contextmanager
def ready(path: Path) -> Iterator[Step]:
    """The path's step, after it was taken once."""
    with path.make() as step:
        step()
        yield step
