"""Benches: pumps under test, closed at the end with nothing left open."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bench import Bench, Screen
from pump_peer import PumpPeer, no_leaked_descriptors


@pytest.fixture
def peers() -> Callable[..., PumpPeer]:
    """What makes the clients of a bench; a module may have another."""
    return Screen


@pytest.fixture
def make(peers: Callable[..., PumpPeer]) -> Iterator[Callable[..., Bench]]:
    """Makes benches; the options are those of Pump."""
    benches: list[Bench] = []

    def build(**options: Any) -> Bench:
        benches.append(Bench(peers, **options))
        return benches[-1]

    with no_leaked_descriptors():
        yield build
        for bench in benches:
            bench.close()


@pytest.fixture
def bench(make: Callable[..., Bench]) -> Bench:
    return make()
