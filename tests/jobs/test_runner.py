"""Jobs are done once, taken over when their worker dies, and tried again when that may help."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from adlab.jobs.clock import Clock
from adlab.jobs.leader import Leadership
from adlab.jobs.runner import Pace
from adlab.jobs.tasks import TASKS
from adlab.services import backfill
from adlab.services.ingest import SyncRequest, refresh
from adlab.storage import jobs
from adlab.storage.engine import transaction
from adlab.storage.jobs import Turn
from tests.jobs.conftest import Shop

KINDS = [*TASKS, "upkeep"]


def queue(shop: Shop, kind: str, **more: Any) -> bool:
    turn = Turn(kind, f"{kind}:1001", shop.now, 1, 1001, **more)
    with transaction(shop.engine) as c:
        return jobs.enqueue(c, turn)


def states(shop: Shop) -> list[tuple[object, ...]]:
    return shop.all("SELECT key, state, attempts, error FROM app.job ORDER BY job_id")


def drain(shop: Shop) -> list[str]:
    worker = shop.worker()
    ended = []
    while (how := worker.work_once()) is not None:
        ended.append(how)
    return ended


def test_a_turn_that_comes_while_the_last_one_waits_is_the_same_turn(shop: Shop) -> None:
    assert [queue(shop, "upkeep"), queue(shop, "upkeep")] == [True, False]
    assert drain(shop) == ["done"]
    assert queue(shop, "upkeep")
    assert len(shop.upkeeps) == 1


def test_two_workers_never_get_the_same_job(shop: Shop) -> None:
    queue(shop, "upkeep")
    with transaction(shop.engine) as a, transaction(shop.engine) as b:
        until = shop.now + timedelta(seconds=30)
        assert jobs.claim(a, "one", KINDS, shop.now, until) is not None
        assert jobs.claim(b, "two", KINDS, shop.now, until) is None


def test_live_jobs_come_first_and_clients_take_turns(shop: Shop) -> None:
    with transaction(shop.engine) as c:
        c.exec_driver_sql("INSERT INTO app.client (slug, name) VALUES ('b', 'B')")
        for n, (client, priority) in enumerate([(1, 2), (1, 0), (1, 0), (2, 0)]):
            at = shop.now - timedelta(minutes=9 - n)
            jobs.enqueue(c, Turn("upkeep", f"k{n}", at, client, None, priority))
        until = shop.now + timedelta(seconds=30)
        order = [jobs.claim(c, "w", KINDS, shop.now, until) for _ in range(4)]
    assert [j.key for j in order if j] == ["k1", "k3", "k2", "k0"]


def test_a_killed_workers_job_is_taken_over_after_its_lease(shop: Shop) -> None:
    queue(shop, "upkeep")
    with transaction(shop.engine) as c:
        job = jobs.claim(c, "dead", KINDS, shop.now, shop.now + timedelta(seconds=30))
        assert job is not None
        assert jobs.take_over(c, shop.now + timedelta(seconds=29)) == []
        assert jobs.take_over(c, shop.now + timedelta(seconds=30)) == ["upkeep:1001"]
        assert not jobs.finish(c, job, "dead", "done", shop.now, jobs.Done())
    shop.now += timedelta(seconds=31)
    assert drain(shop) == ["done"]
    assert states(shop) == [("upkeep:1001", "done", 2, None)]


def test_a_running_day_is_read_again_with_every_turn(shop: Shop) -> None:
    queue(shop, "today")
    assert drain(shop) == ["done"]
    before = shop.all("SELECT max(date), count(*) FROM app.insights_daily WHERE level = 4")
    shop.move(shop.now + timedelta(hours=2))
    queue(shop, "today")
    assert drain(shop) == ["done"]
    (done,) = shop.all("SELECT rows, changed, calls FROM app.job ORDER BY job_id DESC LIMIT 1")
    assert done[1] > 0  # type: ignore[operator]
    assert done[2] == 4
    assert shop.all("SELECT count(*) > 0 FROM app.insights_version") == [(True,)]
    assert before[0][1] > 0  # type: ignore[operator]


def test_every_kind_of_job_does_its_work(shop: Shop) -> None:
    for kind in (
        "today",
        "rest",
        "close",
        "objects",
        "night",
        "catalogue",
        "breakdowns",
        "housekeeping",
    ):
        queue(shop, kind)
    assert set(drain(shop)) == {"done"}
    assert [s[3] for s in states(shop)] == [None] * 8
    assert shop.all("SELECT count(*) > 0 FROM app.insights_breakdown") == [(True,)]


def test_a_turn_that_fails_is_tried_again_later_then_given_up(shop: Shop) -> None:
    shop.simulator.control(
        "POST",
        "/__faults",
        {
            "kind": "error",
            "match": "insights",
            "count": 1000,
            "params": {"code": 2635, "message": "x"},
        },
    )
    queue(shop, "today")
    worker = shop.worker(Pace(retry=60, attempts=2))
    assert worker.work_once() == "failed"
    (first,) = states(shop)
    assert first[:3] == ("today:1001", "queued", 1)
    assert worker.work_once() is None
    shop.now += timedelta(seconds=61)
    assert worker.work_once() == "failed"
    (second,) = states(shop)
    assert second[:3] == ("today:1001", "failed", 2)
    assert "act_1001" in str(second[3])


def test_a_dead_connection_stops_its_jobs_only(shop: Shop) -> None:
    with transaction(shop.engine) as c:
        c.exec_driver_sql("UPDATE sec.connection SET status = 'reauth_required'")
        assert jobs.load_schedule(c) == []
    clock = Clock(shop.engine, lambda: shop.now)
    clock.follow()
    assert {str(k[0]) for k in shop.all("SELECT key FROM app.job")} == {
        "upkeep",
        "deletions",
        "changes",
        "conversions",
        "audit",
        "retention",
        "inbox",
        "sessions",
        "subscriptions",
        "housekeeping",
    }


def test_the_leader_catches_up_missed_turns_once(shop: Shop) -> None:
    refresh(shop.parts().ingest, SyncRequest(account="1001"))
    Clock(shop.engine, lambda: shop.now).follow()
    first = {str(k[0]) for k in shop.all("SELECT key FROM app.job")}
    assert {"today:1001", "night:1001", "close:1001", "upkeep"} <= first
    Clock(shop.engine, lambda: shop.now).follow()
    assert len(shop.all("SELECT key FROM app.job")) == len(first)
    drain(shop)
    Clock(shop.engine, lambda: shop.now).follow()
    assert shop.all("SELECT count(*) FROM app.job WHERE state = 'queued'") == [(0,)]
    shop.now += timedelta(minutes=15)
    Clock(shop.engine, lambda: shop.now).follow()
    again = shop.all("SELECT key FROM app.job WHERE state = 'queued'")
    assert ("today:1001",) in again
    assert ("night:1001",) not in again


def test_only_one_leads_and_another_follows_when_it_is_gone(owner_engine: Engine) -> None:
    one, two = Leadership(owner_engine), Leadership(owner_engine)
    assert [one.seek(), two.seek(), one.seek()] == [True, False, True]
    one.resign()
    assert two.seek()
    two.resign()


def test_a_leader_whose_connection_is_cut_no_longer_leads(
    owner_engine: Engine, database_url: str
) -> None:
    one, two = Leadership(owner_engine), Leadership(owner_engine)
    assert one.seek()
    with psycopg.connect(database_url) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database "
            "WHERE locktype = 'advisory' AND granted AND datname = current_database()"
        )
    assert two.seek()
    assert not one.seek()
    two.resign()


def test_figures_say_what_happened_and_name_nobody(shop: Shop) -> None:
    from prometheus_client import generate_latest

    queue(shop, "today")
    worker = shop.worker()
    worker.work_once()
    queue(shop, "upkeep")
    worker._beat()
    told = generate_latest(worker.measures.registry).decode()
    assert 'adlab_jobs_total{kind="today",outcome="done"} 1.0' in told
    assert 'adlab_queue_depth{kind="upkeep",state="queued"} 1.0' in told
    assert 'adlab_lag_seconds{account_id="1001"}' in told
    assert "Berlin" not in told
    assert "berlin" not in told


# Loads of history.


def planned(shop: Shop, months: int = 3) -> list[backfill.Planned]:
    return backfill.plan(shop.engine, shop.now, account="act_1001", months=months)


def test_a_load_is_planned_before_it_starts(shop: Shop) -> None:
    (plan,) = planned(shop, 37)
    assert plan.period.since.isoformat() == "2023-10-22"
    assert plan.period.until.isoformat() == "2026-11-21"
    assert (plan.tier, plan.calls > 4) == ("limited", True)
    assert plan.eta is not None
    with pytest.raises(ValueError, match="37 months"):
        planned(shop, 38)


def test_a_load_goes_newest_first_and_on_where_it_was(shop: Shop) -> None:
    backfill.begin(shop.engine, planned(shop), shop.now)
    worker = shop.worker()
    assert worker.work_once() == "later"
    with transaction(shop.engine) as c:
        (load,) = jobs.load_backfills(c)
    assert load.reached is not None
    assert load.reached.isoformat() == "2026-08-24"
    seen = shop.all("SELECT min(date) >= '2026-08-24' FROM app.insights_daily")
    assert seen == [(True,)]
    state = backfill.progress(load)
    assert 0.9 < state.share < 1
    assert state.eta is not None
    backfill.begin(shop.engine, planned(shop), shop.now)
    with transaction(shop.engine) as c:
        assert jobs.load_backfills(c)[0].reached == load.reached
    assert drain(shop) == ["done"]
    with transaction(shop.engine) as c:
        (load,) = jobs.load_backfills(c)
    assert load.finished_at == shop.now
    assert load.reached == load.since
    assert backfill.progress(load).share == 1.0


def test_a_load_that_fails_is_queued_again_by_the_leader(shop: Shop) -> None:
    backfill.begin(shop.engine, planned(shop), shop.now)
    with transaction(shop.engine) as c:
        c.exec_driver_sql("UPDATE app.job SET state = 'failed', finished_at = now()")
    Clock(shop.engine, lambda: shop.now).follow()
    assert shop.all(
        "SELECT count(*) FROM app.job WHERE kind = 'backfill' AND state = 'queued'"
    ) == [(0,)]
    shop.now += timedelta(minutes=16)
    Clock(shop.engine, lambda: shop.now).follow()
    assert shop.all(
        "SELECT count(*) FROM app.job WHERE kind = 'backfill' AND state = 'queued'"
    ) == [(1,)]


def test_a_longer_load_keeps_what_a_shorter_one_read(shop: Shop) -> None:
    backfill.begin(shop.engine, planned(shop, 1), shop.now)
    drain(shop)
    backfill.begin(shop.engine, planned(shop, 3), shop.now)
    with transaction(shop.engine) as c:
        (load,) = jobs.load_backfills(c)
    assert load.finished_at is None
    following = backfill.next_days(load)
    assert following is not None
    assert following.until.isoformat() == "2026-10-21"


def test_two_first_loads_at_once_leave_every_row_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    parts = shop.parts().ingest
    request: Callable[[], Any] = lambda: refresh(parts, SyncRequest(account="1001"))  # noqa: E731
    with ThreadPoolExecutor(3) as pool:
        reports = [f.result() for f in [pool.submit(request) for _ in range(3)]]
    assert [r.failures for r in reports] == [[], [], []]
    (counts,) = shop.all(
        "SELECT count(*), count(DISTINCT (level, object_id, date)) FROM app.insights_daily"
    )
    assert counts[0] == counts[1]


def test_a_turn_that_goes_on_later_tells_what_it_did(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    backfill.begin(shop.engine, planned(shop), shop.now)
    with caplog.at_level("INFO", "adlab.jobs.runner"):
        assert shop.worker().work_once() == "later"
    (line,) = [r.getMessage() for r in caplog.records if "kind=backfill" in r.getMessage()]
    assert shop.all("SELECT count(*) FROM app.insights_daily") == [
        (int(line.split(" rows=")[1].split()[0]),)
    ]
    assert " calls=0 " not in line
