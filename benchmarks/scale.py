"""How much of everything is measured."""

from dataclasses import dataclass


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
    """

    rounds: int = 5
    keys: int = 1000
    interval_s: float = 0.004
    idle_clients: int = 100
    transfer: int = 64 * 1024 * 1024
    sessions: int = 1000
    lists: int = 100
    healths: int = 1000
    attached: int = 500


FULL = Scale()
QUICK = Scale(rounds=3, keys=250, transfer=32 * 1024 * 1024, lists=50, healths=500, attached=200)
