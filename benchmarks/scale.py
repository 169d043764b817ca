"""How much of everything is measured."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Scale:
    """
    rounds         that count
    warm_up        whether each peer has one more before them, which does not count
    starts         of each peer in a round of a page that wants more than one
    keys           typed per condition and round
    interval_s     mean time between two keys, whatever the echoes do
    marks          keys answered in a flood, per condition and round
    idle_clients   attached beside the one that types
    transfer       bytes of the checked transfer
    fanout         bytes of the checked transfer to ten clients
    sessions       created, and then listed
    lists, healths requests per round
    requests_s     that as many as possible are answered
    firsts         sessions made and attached to, one after the other
    attached       clients whose memory is counted
    corpus         bytes of each kind of output that engines take
    hostile_step   of the hostile chunks, each so-many-th
    repeats        of what takes microseconds
    interrupts     Ctrl-C typed per condition
    settle_s       that a flood goes on before each
    patience_s     for one prompt; six times that for all of a condition
    log            bytes of the log that is interrupted
    alone_s        that one slow client reads a flood
    slow_clients   whose memory is counted
    slow_s         that they are slow for
    history        bytes that were printed before a late client comes
    late_clients   that come, one after the other
    lossless       bytes of the checked transfer beside a slow client
    packed         bytes of the log that is compressed
    link_s         that a slow link carries it
    many           clients with a program each
    many_s         that they type
    audience       clients attached to one session
    lines          of output that all of them get
    """

    rounds: int = 3
    starts: int = 3
    warm_up: bool = True
    keys: int = 700
    interval_s: float = 0.004
    marks: int = 300
    idle_clients: int = 100
    transfer: int = 64 * MIB
    fanout: int = 32 * MIB
    sessions: int = 1000
    lists: int = 100
    healths: int = 1000
    requests_s: float = 3
    firsts: int = 100
    attached: int = 500
    corpus: int = 8 * MIB
    hostile_step: int = 1
    repeats: int = 200
    interrupts: int = 20
    settle_s: float = 0.3
    patience_s: float = 5
    log: int = 64 * MIB
    alone_s: float = 10
    slow_clients: int = 16
    slow_s: float = 20
    history: int = 100_000_000
    late_clients: int = 20
    lossless: int = 100_000_000
    packed: int = 32 * MIB
    link_s: float = 10
    many: int = 1000
    many_s: float = 70
    audience: int = 10_000
    lines: int = 20


FULL = Scale()
QUICK = Scale(
    rounds=1,
    starts=1,
    warm_up=False,
    keys=250,
    marks=75,
    transfer=32 * MIB,
    fanout=16 * MIB,
    lists=50,
    healths=500,
    requests_s=1,
    firsts=30,
    attached=200,
    corpus=2 * MIB,
    repeats=50,
    interrupts=3,
    patience_s=2,
    alone_s=1.5,
    slow_clients=8,
    slow_s=3,
    hostile_step=4,
    history=32 * MIB,
    late_clients=5,
    lossless=32 * MIB,
    packed=8 * MIB,
    link_s=1.5,
    many=200,
    many_s=3,
    audience=2000,
    lines=8,
)
