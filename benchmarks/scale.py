"""The size of a run: how many keys, bytes, clients and seconds."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Scale:
    """The size of a run. Durations are in seconds.

    rounds         rounds that count
    warm_up        whether each peer has a round before them, which does not count
    starts         starts of each peer in a round, on pages with STARTS
    keys           keys typed per condition and round
    interval_s     mean time between two keys, however late the echoes are
    marks          keys answered in a flood, per condition and round
    idle_clients   clients attached beside the one that types
    transfer       bytes of the checked transfer
    fanout         bytes of the checked transfer to ten clients
    sessions       sessions created, and then listed
    lists, healths requests per round
    requests_s     duration of asking for as many answers as possible
    firsts         sessions created and attached to, one after the other
    attached       clients whose memory is counted
    corpus         bytes of each kind of output for engines
    hostile_step   every hostile_step-th of the hostile chunks is taken
    repeats        repetitions of what takes microseconds
    interrupts     Ctrl-C typed per condition
    settle_s       duration of the flood before each of them
    patience_s     time for one prompt; six times that for a whole condition
    log            bytes of the log that is interrupted
    alone_s        time that one slow client reads a flood
    slow_clients   slow clients whose memory is counted
    slow_s         time that they are slow
    history        bytes printed before a late client comes
    late_clients   late clients, one after the other
    lossless       bytes of the checked transfer beside a slow client
    packed         bytes of the log that is compressed
    link_s         time that a slow link carries it
    many           clients with a program each
    many_s         time that they type
    polled_few,
    polled         sessions that run and are listed again and again
    polled_s       time for that
    audience       clients attached to one session
    lines          lines of output that all of them get
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
    polled_few: int = 50
    polled: int = 300
    polled_s: float = 20
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
    polled_few=20,
    polled=100,
    polled_s=5,
    audience=2000,
    lines=8,
)
