"""What the engine answers: its class, state and settings, a checksum for each cell; and never what a program says.

Expected answers are those of xterm 379 as a VT420, but where a comment says otherwise.
"""

from __future__ import annotations

import random
import re

import pytest
from vt.grammar import generate

from vibetunnel._ext.vt import Engine

ESC = "\x1b"


def answer(asked: str, *, rows: int = 6, cols: int = 20) -> str:
    one = Engine(rows, cols)
    one.feed(asked.encode())
    return one.take_replies().decode("latin-1")


def status(setting: str, before: str = "") -> str:
    return answer(f"{before}\x1bP$q{setting}\x1b\\")


ANSWERS = {
    # DA: only features that are true; 41 is a VT420, 379 the patch of xterm whose behaviour counts
    "\x1b[c": "\x1b[?64;4;6;17;21;22;28c",
    "\x1b[0c": "\x1b[?64;4;6;17;21;22;28c",
    "\x1bZ": "\x1b[?64;4;6;17;21;22;28c",
    "\x1b[>c": "\x1b[>41;379;0c",
    "\x1b[=c": "\x1bP!|00000000\x1b\\",
    "\x05": "",
    # DSR
    "\x1b[3;4H\x1b[?6n": "\x1b[?3;4;1R",
    '\x1b[61;1"p\x1b[3;4H\x1b[?6n': "\x1b[?3;4R",
    "\x1b[?15n": "\x1b[?13n",
    "\x1b[?25n": "\x1b[?20n",
    "\x1b[?26n": "\x1b[?27;1;0;0n",
    '\x1b[63;1"p\x1b[?26n': "\x1b[?27;1;0n",
    '\x1b[62;1"p\x1b[?26n': "\x1b[?27;1n",
    "\x1b[?53n": "\x1b[?50n",  # xterm has a locator
    "\x1b[?55n": "\x1b[?50n",
    "\x1b[?56n": "\x1b[?57;0n",
    "\x1b[?62n": "\x1b[0*{",  # xterm: 0000
    "\x1b[?63;123n": "\x1bP123!~0000\x1b\\",
    "\x1b[?75n": "\x1b[?70n",
    "\x1b[?85n": "\x1b[?83n",
    "\x1b[?1n\x1b[7n": "",
    # DECRQM
    "\x1b[2$p": "\x1b[2;4$y",  # no program can lock the keyboard
    "\x1b[12$p": "\x1b[12;3$y",
    "\x1b[1$p\x1b[19$p": "\x1b[1;4$y\x1b[19;4$y",
    "\x1b[21$p": "\x1b[21;0$y",
    "\x1b[?3$p": "\x1b[?3;2$y",
    "\x1b[?40h\x1b[?3h\x1b[?3$p": "\x1b[?3;2$y",  # the width is a viewer's, so it is not claimed
    "\x1b[?4h\x1b[?18h\x1b[?19h\x1b[?42h\x1b[?4$p\x1b[?18$p\x1b[?19$p\x1b[?42$p": (
        "\x1b[?4;1$y\x1b[?18;1$y\x1b[?19;1$y\x1b[?42;1$y"
    ),
    "\x1b[?60$p\x1b[?67$p": "\x1b[?60;4$y\x1b[?67;4$y",
    "\x1b[?1036$p": "\x1b[?1036;3$y",
    '\x1b[62;1"p\x1b[4$p\x1b[?7$p': "",
    '\x1b[63;1"p\x1b[?69$p': "\x1b[?69;0$y",
    # DECRQPSR
    "\x1b[1$w": "\x1bP1$u1;1;1;@;@;@;0;2;O;BBBB\x1b\\",
    '\x1b[3;5H\x1b[1;4;5;7m\x1b[1"q\x1b(0\x1b)A\x0e\x1b[?6h\x1b[1$w': "\x1bP1$u1;1;1;O;A;A;1;2;O;0ABB\x1b\\",
    "\x1b[2;4r\x1b[?69h\x1b[3;8s\x1b[?6h\x1b[2;2H\x1b[1$w": "\x1bP1$u3;4;1;@;@;A;0;2;O;BBBB\x1b\\",
    "\x1bN\x1b[1$w\x1bO\x1b[1$w": "\x1bP1$u1;1;1;@;@;B;0;2;O;BBBB\x1b\\\x1bP1$u1;1;1;@;@;D;0;2;O;BBBB\x1b\\",
    "\x1b[1;20Hx\x1b[1$w": "\x1bP1$u1;20;1;@;@;H;0;2;O;BBBB\x1b\\",
    "\x1b[2$w": "\x1bP2$u1/9/17\x1b\\",
    "\x1b[3g\x1b[2$w": "\x1bP2$u\x1b\\",
    "\x1b[0$w\x1b[3$w": "",
    "\x1bP2$t5/3/300/0/x\x1b\\\x1b[2$w": "\x1bP2$u3/5\x1b\\",
    # DECRQDE, which xterm lacks
    '\x1b["v': '\x1b[6;20;1;1;1"w',
    # S8C1T
    "\x1b G\x1b[5n\x1b F\x1b[5n": "\x9b0n\x1b[0n",
    '\x1b[64;0"p\x1bP$q"p\x1b\\': '\x901$r64;0"p\x9c',
    '\x1b[64"p\x1b[5n': "\x9b0n",
    '\x1b[61"p\x1b[5n\x1b G\x1b[5n': "\x1b[0n\x1b[0n",
    # XTREPORTSGR, DECRQCRA
    "\x1b[1;31mab\x1b[1;3;9mcd\x1b[1;1;1;2#|\x1b[1;1;1;4#|\x1b[5;5;4;4#|": "\x1b[0;1;31m\x1b[0;1;31m\x1b[0m",
    "A\x1b[7;1;1;1;1;1*y": "\x1bP7!~FFBF\x1b\\",
    "\x1b[7;1;1;1;1;4*y": "\x1bP7!~FFE0\x1b\\",
    "\x1b[4#y\x1b[7;1;1;1;1;4*y": "\x1bP7!~FF80\x1b\\",
    "\x1b[12#y\x1b[7;1;1;1;1;4*y": "\x1bP7!~0000\x1b\\",
    "ab c\x1b[7;1;1;1;1;4*y": "\x1bP7!~FEBA\x1b\\",
    "\x1b[1;4mX\x1b[7;1;1;1;1;1*y\x1b[2#y\x1b[7;1;1;1;1;1*y": "\x1bP7!~FF18\x1b\\\x1bP7!~FFA8\x1b\\",
    "\x1b[8msecret\x1b[1#y\x1b[7;1;1;1;1;1*y": "\x1bP7!~0020\x1b\\",
    "\x1b[1#y中\x1b[7;1;1;1;1;1*y\x1b[17#y\x1b[7;1;1;1;1;1*y": "\x1bP7!~002D\x1b\\\x1bP7!~4E2D\x1b\\",
    "\x1b[70000;1;1;1;1;1*y": "\x1bP65535!~FFE0\x1b\\",
    "\x1b[7;1;3;3;2;2*y\x1b[7;1;99;99;99;99*y": "\x1bP7!~0000\x1b\\\x1bP7!~0000\x1b\\",
    '\x1b[63;1"p\x1b[7;1;1;1;1;1*y': "",
    # OSC 5, and OSC 4 from 256 on: at first the foreground
    "\x1b]5;0;#fff;1;?\x1b\\": "\x1b]5;1;rgb:e3e3/e5e5/e8e8\x1b\\",
    "\x1b]5;0;rgb:10/20/30\x07\x1b]4;256;?\x07": "\x1b]4;256;rgb:1010/2020/3030\x07",
    "\x1b]4;257;rgb:10/20/30\x07\x1b]5;1;?;0;?\x07": "\x1b]5;1;rgb:1010/2020/3030\x07\x1b]5;0;rgb:e3e3/e5e5/e8e8\x07",
    "\x1b]5;0;rgb:10/20/30\x07\x1b]105;0\x07\x1b]5;0;?\x07": "\x1b]5;0;rgb:e3e3/e5e5/e8e8\x07",
    "\x1b]5;0;rgb:10/20/30\x07\x1b]105\x07\x1b]5;0;?\x07": "\x1b]5;0;rgb:e3e3/e5e5/e8e8\x07",
    "\x1b]5;5;?\x07\x1b]5;99;?\x07\x1b]5;x;?\x07": "",
    # XTGETTCAP: the name in the case that was asked with; an unknown one ends the list
    "\x1bP+q436F\x1b\\": "\x1bP1+r436F=323536\x1b\\",
    "\x1bP+q436f;544e\x1b\\": "\x1bP1+r436f=323536\x1b\\\x1bP1+r544e=787465726d2d323536636f6c6f72\x1b\\",
    "\x1bP+q7a7a;436f\x1b\\": "\x1bP0+r\x1b\\",
    "\x1bP+q5463\x1b\\": "\x1bP1+r5463\x1b\\",
}


@pytest.mark.parametrize("asked", ANSWERS, ids=repr)
def test_a_question_is_answered_as_by_xterm(asked: str) -> None:
    assert answer(asked) == ANSWERS[asked]


@pytest.mark.parametrize(
    ("setting", "before", "expected"),
    [
        ("m", "\x1b[1;31m", "0;1;31m"),
        ("r", "\x1b[2;4r", "2;4r"),
        ("s", "\x1b[?69h\x1b[3;8s", "3;8s"),
        (" q", "\x1b[4 q", "4 q"),
        ('"q', '\x1b[1"q', '1"q'),
        ('"q', "\x1bV", '0"q'),
        ('"p', "", '64;1"p'),
        ('"p', '\x1b[65;1"p', '64;1"p'),
        ("t", "\x1b[27t", "6t"),  # the screen's size is a viewer's: requests to change it are ignored
        ("*|", "\x1b[24*|", "6*|"),
        ("$|", "\x1b[132$|", "20$|"),
        ("$}", "", "0$}"),
        ("$~", "", "0$~"),
        ("*x", "\x1b[2*x", "2*x"),
    ],
)
def test_decrqss_reports_the_setting(setting: str, before: str, expected: str) -> None:
    assert status(setting, before) == f"\x1bP1$r{expected}\x1b\\"


@pytest.mark.parametrize("setting", ["", "x", "+q", "mm", "r;", "m\x07", '"p"p'])
def test_decrqss_knows_no_other_setting(setting: str) -> None:
    assert status(setting) == "\x1bP0$r\x1b\\"


def test_no_title_that_could_be_a_command_is_answered_as_the_program_wrote_it() -> None:
    """A file that is printed would type it into the shell. Hexadecimal digits, asked for first, are harmless."""
    titles = "\x1b]2;rm -rf é\x07\x1b]1;i/con\x07"
    assert answer(f"{titles}\x1b[20t\x1b[21t") == ""
    assert (
        answer(f"{titles}\x1b[>1t\x1b[20t\x1b[21t")
        == f"\x1b]L{b'i/con'.hex()}\x1b\\\x1b]l{'rm -rf é'.encode().hex()}\x1b\\"
    )
    assert answer(f"{titles}\x1b[>1t\x1b[>1T\x1b[21t") == ""
    assert answer(f"{titles}\x1b[>1t\x1bc\x1b[21t") == ""


def test_a_plain_title_is_answered_as_text() -> None:
    for title in ("17.5", "ab", "x"):
        assert answer(f"\x1b]2;{title}\x07\x1b[21t") == f"\x1b]l{title}\x1b\\"
    for char in "xg -/;|&$`<>()'\"~!#*?=é":
        assert answer(f"\x1b]2;1{char}\x07\x1b[21t") == ""


def test_a_title_may_come_in_hexadecimal() -> None:
    one = Engine(6, 20)
    one.feed(b"\x1b[>0t\x1b]2;" + "né\r".encode().hex().encode() + b"\x07\x1b]2;61zz\x07\x1b]2;616\x07")
    assert one.title == "né"
    one.feed(b"\x1b[>0T\x1b]2;6162\x07")
    assert one.title == "6162"


def test_pushed_titles_have_both_titles_as_in_xterm() -> None:
    ask = "\x1b[>1t\x1b[20t\x1b[21t\x1b[>1T"

    def both(output: str) -> list[str]:
        return [
            bytes.fromhex(title).decode() for title in re.findall(r"\](?:L|l)([0-9a-f]*)\x1b", answer(output + ask))
        ]

    pushed = "\x1b]2;w\x07\x1b]1;i\x07\x1b[22;1t\x1b]2;w2\x07\x1b]1;i2\x07\x1b[22;2t\x1b]0;z\x07"
    assert both(pushed) == ["z", "z"]
    assert both(f"{pushed}\x1b[23;0t") == ["i", "w2"]
    assert both(f"{pushed}\x1b[23;1t") == ["i", "z"]
    assert both(f"{pushed}\x1b[23;2t") == ["z", "w2"]
    assert both(f"{pushed}\x1b[23t\x1b[23t") == ["i", "w"]
    assert both(f"{pushed}\x1b[23;1t\x1b[23;2t\x1b[23;0t") == ["i", "w"]


def test_the_checksum_of_a_cell_is_its_character_on_any_screen() -> None:
    """DECRQCRA with XTCHECKSUM 23, the sum of whole code points without attributes, reads the screen as text() does."""
    for seed in range(150):
        rows, cols, pieces = generate(seed, {"settings", "level", "report"})
        one = Engine(rows, cols)
        seen = re.sub(rb"(?<=[\[;])8(?=[;m])", b"7", b"".join(pieces))  # a hidden character (SGR 8) counts as a blank
        one.feed(seen + b"\x18\x1b[?6l\x1b[23#y")
        one.take_replies()
        ask = "\x1b[%d;1;%d;%d;%d;%d*y"
        text = one.text().split("\n")
        for row in range(rows):
            one.feed("".join(ask % (col, row + 1, col, row + 1, col) for col in range(1, cols + 1)).encode())
            sums = [int(found, 16) for found in re.findall(rb"!~([0-9A-F]{4})", one.take_replies())]
            assert len(sums) == cols
            visible = [found for found in sums if found != 0xFFFF]  # that of a right half
            while visible and visible[-1] == ord(" "):
                visible.pop()  # text() leaves blanks at the end out
            assert sum(visible) & 0xFFFF == sum(map(ord, text[row].rstrip(" "))) & 0xFFFF, (seed, row)


ANSWER = re.compile(
    r"(?:\x1b\[[?>]?[0-9;]*(?:\*\{|\$y|\"w|[a-zA-Z])|\x1b[P\]][0-9A-Za-z!|~$+=:;/@ \"'*}\-]*(?:\x1b\\|\x07))*",
    re.DOTALL,
)


def test_hostile_questions_give_only_answers_of_the_known_forms() -> None:
    r = random.Random(7)
    for _ in range(400):
        one = Engine(6, 20)
        for _ in range(30):
            params = ";".join(r.choice(("", "0", "1", "7", "65535", "99999999")) for _ in range(r.randint(0, 9)))
            prefix = r.choice(("", "?", ">", "="))
            tail = r.choice(
                ("$p", "*y", "#y", "#|", "#{", "#}", "$w", '"p', '"v', "n", "c", "t", "T", "x", "$v", "$x", "$r")
            )
            one.feed(f"\x1b[{prefix}{params}{tail}".encode())
            one.feed(f"\x1b]2;evil; rm -rf\x07\x1bP{r.choice(('$q', '+q', '1$t', '2$t'))}{params}evil\x1b\\".encode())
            if not r.randint(0, 9):
                one.feed(b"\x1b F")
        found = one.take_replies().decode("latin-1")
        assert "evil" not in found
        assert len(found) <= 4096
        if "\x9b" not in found and "\x90" not in found and "\x9d" not in found:
            assert ANSWER.fullmatch(found), found


def test_a_screen_of_tab_stops_is_reported_or_the_answer_is_dropped_whole() -> None:
    one = Engine(1, 1000)
    one.feed(b"\x1bP2$t" + b"/".join(b"%d" % col for col in range(1, 1001)) + b"\x1b\\\x1b[2$w\x1b[5n")
    assert one.take_replies() == b"\x1bP2$u" + b"/".join(b"%d" % col for col in range(1, 1001)) + b"\x1b\\\x1b[0n"
    one.feed(b"\x1b[2$w\x1b[2$w\x1b[5n")
    assert one.take_replies().count(b"$u") == 1


@pytest.mark.parametrize(
    "sequence",
    [
        *(b"\x1b[35$x", b"\x1b[35;1;1;999;999$x", b"\x1b[2;2;999;999;1;1;1$v", b"\x1b[1;1;999;999;7$r"),
        *(b"\x1b[1;1;1;1;999;999*y", b"\x1b[#|", b"\x1b[$z", b"\x1b[${", b"\x1b[;;;;7$t"),
        *(b"\x1b[?40h\x1b[?3h", b"\x1b[2$w", b"\x1b6", b'\x1b[64;1"p', b"\x1b[#{", b"\x1b[?7r"),
    ],
    ids=repr,
)
def test_hostile_rectangles_are_taken_in_parts(sequence: bytes) -> None:
    """Each counts its cells against the budget, so that a chunk full of them stops a lane only for a moment."""
    one = Engine(200, 200)
    one.feed(b"\x1b[1;3mx" * 100)
    data = sequence * (64 * 1024 // len(sequence))
    least = 8 if b"$" not in sequence and b"*" not in sequence and b"|" not in sequence else 200
    taken = one.feed_some(data, 400_000)
    assert taken <= 400_000 / least * len(sequence) + len(sequence)


def test_what_a_program_puts_aside_survives_a_redraw() -> None:
    one = Engine(6, 20)
    one.feed(
        b"\x1b[?2004h\x1b[?1000h\x1b[?2004;1000;25s\x1b[?2004l\x1b[?1047h\x1b[?1047s\x1b[?1047l\x1b[1;31m\x1b[1;30#{\x1b[3m"
        b"\x1b[#{\x1b[m\x1b]1;\xe2\x9c\x9cicon\x07\x1b]5;2;#123456\x07\x1b[2*x\x1b[3#y\x1b[>0;1t\x1bVguarded\x1b G"
    )
    before = one.dump()
    for dirty in (b"", b'\x1b[61"p\x1b[#{\x1b[?25;7s\x1b[>1t\x1b]5;1;#fff\x07', b"\x1b[?1049h\x1b G\x1b[22t\x1b]2;abc"):
        other = Engine(6, 20)
        other.feed(dirty)
        other.feed(one.redraw())
        assert other.dump() == before
        assert one.clone().dump() == before


def test_a_full_reset_forgets_what_was_put_aside() -> None:
    fresh, one = Engine(6, 20), Engine(6, 20)
    one.feed(b'\x1b[?2004h\x1b[?2004s\x1b[1m\x1b[#{\x1b[2*x\x1b[3#y\x1b[>0;1t\x1bVx\x1b[62;0"p\x1b[?40h\x1b[?42h\x1bc')
    assert one.dump() == fresh.dump()
