"""Notifications, progress, what shells report, and the pointer's shape: never on the screen, always bounded."""

from __future__ import annotations

import base64

import pytest

from vibetunnel._ext.vt import Cwd, Engine, Mark, Notification, Progress, Variable

BIDI = "\u202e\u2066\u200f\u061c"


def fed(data: bytes, rows: int = 6, cols: int = 20) -> Engine:
    terminal = Engine(rows, cols)
    terminal.feed(data)
    return terminal


def osc(*strings: str) -> bytes:
    return b"".join(f"\x1b]{string}\x1b\\".encode() for string in strings)


def notifications(data: bytes) -> list[tuple[str, str, str, int]]:
    return [each[:4] for each in fed(data).take_events() if isinstance(each, Notification)]


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("9;done", [("", "", "done", 1)]),
        ("9;a; b; c", [("", "", "a; b; c", 1)]),
        ("9;42", [("", "", "42", 1)]),  # a number alone is none of ConEmu's functions
        ("9;9;/tmp", []),  # ConEmu's current folder
        ("9;", []),
        ("777;notify;build;done; 3 warnings", [("", "build", "done; 3 warnings", 1)]),
        ("777;notify;only a title", [("", "only a title", "", 1)]),
        ("777;precmd", []),
        ("99;;Hello world", [("", "Hello world", "", 1)]),
        ("99;i=a1:u=2;urgent", [("a1", "urgent", "", 2)]),
        ("99;i=a1:p=body:u=0;text", [("a1", "", "text", 0)]),
        (f"99;e=1;{encoded('zażółć')}", [("", "zażółć", "", 1)]),
        ("99;e=1;???", []),  # not base64
        ("99;i=bad id$:z=9:xx=1;text", [("", "text", "", 1)]),
        ("99;p=icon;AAAA", []),
        ("99;i=a1:p=close;", [("a1", "", "", 1)]),
        ("99;p=close;", []),  # without an id it withdraws nothing
        ("99;no payload", []),
    ],
)
def test_osc_9_99_and_777_are_notifications(string: str, expected: list[tuple[str, str, str, int]]) -> None:
    assert notifications(osc(string)) == expected


def test_osc_99_joins_the_parts_of_one_notification() -> None:
    smile = encoded("😀")
    parts = ("99;i=1:d=0;Ti", "99;i=1:d=0;tle", "99;i=1:d=0:p=body:e=1;" + smile, "99;i=1:p=body;!")
    assert notifications(osc(*parts)) == [("1", "Title", "😀!", 1)]


def test_osc_99_forgets_an_unfinished_notification_when_another_comes() -> None:
    assert notifications(osc("99;i=1:d=0;lost", "99;i=2;kept", "99;i=1:p=body;end")) == [
        ("2", "kept", "", 1),
        ("1", "", "end", 1),
    ]


def test_a_notification_is_one_clean_line() -> None:
    data = osc(f"9;a{BIDI}b", f"99;e=1;{encoded('x' + chr(10) + 'y' + chr(27) + '[31mz')}")
    assert [(title, body) for _, title, body, _ in notifications(data)] == [("", "ab"), ("x y[31mz", "")]
    [(_, _, body, _)] = notifications(b"\x1b]9;\xff\xc3(\x07")
    assert body == "\ufffd\ufffd("


def test_a_long_notification_is_cut_before_a_character() -> None:
    [(_, title, body, _)] = notifications(osc("777;notify;" + "é" * 1000 + ";" + "中" * 10_000))
    assert (len(title.encode()), len(body.encode())) == (256, 1023)
    [(_, title, body, _)] = notifications(
        osc(*["99;i=1:d=0;" + "é" * 99] * 9, *["99;i=1:d=0:p=body;" + "中" * 99] * 9, "99;i=1;")
    )
    assert (title, body) == ("é" * 128, "中" * 341)
    assert notifications(b"\x1b]9;" + b"x" * 1_000_000 + b"\x07") == []


def test_a_flood_of_notices_leaves_room_for_prompt_marks() -> None:
    terminal = fed(osc("9;n") * 10_000 + osc("1337;SetUserVar=a=eA==") * 1000 + osc("133;A"))
    events = terminal.take_events()
    assert [type(each) for each in events] == [Notification] * 64 + [Mark]
    terminal.feed(osc("9;again"))
    assert [each.body for each in terminal.take_events() if isinstance(each, Notification)] == ["again"]


def test_parts_that_never_end_take_bounded_memory() -> None:
    terminal = fed(b"")
    before = terminal.memory
    for number in range(1000):
        terminal.feed(osc(f"99;i={number}:d=0:p=body;" + "x" * 2000))
    assert terminal.take_events() == []
    assert terminal.memory - before < 16_384


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (b"\x1b]99;i=q1:p=?;\x1b\\", b"\x1b]99;i=q1:p=?;o=always:p=title,body,close,?:u=0,1,2\x1b\\"),
        (b"\x1b]99;p=?;\x07", b"\x1b]99;i=0:p=?;o=always:p=title,body,close,?:u=0,1,2\x07"),
        (b"\x1b]99;i=`reboot`:p=?;\x07", b"\x1b]99;i=0:p=?;o=always:p=title,body,close,?:u=0,1,2\x07"),
        (b"\x1b]22;?__current__\x1b\\", b"\x1b]22;0\x1b\\"),
        (b"\x1b]22;wait\x1b\\\x1b]22;?__current__\x07", b"\x1b]22;wait\x07"),
        (b"\x1b]22;?pointer,no-such,wait,,__default__,__grabbed__\x1b\\", b"\x1b]22;1,0,1,0,text,default\x1b\\"),
    ],
)
def test_questions_about_notices_are_answered(asked: bytes, answered: bytes) -> None:
    assert fed(asked).take_replies() == answered


@pytest.mark.parametrize(
    ("strings", "expected"),
    [
        (["9;4;1;42"], (1, 42)),
        (["9;4;1;250"], (1, 100)),
        (["9;4;1"], (1, 0)),
        (["9;4;1;42", "9;4;2"], (2, 42)),
        (["9;4;1;42", "9;4;4"], (4, 42)),
        (["9;4;2;7"], (2, 7)),
        (["9;4;3;50"], (3, 0)),
        (["9;4;1;42", "9;4;0"], (0, 0)),
        (["9;4;1;42", "9;4;5;1"], (1, 42)),
        (["9;4;1;42", "9;4;;"], (1, 42)),
    ],
)
def test_osc_9_4_is_progress(strings: list[str], expected: tuple[int, int]) -> None:
    terminal = fed(osc(*strings))
    assert terminal.progress == expected
    assert [each for each in terminal.take_events() if not isinstance(each, Progress)] == []


def test_a_reset_ends_progress_and_the_pointers_shapes() -> None:
    terminal = fed(osc("9;4;1;42", "22;>wait") + b"\x1b[?1049h" + osc("22;help") + b"\x1bc")
    assert (terminal.progress, terminal.pointer) == ((0, 0), "")
    terminal.feed(b"\x1b[?1049h")
    assert terminal.pointer == ""


@pytest.mark.parametrize(
    ("strings", "expected"),
    [
        (["22;pointer"], "pointer"),
        (["22;=zoom-in"], "zoom-in"),
        (["22;left_ptr"], "default"),  # of the X cursor font
        (["22;wait", "22;"], ""),
        (["22;wait", "22;url(x)"], "wait"),
        (["22;help", "22;>wait"], "wait"),
        (["22;help", "22;>wait,none-such,move", "22;<"], "wait"),
        (["22;help", "22;>wait", "22;<"], "help"),
        (["22;help", "22;<", "22;<", "22;<"], ""),
        (["22;>" + "wait," * 99 + "move"], "wait"),  # 64 names are read
        (["22;help", *["22;>wait"] * 15, *["22;<"] * 15], "help"),
        (["22;help", *["22;>wait"] * 16, *["22;<"] * 16], ""),
    ],
)
def test_osc_22_sets_the_pointers_shape(strings: list[str], expected: str) -> None:
    assert fed(osc(*strings)).pointer == expected


def test_each_screen_has_pointer_shapes_of_its_own() -> None:
    terminal = fed(osc("22;wait") + b"\x1b[?1049h" + osc("22;help"))
    assert terminal.pointer == "help"
    terminal.feed(b"\x1b[?1049l")
    assert terminal.pointer == "wait"
    terminal.feed(b"\x1b[?1049h")
    assert terminal.pointer == "help"


@pytest.mark.parametrize("alternate", [False, True])
def test_a_redraw_carries_progress_and_the_pointers_shapes(alternate: bool) -> None:
    ours = fed(osc("9;4;2;42", "22;help", "22;>wait,move", "22;>") + b"\x1b[?1049h" + osc("22;>cell"))
    if not alternate:
        ours.feed(b"\x1b[?1049l")
    other = fed(osc("9;4;3", "22;>copy,text,grab") + b"\x1b[?1049h" + osc("22;>wait,wait,wait"))
    other.feed(ours.redraw())
    assert other.dump() == ours.dump()
    assert (other.progress, other.pointer) == ((2, 42), ours.pointer)


def marks(data: bytes) -> list[tuple[str, int | None, str]]:
    return [(each.kind, each.exit_code, each.command) for each in fed(data).take_events() if isinstance(each, Mark)]


def test_osc_633_marks_as_osc_133_does() -> None:
    prompt = osc("633;A") + b"$ " + osc("633;B") + b"ls\r\n"
    assert marks(prompt + osc("633;C") + b"x" + osc("633;D;3")) == [
        ("A", None, ""),
        ("B", None, ""),
        ("C", None, "ls"),
        ("D", 3, ""),
    ]
    told = osc(r"633;E;echo \x3b \\n \; a;nonce", "633;C", "633;D")
    assert marks(prompt + told)[2:] == [("C", None, r"echo ; \n ; a"), ("D", None, "")]
    assert marks(osc("633;E;old") + prompt + osc("633;C"))[2] == ("C", None, "ls")
    assert len(marks(osc("633;E;" + "x" * 9000, "633;C"))[0][2]) == 4096
    assert marks(osc("633;E", "633;Z", "633;", "633;AA")) == []


@pytest.mark.parametrize(
    ("string", "folder"),
    [
        ("633;P;Cwd=/a/b c", "file:///a/b c"),
        (r"633;P;Cwd=/a\x3bb", "file:///a;b"),
        ("633;P;Cwd=/100%", "file:///100%25"),
        ("633;P;Cwd=C:/x", None),
        ("633;P;Cwd=/" + "x" * 2000, None),
        ("633;P;IsWindows=False", None),
        ("1337;CurrentDir=/tmp/x%20y", "file:///tmp/x%2520y"),
        ("1337;CurrentDir=", None),
        ("1337;RemoteHost=me@there", None),
        ("7;file://host/a%20b", "file://host/a%20b"),
    ],
)
def test_osc_633_and_1337_tell_the_folder_as_osc_7_does(string: str, folder: str | None) -> None:
    assert fed(osc(string)).take_events() == ([] if folder is None else [Cwd(folder)])


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ("SetUserVar=branch=" + encoded("main"), [("branch", "main")]),
        ("SetUserVar=empty=", [("empty", "")]),
        ("SetUserVar=x=" + encoded(f"a=b{BIDI}\x1b\n"), [("x", "a=b ")]),
        ("SetUserVar=x=%%%", []),
        ("SetUserVar==eA==", []),
        ("SetUserVar=" + "n" * 65 + "=eA==", []),
        ("SetUserVar=a\u202eb=eA==", []),
        ("SetUserVar=x=" + encoded("x" * 257), []),
        ("File=name=eA==:AAAA", []),
        ("Nonsense", []),
    ],
)
def test_osc_1337_sets_variables(string: str, expected: list[tuple[str, str]]) -> None:
    assert fed(osc("1337;" + string)).take_events() == [Variable(*each) for each in expected]


def test_nothing_of_all_this_is_drawn() -> None:
    strings = ("9;a", "9;4;1;5", "99;i=1:d=0;b", "777;notify;c;d", "22;wait", "633;A", "1337;SetUserVar=e=eA==")
    assert fed(osc(*strings)).text().strip() == ""


def test_a_muted_terminal_reports_no_notices() -> None:
    terminal = Engine(6, 20)
    terminal.mute = True
    terminal.feed(osc("9;a", "99;p=?;", "1337;SetUserVar=e=eA==", "22;?__current__"))
    assert (terminal.take_events(), terminal.take_replies()) == ([], b"")
