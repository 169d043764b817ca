"""How much of everything is measured."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Scale:
    """
    rounds         that count; each peer has one more before them, which does not
    keys           typed per condition and round
    interval_s     mean time between two keys, whatever the echoes do
    idle_clients   attached beside the one that types
    transfer       bytes of the checked transfer
    sessions       created, and then listed
    lists, healths requests per round
    attached       clients whose memory is counted
    corpus         bytes of each kind of output that engines take
    hostile_step   of the hostile chunks, each so-many-th
    repeats        of what takes microseconds
    interrupts     Ctrl-C typed per condition
    settle_s       that a flood goes on before each
    patience_s     for one prompt; six times that for all of a condition
    log            bytes of the log that is interrupted
    slow_clients   whose memory is counted
    slow_s         that they are slow for
    history        bytes that were printed before a late client comes
    late_clients   that come, one after the other
    lossless       bytes of the checked transfer beside a slow client
    """

    rounds: int = 5
    keys: int = 1000
    interval_s: float = 0.004
    idle_clients: int = 100
    transfer: int = 64 * MIB
    sessions: int = 1000
    lists: int = 100
    healths: int = 1000
    attached: int = 500
    corpus: int = 8 * MIB
    hostile_step: int = 1
    repeats: int = 200
    interrupts: int = 20
    settle_s: float = 0.3
    patience_s: float = 5
    log: int = 64 * MIB
    slow_clients: int = 16
    slow_s: float = 60
    history: int = 100_000_000
    late_clients: int = 20
    lossless: int = 100_000_000


FULL = Scale()
QUICK = Scale(
    rounds=1,
    keys=250,
    transfer=32 * MIB,
    lists=50,
    healths=500,
    attached=200,
    corpus=2 * MIB,
    repeats=50,
    interrupts=4,
    patience_s=2,
    slow_clients=8,
    slow_s=5,
    hostile_step=4,
    history=32 * MIB,
    late_clients=5,
    lossless=32 * MIB,
)
