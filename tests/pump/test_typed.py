"""Input that a person typed, and the reports that a terminal sends by itself (ext/wire/typed.pxd)."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vibetunnel._ext.probes import Typing
from vibetunnel._ext.pump import is_typed

# What a terminal sends by itself.
REPORTS = [
    *(b"\x1b[<35;10;20M", b"\x1b[<32;1;1M", b"\x1b[<51;222;333m", b"\x1b[MC!!", b"\x1b[M@\x00\xff", b"\x1b[67;12;13M"),
    b"\x1b[MC\xc4\x80\xc5\x81",  # mode 1005
    *(b"\x1b[I", b"\x1b[O"),
    *(b"\x1b[?62;22c", b"\x1b[>41;354;0c", b"\x1bP!|00000000\x1b\\"),
    *(b"\x1b[0n", b"\x1b[12;34R", b"\x1b[?12;34;1R", b"\x1b[?997;1n", b"\x1b[2;1;1;128;128;1;0x"),
    *(b"\x1b[4;2$y", b"\x1b[?2004;1$y"),
    *(
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]4;7;rgb:ff/ff/ff\x07",
        b"\x1b]52;c;aGVsbG8=\x07",
        b"\x1b]ltitle\x1b\\",
    ),
    *(b"\x1bP>|xterm(390)\x1b\\", b"\x1bP1$r0m\x1b\\", b"\x1bP1+r544e=78\x1b\\", b"\x1b_Gi=1;OK\x1b\\"),
    *(b"\x1b[?1u", b"\x1b[4;600;800t", b"\x1b[6;17;8t", b"\x1b[8;24;80t", b"\x1b[1t"),
]
# What a person sends.
KEYS = [
    *(b"a", b"\r", b"\x03", b"\x7f", b"\xc3\xbc", b"\x1b", b"\x1ba", b"\x1b[", b"\x1bO", b"\x1bP", b"\x1b]", b"\x1b_"),
    *(b"\x1b[A", b"\x1bOA", b"\x1b[1;5C", b"\x1b[3~", b"\x1bOR", b"\x1b[15;2~", b"\x1b[97;5u", b"\x1b[200~"),
    *(
        b"\x1b[<0;1;1M",
        b"\x1b[<0;1;1m",
        b"\x1b[<64;5;5M",
        b"\x1b[<1035;1;1M",
        b"\x1b[M !!",
        b"\x1b[M`!!",
        b"\x1b[32;1;1M",
    ),
    *(b"\x1b[Z", b"\x1b[1I", b"\x1b[c", b"\x1b[5R", b"\x1b[<35;1M", b"\x1b[\x1b"),
    b"\x1bP>|touch x\r\x1b\\",  # no answer runs a command
]

NUMBERS = rb"[0-9]*"
PLACE = rb"(?>[\xc2-\xdf][\x80-\xbf]|[\x00\x20-\xff])"
TEXT = rb"[\x20-\x7e\x80-\xff]*"
ONE = [
    rb"\x1b\[<(?:MOTION);%s;%s[Mm]" % (NUMBERS, NUMBERS),
    rb"\x1b\[(?:PLAIN);%s;%s(?>M)" % (NUMBERS, NUMBERS),
    rb"\x1b\[M[@-_]" + PLACE + PLACE,
    rb"\x1b\[[IO]",
    rb"\x1b\[[?>=][0-9;$]*[@-~]",
    rb"\x1b\[[0-9;$]*\$[0-9;$]*y",
    rb"\x1b\[[0-9]*(?:;[0-9]*)+[Rx]",
    rb"\x1b\[[0-9;]+[nt]",
    rb"\x1bP[0-9>!$+]" + TEXT + rb"\x1b\\",
    rb"\x1b\][0-9lL]" + TEXT + rb"(?:\x07|\x1b\\)",
    rb"\x1b_G" + TEXT + rb"\x1b\\",
]
# A report that has begun, but not what may also be a key.
BEGUN = [
    rb"\x1b\[[<?>=][0-9;$]*",
    rb"\x1b\[[0-9;$]+",
    rb"\x1b\[M(?:[@-_]%s?)?" % PLACE,
    rb"\x1bP[0-9>!$+]" + TEXT + rb"\x1b?",
    rb"\x1b\][0-9lL]" + TEXT + rb"\x1b?",
    rb"\x1b_G" + TEXT + rb"\x1b?",
]


def alternatives(patterns: list[bytes]) -> bytes:
    motion = b"|".join(b"0*%d" % n for n in range(1000) if n & 32)
    plain = b"|".join(b"0*%d" % n for n in range(1000) if n >= 32 and (n - 32) & 32)
    return b"|".join(patterns).replace(b"MOTION", motion).replace(b"PLAIN", plain)


MANY = re.compile(rb"(?>%s)*" % alternatives(ONE))
REST = re.compile(alternatives(BEGUN))
OPEN = re.compile(rb"\x1b\[M[@-_]%s[\xc2-\xdf]\Z" % PLACE)  # whole, and the next byte may still belong to it


class Oracle:
    """The same answers from regular expressions, which keep the bytes of an unfinished report."""

    def __init__(self) -> None:
        self.begun = b""

    def typed(self, message: bytes) -> bool:
        whole = self.begun + message
        found = MANY.match(whole)
        assert found is not None
        rest = whole[found.end() :]
        if not rest:
            last = OPEN.search(whole)
            self.begun = last[0] if last else b""
            return False
        self.begun = rest if REST.fullmatch(rest) else b""
        return not self.begun


@pytest.mark.parametrize("report", REPORTS, ids=repr)
def test_a_report_is_not_typed_wherever_it_is_cut(report: bytes) -> None:
    assert not is_typed(report)
    for cut in range(3, len(report)):
        client = Typing()
        assert [client.typed(report[:cut]), client.typed(report[cut:])] == [False, False], cut


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_a_key_is_typed_also_among_reports(key: bytes) -> None:
    assert is_typed(key)
    for report in REPORTS:
        assert is_typed(report + key)
        client = Typing()
        assert [client.typed(each) for each in (report, key, report)] == [False, True, False]


def test_nothing_is_not_typed() -> None:
    assert not is_typed(b"")


PIECES = st.one_of(
    st.sampled_from(REPORTS),
    st.sampled_from(KEYS),
    st.text(alphabet="\x1b[]<?>M;$c0123 R\x07\\PA", max_size=4).map(str.encode),
    st.binary(max_size=3),
)


@given(st.lists(st.lists(PIECES, max_size=3).map(b"".join), max_size=6))
@example([b"\x1b[MC\xc4", b"\x80\xc5", b"\x81", b"a"])
def test_the_extension_and_the_oracle_agree(messages: list[bytes]) -> None:
    ours, oracle = Typing(), Oracle()
    assert [ours.typed(each) for each in messages] == [oracle.typed(each) for each in messages]


@given(st.lists(st.sampled_from(REPORTS), min_size=1, max_size=6).map(b"".join), st.data())
def test_reports_cut_at_random_are_never_typed(stream: bytes, data: st.DataObject) -> None:
    keys = (b"\x1b", b"\x1b[", b"\x1bP", b"\x1b]", b"\x1b_")  # a message that ends like this is a key
    whole = [at for at in range(1, len(stream)) if stream[at] != 0x5C and not stream[:at].endswith(keys)]
    cuts = sorted(data.draw(st.sets(st.sampled_from(whole)))) if whole else []
    client = Typing()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        assert not client.typed(stream[start:end])
