"""What the collector counts, and how Prometheus reads it.

Here belong counters and their text. No label holds anything that a request says of itself: an unknown source is `unknown`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0, 5.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
TENANTS_SHOWN = 20
"""Series by tenant; the rest is one series, so that many tenants do not make many series."""


class Histogram:
    """Counts by upper bound."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Bounds are inclusive and ascend; above the last there is one more."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """In Prometheus's text format."""
        yield f"# TYPE {name} histogram"
        total = 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


class Metrics:
    """All counters of one process, since its start."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._acknowledged = 0
        self._failed_groups = 0
        self._seconds = Histogram(SECONDS)
        self._sizes = Histogram(SIZES)

    def request(self, source: str, status: int, seconds: float) -> None:
        """One request was answered."""
        self._requests[source, status] += 1
        self._acknowledged += status == 200
        self._seconds.add(seconds)

    def group(self, size: int, is_stored: bool) -> None:
        """One group was written, or could not be."""
        self._sizes.add(size)
        self._failed_groups += not is_stored

    def text(self, waiting: Mapping[str, int], segments: int, connections_age_seconds: float) -> str:
        """In Prometheus's text format; `waiting` are places of the queue by tenant."""
        lines = ["# TYPE flexoraa_collector_requests_total counter"]
        lines += [
            f'flexoraa_collector_requests_total{{source="{source}",status="{status}"}} {count}'
            for (source, status), count in sorted(self._requests.items())
        ]
        for name, kind, value in (
            ("acknowledged_total", "counter", self._acknowledged),
            ("failed_groups_total", "counter", self._failed_groups),
            ("segments_closed_total", "counter", segments),
            ("connections_age_seconds", "gauge", round(connections_age_seconds, 1)),
            ("queue_places", "gauge", sum(waiting.values())),
        ):
            lines += [f"# TYPE flexoraa_collector_{name} {kind}", f"flexoraa_collector_{name} {value}"]
        lines.append("# TYPE flexoraa_collector_tenant_queue_places gauge")
        longest = sorted(waiting.items(), key=lambda each: (-each[1], each[0]))
        shown = dict(longest[:TENANTS_SHOWN])
        rest = sum(places for _, places in longest[TENANTS_SHOWN:])
        lines += [f'flexoraa_collector_tenant_queue_places{{tenant="{tenant}"}} {places}' for tenant, places in shown.items()]
        lines += [f"flexoraa_collector_other_tenants_queue_places {rest}"]
        lines += self._seconds.lines("flexoraa_collector_request_seconds")
        lines += self._sizes.lines("flexoraa_collector_group_size")
        return "\n".join(lines) + "\n"
