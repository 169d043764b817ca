"""The text for Prometheus: collectors of what metrics.py has. Imported when somebody asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sized

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from vibetunnel.metrics import Delays
from vibetunnel.security.audit import LogFile
from vibetunnel.security.limits import Limits
from vibetunnel.sessions.model import Status
from vibetunnel.sessions.registry import Registry

# Totals and gauges of Pump.statistics, and what they mean.
TOTALS = {
    "bytes_out": "Bytes sent to clients.",
    "bytes_in": "Bytes received from clients.",
    "frames_out": "WebSocket frames sent.",
    "frames_in": "WebSocket frames received.",
    "pty_reads": "Reads of PTYs.",
    "turns": "Turns of the lanes' loops.",
    "moves": "Sessions moved between lanes.",
    "dropped": "Clients dropped because they gave no sign of life.",
    "redraws": "Redraws sent to clients that came, fell behind, asked, or saw the size change.",
    "compressions": "Messages compressed, once for all clients that they were sent to.",
}
GAUGES = {
    "clients": "Attached clients.",
    "terminals": "Terminals in the pump.",
    "input_queued": "Bytes of input that wait for PTYs.",
    "max_lag": "Bytes by which the slowest client is behind.",
    "blocks": "Compressed messages that are being sent.",
}


class _Sessions(Collector):
    """Sessions, who looks at them, and the pump."""

    def __init__(self, registry: Registry, watchers: Sized) -> None:
        self._registry = registry
        self._watchers = watchers

    def describe(self) -> list[Metric]:
        return []  # nothing is collected to find out the names

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


class _Doors(Collector):
    """Who was turned away for asking too much, and what the logs have lost."""

    def __init__(self, limits: Limits, logs: Iterable[LogFile]) -> None:
        self._limits = limits
        self._logs = tuple(logs)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        refused = CounterMetricFamily("vibetunnel_rate_limited", "Refusals by what was too much.", labels=["what"])
        for what, count in sorted(self._limits.refused.items()):
            refused.add_metric([what], count)
        yield refused
        lost = CounterMetricFamily("vibetunnel_log_records_lost", "Records that no log has.", labels=["log"])
        for each in self._logs:
            lost.add_metric([each.path.stem], each.lost)
        yield lost


class _Loop(Collector):
    """How late the event loop is."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        buckets = [(f"{bound:g}" if bound < float("inf") else "+Inf", count) for bound, count in self._delays.up_to()]
        yield HistogramMetricFamily(
            "vibetunnel_event_loop_delay_seconds",
            "By how much the control plane's event loop is late.",
            buckets=buckets,
            sum_value=self._delays.total_s,
        )


class Exposition:
    """The metrics of one server. Nothing of it is global: several servers in a process do not mix."""

    def __init__(
        self, registry: Registry, watchers: Sized, limits: Limits | None, logs: Iterable[LogFile], delays: Delays
    ) -> None:
        self._metrics = CollectorRegistry(auto_describe=False)
        self._metrics.register(_Sessions(registry, watchers))
        if limits is not None:
            self._metrics.register(_Doors(limits, logs))
        ProcessCollector(registry=self._metrics)  # memory, descriptors, processor time; Linux only
        PlatformCollector(registry=self._metrics)
        self._metrics.register(_Loop(delays))

    def page(self) -> tuple[str, bytes]:
        """(content type, text)."""
        return CONTENT_TYPE_LATEST, generate_latest(self._metrics)
