"""What is older than a client's retention goes, what remains still adds up, nothing comes back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.conftest import Simulator

from adlab.core.entities import Level
from adlab.core.errors import UnknownObjectError
from adlab.core.periods import DateRange
from adlab.core.privacy import Retention
from adlab.services import backfill
from adlab.services.privacy_retention import apply_retention, set_retention
from adlab.services.sync_run import SyncRequest
from adlab.storage import timescale
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.storage.insights import rebuild_summary

from .test_ingest import MOMENT, Agency

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
TODAY = date(2026, 11, 21)


class Store:
    """Two clients with four years of days each, some of them imported."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with transaction(engine) as c:
            self.ids = {s: store_client(c, s, s).client_id for s in ("acme", "beta")}
            for number, slug in enumerate(self.ids, 1):
                c.execute(
                    text("INSERT INTO app.account (account_id, client_id, name, currency, timezone,"
                         " source) VALUES (:a, :c, 'A', 'EUR', 'Europe/Berlin', 'meta')"),
                    {"a": number * 1000, "c": self.ids[slug]},
                )  # fmt: skip
                self.fill(c, slug, date(2022, 11, 1), TODAY)
        self.compress()

    def fill(
        self, c: Any, slug: str, since: date, until: date, imported: int | None = None
    ) -> None:
        scope = {"c": self.ids[slug], "a": list(self.ids).index(slug) * 1000 + 1000,
                 "since": since, "until": until, "i": imported}  # fmt: skip
        for level in (1, 2):
            c.execute(
                text("INSERT INTO app.insights_daily (date, client_id, account_id, level,"
                     " object_id, spend_micro, impressions, import_id, fetched_at)"
                     f" SELECT d, :c, :a, {level}, :a + {level}, 1000000, 10, :i, now()"
                     " FROM generate_series(CAST(:since AS date), :until, '1 day') d"), scope,
            )  # fmt: skip
            rebuild_summary(c, scope["a"], Level(level), DateRange(since, until))
        c.execute(
            text("INSERT INTO app.sync_state (account_id, kind, level, client_id, since, until)"
                 " VALUES (:a, 'insights', 1, :c, :since, :until) ON CONFLICT DO NOTHING"), scope,
        )  # fmt: skip

    def compress(self) -> None:
        with transaction(self.engine) as c:
            if timescale.version(c) is None:
                return
            c.execute(text("SELECT compress_chunk(x, true) FROM show_chunks('app.insights_daily',"
                           " older_than => DATE '2026-09-01') x"))  # fmt: skip

    def rows(self, sql: str, **binds: Any) -> list[Any]:
        with transaction(self.engine) as c:
            return [tuple(r) for r in c.execute(text(sql), binds)]

    def days(self, slug: str, table: str = "insights_daily") -> list[Any]:
        return self.rows(
            f"SELECT min(date), max(date), count(*), sum(spend_micro) FROM app.{table}"
            " WHERE client_id = :c AND level = 2", c=self.ids[slug],
        )  # fmt: skip


@pytest.fixture
def store(any_engine: Engine) -> Store:
    return Store(any_engine)


def test_a_shorter_retention_takes_days_of_that_client_alone(store: Store) -> None:
    set_retention(store.engine, "acme", insights_months=13)
    before = store.days("beta")
    planned = apply_retention(store.engine, NOW, "acme", dry_run=True)
    assert store.days("acme")[0][0] == date(2022, 11, 1)
    done = apply_retention(store.engine, NOW, "acme")
    assert [c.counts for c in done] == [c.counts for c in planned]
    first = date(2025, 10, 22)
    days = (TODAY - first).days + 1
    assert store.days("acme") == [(first, TODAY, days, days * 1_000_000)]
    assert store.days("acme", "account_daily") == store.days("acme")
    assert store.days("beta") == before
    assert store.rows("SELECT since FROM app.sync_state WHERE client_id = :c",
                      c=store.ids["acme"]) == [(first,)]  # fmt: skip
    assert apply_retention(store.engine, NOW, "acme") == []


def test_by_default_fetched_days_go_after_37_months_and_imported_ones_stay(store: Store) -> None:
    with transaction(store.engine) as c:
        store.fill(c, "acme", date(2020, 1, 1), date(2020, 1, 31), imported=7)
    apply_retention(store.engine, NOW)
    assert store.days("beta")[0][0] == date(2023, 10, 22)
    kept = (TODAY - date(2023, 10, 22)).days + 1
    assert store.days("acme") == [
        (date(2020, 1, 1), TODAY, kept + 31, (kept + 31) * 1_000_000)
    ]  # fmt: skip
    assert store.days("acme", "account_daily") == store.days("acme")
    set_retention(store.engine, "acme", insights_months=36)
    apply_retention(store.engine, NOW)
    assert store.days("acme")[0][0] == date(2023, 11, 22)


def test_each_run_leaves_a_line_with_counts_in_the_audit_log(store: Store) -> None:
    set_retention(store.engine, "acme", insights_months=13)
    apply_retention(store.engine, NOW, "acme", dry_run=True)
    assert store.rows("SELECT 1 FROM sec.audit WHERE action = 'retention.apply'") == []
    (done,) = apply_retention(store.engine, NOW, "acme")
    ((client, removed),) = store.rows(
        "SELECT client_id, details -> 'removed' FROM sec.audit WHERE action = 'retention.apply'"
    )
    assert (client, removed) == (store.ids["acme"], done.counts)
    assert store.rows("SELECT details -> 'after' ->> 'insights_months' FROM sec.audit"
                      " WHERE action = 'client.retention'") == [("13",)]  # fmt: skip


def test_names_in_activities_and_old_webhooks_go_with_their_days(store: Store) -> None:
    old, young = NOW - timedelta(days=20), NOW - timedelta(days=5)
    with transaction(store.engine) as c:
        for n, at in enumerate((old, young)):
            c.execute(
                text("INSERT INTO app.activity (client_id, account_id, digest, happened_at,"
                     " event_type, actor_id, actor_name, seen_at)"
                     " VALUES (:c, 1000, :n, :at, 'x', '9', 'Name', now())"),
                {"c": store.ids["acme"], "n": str(n), "at": at},
            )  # fmt: skip
            c.execute(
                text("INSERT INTO app.webhook_event (received_at, sent_at, account_id, client_id,"
                     " field, value, digest, value_digest, not_before)"
                     " VALUES (:at, :at, 1000, :c, 'f', '{}', :d, :d, :at)"),
                {"c": store.ids["acme"], "d": str(n).encode(), "at": at},
            )  # fmt: skip
    set_retention(store.engine, "acme", raw_days=14, webhooks_days=7)
    (done,) = apply_retention(store.engine, NOW, "acme")
    assert (done.counts["names_in_activities"], done.counts["webhooks"]) == (1, 1)
    assert store.rows("SELECT actor_id, actor_name FROM app.activity ORDER BY digest") == [
        (None, None), ("9", "Name"),
    ]  # fmt: skip
    assert store.rows("SELECT received_at FROM app.webhook_event") == [(young,)]


@pytest.mark.parametrize(
    "wanted",
    [{"insights_months": 38}, {"insights_months": 1}, {"insights_months": 0}, {"raw_days": 91},
     {"raw_days": 6}, {"webhooks_days": 31}, {"webhooks_days": -1}, {"reports": 3}],
)  # fmt: skip
def test_longer_than_the_default_or_too_short_is_refused(
    owner_engine: Engine, wanted: dict[str, int]
) -> None:
    with transaction(owner_engine) as c:
        store_client(c, "Acme", "acme")
    with pytest.raises(ValueError, match=r"(is|no retention)"):
        set_retention(owner_engine, "acme", **wanted)


def test_what_is_left_out_stays_and_none_is_the_default(owner_engine: Engine) -> None:
    with transaction(owner_engine) as c:
        store_client(c, "Acme", "acme")
    set_retention(owner_engine, "acme", insights_months=13)
    assert set_retention(owner_engine, "acme", raw_days=30) == Retention(13, 30, None)
    assert set_retention(owner_engine, "acme", insights_months=None) == Retention(None, 30, None)
    with pytest.raises(UnknownObjectError):
        set_retention(owner_engine, "nobody", raw_days=30)


def test_what_was_removed_is_not_read_again(owner_engine: Engine, simulator: Simulator) -> None:
    agency = Agency(owner_engine, simulator)
    set_retention(owner_engine, "berlin", insights_months=2)
    first = date(2026, 9, 22)
    agency.sync(SyncRequest(since=date(2026, 8, 1), until=TODAY, levels=("account",)))
    days = dict(agency.rows("SELECT account_id, min(date) FROM app.insights_daily GROUP BY 1"))
    assert days[1001] >= first
    assert days[1002] < first
    planned = {
        p.slug: p.period.since for p in backfill.plan(owner_engine, MOMENT, months=12)
    }  # fmt: skip
    assert (planned["berlin"], planned["tokyo"]) == (first, date(2025, 11, 22))
