"""How many sessions, clients and keys does one machine hold, and which resource runs out first?

Measures    nothing: it computes and simulates, from benchmarks/RESULTS.json. A lane is a queue with one server. Keys
            come from many people independently (Poisson), and each takes the lane time that RESULTS.json says. The
            delay of a key is its wait for other keys: p50 and p99 of 200,000 simulated keys.
Leaves out  the programs in the sessions, which cost far more than their terminals; the network; NUMA.
First       checks the simulated queue against the formula (Pollaczek-Khinchine).
Run         python -m benchmarks.capacity [--cores 64] [--memory 256]
"""

import argparse
import heapq
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import percentile

RESULTS = Path(__file__).resolve().parent / "RESULTS.json"
KEYS_S = 1.0  # a second, of one typist who never pauses
LOADS = (0.01, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9)  # share of the time in which a lane is busy
LANES, LANES_LOAD = (1, 2, 4, 8), 0.8
KEYS = 200_000  # simulated for each load
AUDIENCE = 1000  # clients of one flood
BULK_LANES = 16  # the most that a server starts by default
TOLERANCE = 0.1  # share of the formula's mean delay
GIB = 2**30


@dataclass(frozen=True)
class Costs:
    """What one of each costs.

    key_us       lane time for a key and its echo
    flood_ms     lane time for a MiB of output to one client
    more_ms      lane time for a MiB of output to each of ten clients of one session
    base_mib     memory of the idle server
    lazy_kib     memory of a session that has not started
    session_kib  memory of a running session with a client and an empty scrollback
    flooded_mib  additional memory once its scrollback and ring are full
    client_kib   memory of one more client
    line_us      lane time for a line to each of many clients
    """

    key_us: float
    flood_ms: float
    more_ms: float
    base_mib: float
    lazy_kib: float
    session_kib: float
    flooded_mib: float
    client_kib: float
    line_us: float


def read(text: str, clients: int) -> Costs:
    """Our costs, from RESULTS.json.

    clients  of the audience's row
    Raises KeyError for a row without our figure.
    """
    found = {row["key"]: row["peers"].get("vibetunnel", {}).get("medians") for row in json.loads(text)["rows"]}
    rows = {key: medians for key, medians in found.items() if medians}
    return Costs(
        key_us=rows["echo_cpu"][0],
        flood_ms=rows["flood_cpu"][0],
        more_ms=rows["fanout_cpu"][0],
        base_mib=rows["memory_idle"][0],
        lazy_kib=rows["memory_session"][0],
        session_kib=rows["many_session"][0],
        flooded_mib=rows["flood_memory"][0],
        client_kib=rows["audience_memory"][0],
        line_us=rows["audience_line"][0] * 1000 / clients,
    )


def delays(load: float, service_us: float, keys: int, chance: random.Random) -> Iterator[float]:
    """How many us each of `keys` keys waits for earlier keys, in a lane that is busy for `load` of the time."""
    gap_us = service_us / load
    now = free = 0.0
    for _ in range(keys):
        now += chance.expovariate(1 / gap_us)
        yield max(0.0, free - now)
        free = max(free, now) + service_us


def shared(lanes: int, load: float, service_us: float, keys: int, chance: random.Random) -> Iterator[float]:
    """The same, if any of `lanes` may take the next key."""
    gap_us = service_us / load / lanes
    free = [0.0] * lanes
    now = 0.0
    for _ in range(keys):
        now += chance.expovariate(1 / gap_us)
        at = max(now, free[0])
        yield at - now
        heapq.heapreplace(free, at + service_us)


def mean_delay_us(load: float, service_us: float) -> float:
    """The mean wait in a queue with one server and a fixed service time (Pollaczek-Khinchine)."""
    return load * service_us / (2 * (1 - load))


def about(figure: float) -> str:
    """Two significant digits, which is all that measured costs give: `61,000,000`, `1,600`, `4.3`."""
    rounded = float(f"{figure:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{round(rounded, 1):g}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description="What one machine holds.")
    parser.add_argument("--cores", type=int, default=64, help="cores of the machine (64)")
    parser.add_argument("--memory", type=int, default=256, help="its memory for terminals, in GiB (256)")
    parser.add_argument("--clients", type=int, default=10_000, help="number of clients in the audience's row (10000)")
    options = parser.parse_args(arguments)
    costs = read(RESULTS.read_text(encoding="utf-8"), options.clients)
    tables = (_holds(costs, options.cores, options.memory * GIB), _delays(costs), _lanes(costs))
    print("\n\n".join("\n".join(lines) for lines in tables))
    return 0


def _delays(costs: Costs) -> list[str]:
    lines = ["| of a lane's time | typists | p50 us | p99 us | formula's mean us | simulated |", "| ---: " * 6 + "|"]
    for load in LOADS:
        found = list(delays(load, costs.key_us, KEYS, random.Random(1)))
        mean, expected = sum(found) / KEYS, mean_delay_us(load, costs.key_us)
        if abs(mean - expected) > TOLERANCE * max(expected, 1):
            raise AssertionError(f"load {load}: expected a mean delay of {expected:.1f} us, got {mean:.1f}")
        typists = load * 1e6 / costs.key_us / KEYS_S
        p50, p99 = percentile(found, 50), percentile(found, 99)
        figures = " | ".join(about(each) for each in (typists, p50, p99, expected, mean))
        lines.append(f"| {load:.0%} | {figures} |")
    return lines


def _lanes(costs: Costs) -> list[str]:
    """What more interactive lanes would bring: if sessions stay in their lane, and if any lane may take any key."""
    lines = ["| interactive lanes | typists | p99 us, each its own sessions | p99 us, any key |", "| ---: " * 4 + "|"]
    for count in LANES:
        typists = count * LANES_LOAD * 1e6 / costs.key_us / KEYS_S
        own = percentile(list(delays(LANES_LOAD, costs.key_us, KEYS, random.Random(1))), 99)
        any_key = percentile(list(shared(count, LANES_LOAD, costs.key_us, KEYS, random.Random(1))), 99)
        lines.append(f"| {count} | {about(typists)} | {about(own)} | {about(any_key)} |")
    return lines


def _holds(costs: Costs, cores: int, memory: int) -> list[str]:
    """How many of each thing its resource allows, if nothing else uses that resource."""
    room_kib = (memory - costs.base_mib * 2**20) / 1024
    bulk = min(BULK_LANES, max(1, cores // 2))
    rows = [
        ("lazy sessions", room_kib / costs.lazy_kib, "memory"),
        ("sessions with a client each", room_kib / costs.session_kib, "memory"),
        ("... with full scrollback", room_kib / (costs.session_kib + costs.flooded_mib * 1024), "memory"),
        ("clients of one session", room_kib / costs.client_kib, "memory"),
        ("keys a second, the interactive lane half busy", 0.5e6 / costs.key_us, "one core"),
        ("MiB/s of floods, a client each", bulk * 1000 / costs.flood_ms, f"{bulk} bulk lanes"),
        (f"MiB/s of one flood to {AUDIENCE:,} clients, in all", 1000 / costs.more_ms, "one core"),
        ("clients that a line reaches in 100 ms", 100_000 / costs.line_us, "one core"),
    ]
    lines = ["| | holds | bound by |", "| --- | ---: | --- |"]
    return [*lines, *(f"| {what} | {about(count)} | {by} |" for what, count, by in rows)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
