"""What a worker tells Prometheus. Labels hold kinds, codes and account numbers; never a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server


class Measures:
    """Counters and gauges of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "adlab_meta_calls",
            "Requests to the Graph API.",
            ["endpoint", "outcome"],
            registry=self.registry,
        )
        self.call_seconds = Histogram(
            "adlab_meta_call_seconds",
            "Seconds a request took.",
            ["endpoint"],
            registry=self.registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
        )
        self.rows = Counter(
            "adlab_rows",
            "Rows received by jobs; state says whether they changed anything.",
            ["kind", "state"],
            registry=self.registry,
        )
        self.jobs = Counter(
            "adlab_jobs", "Jobs that ended.", ["kind", "outcome"], registry=self.registry
        )
        self.job_seconds = Histogram(
            "adlab_job_seconds",
            "Seconds a job took.",
            ["kind"],
            registry=self.registry,
            buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600),
        )
        self.depth = Gauge(
            "adlab_queue_depth",
            "Jobs that wait or run.",
            ["kind", "state"],
            registry=self.registry,
        )
        self.oldest = Gauge(
            "adlab_queue_oldest_seconds",
            "How long the oldest waiting job is due.",
            ["kind"],
            registry=self.registry,
        )
        self.lag = Gauge(
            "adlab_lag_seconds",
            "Since an account was read last.",
            ["account_id"],
            registry=self.registry,
        )
        self.quota = Gauge(
            "adlab_quota_used_percent",
            "How much of a meter is used.",
            ["account_id", "meter"],
            registry=self.registry,
        )
        self.leads = Gauge(
            "adlab_worker_leads", "Whether this worker queues what is due.",
            registry=self.registry,
        )  # fmt: skip

    def serve(self, host: str, port: int) -> int:
        """Serve `/metrics` in a thread.

        Returns:
            The port, which was chosen freely when 0 was asked for.
        """
        server, _ = start_http_server(port, addr=host, registry=self.registry)
        return int(server.server_port)

    def observe(self, endpoint: str, outcome: str, seconds: float) -> None:
        """A request to the Graph API ended: `ok`, or the code of its error."""
        self.calls.labels(endpoint, outcome).inc()
        self.call_seconds.labels(endpoint).observe(seconds)

    def job_ended(self, kind: str, outcome: str, seconds: float, rows: int, changed: int) -> None:
        """A job ended."""
        self.jobs.labels(kind, outcome).inc()
        self.job_seconds.labels(kind).observe(seconds)
        self.rows.labels(kind, "changed").inc(changed)
        self.rows.labels(kind, "same").inc(max(0, rows - changed))

    def look(
        self,
        now: datetime,
        depth: Iterable[Mapping[str, Any]],
        accounts: Iterable[Mapping[str, Any]],
        meters: Iterable[Mapping[str, Any]],
    ) -> None:
        """Take the queue, the accounts' last reading and Meta's meters as they are now."""
        self.depth.clear()
        self.oldest.clear()
        for d in depth:
            self.depth.labels(d["kind"], d["state"]).set(d["jobs"])
            if d["state"] == "queued":
                self.oldest.labels(d["kind"]).set(max(0.0, d["oldest_seconds"]))
        self.lag.clear()
        for a in accounts:
            self.lag.labels(str(a["account_id"])).set((now - a["checked_at"]).total_seconds())
        self.quota.clear()
        for m in meters:
            self.quota.labels(str(m["account_id"]), m["meter"]).set(m["percent"])
