"""Make the recordings: real programs on a PTY, keys pressed for them, in an environment that says nothing of its maker.

python tests/engine/vt/record.py [NAME ...]    writes recordings/NAME.ROWSxCOLS.gz, the bytes that the PTY gave
Needs Linux, root (for namespaces of processes and of the host's name), vim, htop, less, tmux and mc. The tables need
rich and textual beside this Python, and node with ink and react in ./node_modules. In a folder for this alone, where
REPO is the repository:

    python -m venv v && v/bin/pip install ptyprocess rich textual && npm install ink react
    PYTHONPATH=REPO v/bin/python REPO/tests/engine/vt/record.py rich rich-narrow textual textual-narrow ink ink-narrow
"""

from __future__ import annotations

import gzip
import os
import random
import select
import shutil
import sys
import time
from pathlib import Path

from ptyprocess import PtyProcess

from vibetunnel._ext.vt import Engine

TABLES = Path(__file__).with_name("tables")
FOLDER = Path(__file__).with_name("recordings")
HOME = Path("/tmp/x")
START_S = 15.0  # until a program prints something
QUIET_S = 1.0  # a program that has printed nothing for so long waits for a key
LONGEST_S = 3.0  # or is one that never stops
MOST = 400_000  # bytes of a recording, before compression

WORDS = (
    "the quick brown fox jumps over a lazy dog while seven wizards brew potent grog for 日本 and Zürich 🚀 ok".split()
)

PROGRESS = r"""
import sys, time
for step in range(101):
    done = step * 40 // 100
    sys.stdout.write(f"\r\x1b[K\x1b[32m{'█' * done}\x1b[90m{'░' * (40 - done)}\x1b[0m {step:3}% ")
    sys.stdout.write(f"\x1b[1m{step * 7.31:.1f} MB/s\x1b[0m")
    sys.stdout.flush()
    if step % 25 == 24:
        sys.stdout.write(f"\r\x1b[K\x1b[33mpart {step // 25 + 1} of 4 is done\x1b[0m\n")
    time.sleep(0.01)
sys.stdout.write("\nready\n")
"""

# What coding agents print: a box to type in at the bottom that is drawn again for each step, text above it that stays.
AGENT = r"""
import random, sys, time
w = sys.stdout.write
r = random.Random(7)
words = "reads the file and changes parser tests build 日本語 fix édit done → next ✓ ✗ token".split()
def box(note):
    w("\x1b[?2026h\x1b[?25l")
    w("\x1b[36m╭" + "─" * 58 + "╮\x1b[0m\r\n")
    w("\x1b[36m│\x1b[0m > \x1b[2mtype here\x1b[0m" + " " * 46 + "\x1b[36m│\x1b[0m\r\n")
    w("\x1b[36m╰" + "─" * 58 + "╯\x1b[0m\r\n")
    w(f"  \x1b[38;2;215;119;87m{note}\x1b[0m \x1b[2m(esc to interrupt)\x1b[0m")
    w("\x1b[?25h\x1b[?2026l")
    sys.stdout.flush()
def unbox():
    w("\x1b[2K" + "\x1b[1A\x1b[2K" * 3 + "\x1b[G")
w("\x1b[?2004h\x1b[?1004h\x1b[>1u\x1b]0;agent\x07")
box("✻ starts")
for step in range(40):
    unbox()
    if step % 3 == 0:
        text = " ".join(r.choice(words) for _ in range(r.randint(4, 40)))
        w(f"\x1b[32m●\x1b[0m {text}\r\n")
    if step % 7 == 3:
        for line in range(r.randint(2, 5)):
            w(f"\x1b[48;2;34;92;43m\x1b[38;5;15m {line + 10:3} + value = {r.random():.6f}\x1b[K\x1b[0m\r\n")
            w(f"\x1b[48;2;122;41;54m\x1b[38;5;15m {line + 10:3} - value = {r.random():.6f}\x1b[K\x1b[0m\r\n")
    if step % 11 == 5:
        w("see \x1b]8;;https://example.org/issue\x1b\\\x1b[4:3;58;5;39mthe issue\x1b[0m\x1b]8;;\x1b\\\r\n")
    box("✻✽✶✳"[step % 4] + f" thinks… {step}s · {step * 137} tokens")
    time.sleep(0.01)
unbox()
w("\x1b[<u\x1b[?1004l\x1b[?2004ldone\r\n")
"""

# Name: rows, columns, command, keys. Each line of keys is pressed when the program has become quiet.
PROGRAMS: dict[str, tuple[int, int, list[str], bytes]] = {
    "vim": (
        24,
        80,
        ["vim", "-u", "NONE", "-N", "+set number ruler hlsearch wrap", "+syntax on", "story.txt"],
        (
            b"jjjjjjjjjjjjjjjjjjjjjj\n\x06\n\x06\n\x02\n/fox\r\nn\nn\nddddp\n3O\nnew text \xe6\x97\xa5\xe6\x9c\xac\x1b"
            b"\nu\n\x12\n:split\r\n\x17j\nG\ngg\ndG\nu\n:q!\r\n:set nowrap\r\n30zl\n\x05\x05\x05\x05\x05\n\x19\x19\x19"
            b"\nvjjd\n:%s/the/THE/g\r\n:q!\r"
        ),
    ),
    "less": (
        24,
        80,
        ["less", "-R", "story.txt"],
        b" \n \nb\nj\nj\nj\nk\nk\n/wizards\r\nn\nN\nG\ng\n20j\n-S\r\n\x1b[C\nq",
    ),
    "htop": (
        30,
        100,
        ["htop", "-d", "2"],
        b"\x1b[B\n\x1b[B\nt\nt\n\x1bOQ\n\x1b[B\n\x1b[21~\nI\n/ht\r\nq",
    ),
    "tmux": (
        24,
        80,
        ["tmux", "-f", "tmux.conf", "-L", "x", "new-session", "bash --norc --noprofile"],
        (
            b"cat story.txt\r"
            b'\n\x02%\nls -l --time-style=+\r\n\x02"\nseq 1 60\r\n\x02\x1b[D\nclear\r\n\x02z\n\x02z\n\x02['
            b"\n\x1b[5~\n\x1b[5~\nq\n\x02;\nexit\r\n\x02o\nexit\r\nexit\r"
        ),
    ),
    "mc": (
        30,
        100,
        ["mc", "--nosubshell", "--color"],
        (
            b"\x1bOB\n\x1bOB\n\t\n\x1bOB\n\x1bOB\n\x1bOR\n\x1b[21~\n\x1b[20~\n\x1bOC\n\x1bOB\n\x1b\x1b\n\x1b[17~\n\x1b\x1b"
            b"\n\x1b[21~\n\r"
        ),
    ),
    "progress": (24, 80, [sys.executable, "-c", PROGRESS], b""),
    "agent": (24, 60, [sys.executable, "-c", AGENT], b""),
    "shell": (
        10,
        40,
        ["bash", "--norc", "--noprofile", "-i"],
        (
            b"echo hello\r\ncat story.txt | head -5\r\nls --color=always\r\necho a long line that wraps at the "
            b"margin of the screen\n\x01\x05\x17\x17\n\r\n\x12ech\n\x07\nprintf '\\t%s\\n' a b c\r\nfor i in 1 2 3; do "
            b"echo $i; done\r\n\x10\x10\x0e\n\x15\nexit\r"
        ),
    ),
}


# Tables with every kind of wide character, by libraries that measure clusters and ask for no mode. The table is on the
# screen at the end.
WRITERS: dict[str, tuple[list[str], bytes]] = {
    "rich": ([sys.executable, "rich_table.py"], b""),
    "textual": ([sys.executable, "textual_table.py"], b"\x1b[B\n\x1b[B\n\x1b[B\x1b[B\x1b[B"),
    "ink": (["node", "ink_table.mjs"], b""),
}
for writer, (written_by, pressed) in WRITERS.items():
    PROGRAMS[writer] = (24, 90, written_by, pressed)
    PROGRAMS[f"{writer}-narrow"] = (30, 36, written_by, pressed)


def furnish() -> None:
    """A home with a text to read and some files to look at."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    r = random.Random(3)
    lines = [" ".join(r.choice(WORDS) for _ in range(r.randint(0, 25))) for _ in range(150)]
    (HOME / "story.txt").write_text("\n".join(lines) + "\n")
    (HOME / "tmux.conf").write_text("set -g status-right ''\nset -g escape-time 0\nset -g status-interval 0\n")
    for name in ("alpha", "beta", "gamma"):
        (HOME / name).mkdir()
        (HOME / name / "note.txt").write_text(name * 20)
    for path in HOME.rglob("*"):
        os.utime(path, (0, 0))


def furnish_tables() -> None:
    for path in TABLES.iterdir():
        shutil.copy(path, HOME)
    (HOME / "node_modules").symlink_to(Path("node_modules").absolute())


def record(rows: int, cols: int, command: list[str], keys: bytes) -> bytes:
    inner = f"hostname box; cd {HOME}; exec env -i HOME={HOME} PATH=/usr/bin:/bin TERM=xterm-256color LANG=C.UTF-8 "
    inner += "USER=me LOGNAME=me SHELL=/bin/sh TMPDIR=/tmp/x HISTFILE= PS1='$ ' COLORTERM=truecolor \"$@\""
    process = PtyProcess.spawn(
        ["unshare", "--fork", "--pid", "--uts", "--mount-proc", "sh", "-c", inner, "sh", *command],
        dimensions=(rows, cols),
    )
    terminal = Engine(rows, cols)
    output = b""
    waiting = keys.split(b"\n")
    since = time.monotonic()
    while len(output) < MOST:
        ready = select.select([process.fd], [], [], QUIET_S if output else START_S)[0]
        if ready:
            try:
                data = os.read(process.fd, 65536)
            except OSError:
                break
            output += data
            terminal.feed(data)
            os.write(process.fd, terminal.take_replies())
        if not ready or time.monotonic() - since > LONGEST_S:
            if not waiting:
                break
            os.write(process.fd, waiting.pop(0))
            since = time.monotonic()
    process.terminate(force=True)
    return output


def main(names: list[str]) -> None:
    for name in names or PROGRAMS:
        furnish()
        if name.removesuffix("-narrow") in WRITERS:
            furnish_tables()
        rows, cols, command, keys = PROGRAMS[name]
        output = record(rows, cols, command, keys)
        path = FOLDER / f"{name}.{rows}x{cols}.gz"
        path.write_bytes(gzip.compress(output, mtime=0))
        print(f"{path.name}: {len(output)} bytes, {path.stat().st_size} compressed")
    shutil.rmtree(HOME, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
