"""The page of /metrics in Prometheus' text format, imported when it is first requested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sized
from typing import Protocol

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from vibetunnel.security.audit import LogFile
from vibetunnel.security.limits import Limits
from vibetunnel.sessions.model import Status
from vibetunnel.sessions.registry import Registry

# The totals and gauges of Pump.statistics, with their help texts.
TOTALS = {
    "bytes_out": "Bytes sent to clients.",
    "bytes_in": "Bytes received from clients.",
    "frames_out": "WebSocket frames sent.",
    "frames_in": "WebSocket frames received.",
    "pty_reads": "Reads from PTYs.",
    "turns": "Turns of the lanes' event loops.",
    "moves": "Sessions moved between lanes.",
    "dropped": "Clients disconnected because they did not answer a ping.",
    "redraws": "Redraws sent to clients: after an attach, a skip ahead, a request or a resize.",
    "compressions": "Messages compressed: each once, for all clients that it was sent to.",
}
GAUGES = {
    "clients": "Attached clients.",
    "terminals": "Terminals in the pump.",
    "input_queued": "Bytes of input queued for PTYs.",
    "max_lag": "Lag of the slowest client, in bytes.",
    "blocks": "Compressed messages being sent.",
}


class Histogram(Protocol):
    """metrics.Delays."""

    total_s: float

    def up_to(self) -> Iterator[tuple[float, int]]: ...


class _Sessions(Collector):
    """Sessions, their listeners and watchers, and the pump."""

    def __init__(self, registry: Registry, watchers: Sized) -> None:
        self._registry = registry
        self._watchers = watchers

    def describe(self) -> list[Metric]:
        return []  # so that registering collects nothing

    def collect(self) -> Iterator[Metric]:
        states = Counter(session.status for session in self._registry)
        sessions = GaugeMetricFamily("vibetunnel_sessions", "Sessions by state.", labels=["state"])
        for status in Status:
            sessions.add_metric([status.value], states[status])
        yield sessions
        listeners = len(self._registry.events.broadcast.listeners)
        yield GaugeMetricFamily("vibetunnel_event_listeners", "Open streams of /api/events.", value=listeners)
        watchers = len(self._watchers)
        yield GaugeMetricFamily("vibetunnel_buffer_sockets", "Open sockets of /buffers.", value=watchers)
        statistics = self._registry.pump.statistics()
        for name, help_text in TOTALS.items():
            yield CounterMetricFamily(f"vibetunnel_pump_{name}", help_text, value=statistics[name])
        for name, help_text in GAUGES.items():
            yield GaugeMetricFamily(f"vibetunnel_pump_{name}", help_text, value=statistics[name])


class _Losses(Collector):
    """Requests refused by a rate limit, and records lost by a log."""

    def __init__(self, limits: Limits, logs: Iterable[LogFile]) -> None:
        self._limits = limits
        self._logs = tuple(logs)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        refused = CounterMetricFamily("vibetunnel_rate_limited", "Requests refused by a rate limit.", labels=["what"])
        for what, count in sorted(self._limits.refused.items()):
            refused.add_metric([what], count)
        yield refused
        lost = CounterMetricFamily("vibetunnel_log_records_lost", "Records that a log could not take.", labels=["log"])
        for each in self._logs:
            lost.add_metric([each.path.stem], each.lost)
        yield lost


class _Loop(Collector):
    """The event loop's delay."""

    def __init__(self, delays: Histogram) -> None:
        self._delays = delays

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        buckets = [(f"{bound:g}" if bound < float("inf") else "+Inf", count) for bound, count in self._delays.up_to()]
        yield HistogramMetricFamily(
            "vibetunnel_event_loop_delay_seconds",
            "Delay of the control plane's event loop.",
            buckets=buckets,
            sum_value=self._delays.total_s,
        )


class Exposition:
    """The metrics of one server. It has its own registry: several servers in one process do not mix."""

    def __init__(
        self,
        registry: Registry,
        watchers: Sized,
        limits: Limits | None,
        logs: Iterable[LogFile],
        delays: Histogram,
    ) -> None:
        self._metrics = CollectorRegistry(auto_describe=False)
        self._metrics.register(_Sessions(registry, watchers))
        if limits is not None:
            self._metrics.register(_Losses(limits, logs))
        ProcessCollector(registry=self._metrics)  # memory, descriptors, processor time; Linux only
        PlatformCollector(registry=self._metrics)
        self._metrics.register(_Loop(delays))

    def page(self) -> tuple[str, bytes]:
        """(content type, text)."""
        return CONTENT_TYPE_LATEST, generate_latest(self._metrics)
