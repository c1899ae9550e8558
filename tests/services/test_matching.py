"""Match: every difference between an export and the store is named, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level
from adlab.core.errors import ImportRejectedError, MixedCurrencyError, UnknownObjectError
from adlab.core.insights import STORED_NAMES
from adlab.core.periods import DateRange
from adlab.services.matching import MatchReport, match_file
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.storage.insights import store_insights
from adlab.storage.objects import store_account, store_objects

HEAD = "Campaign ID,Campaign name,Day,Amount spent (EUR),Impressions,Reach,Purchases,Revenue\n"
SAME = (
    HEAD + "1,A,2026-11-01,12.50,1000,900,,\n"
    "1,A,2026-11-02,7,500,400,2,59.99\n"
    "2,B,2026-11-01,0.01,1,1,,\n"
)  # fmt: skip

Match = Callable[..., MatchReport]


def row(day: str, object_id: int, **values: float) -> tuple[Any, ...]:
    cells = [values.get(n.removesuffix("_micro")) for n in STORED_NAMES]
    return (day, object_id, *cells, None, None, None, None, None)


STORED = [
    row("2026-11-01", 1, spend=12_500_000, impressions=1000, reach=900),
    row("2026-11-02", 1, spend=7_000_000, impressions=500, reach=400, purchases=2.0,
        revenue=59_990_000),
    row("2026-11-01", 2, spend=10_000, impressions=1, reach=1, purchases=0.0),
    # No delivery: an export does not list it.
    row("2026-11-02", 2, spend=0, impressions=0),
]  # fmt: skip


def fill(engine: Engine, account_id: int = 77, currency: str = "EUR") -> None:
    with transaction(engine) as connection:
        acme = store_client(connection, "Acme", "acme")
        info = AccountInfo(AccountId(account_id), "Main", currency, "UTC", 1)
        store_account(connection, info, acme.client_id)
        campaigns = [AdObject(Level.CAMPAIGN, i, n) for i, n in ((1, "A"), (2, "B"))]
        store_objects(connection, acme.client_id, account_id, campaigns)
        store_insights(
            connection, client_id=acme.client_id, account_id=account_id, level=Level.CAMPAIGN,
            period=DateRange(date(2026, 11, 1), date(2026, 11, 2)), rows=STORED,
        )  # fmt: skip


@pytest.fixture
def compare(owner_engine: Engine, tmp_path: Path) -> Match:
    """Match a text against a client with one account, two campaigns and two days."""
    fill(owner_engine)

    def call(content: str, client: str = "acme", **asked: Any) -> MatchReport:
        path = tmp_path / "export.csv"
        path.write_text(content, encoding="utf-8")
        return match_file(owner_engine, path, client, **asked)

    return call


def test_equal_files_match(compare: Match) -> None:
    report = compare(SAME)
    assert report.differences == ()
    assert report.equal
    assert (report.compared, report.by, report.accounts) == (3, "id", ("act_77",))
    assert report.metrics == ("spend", "impressions", "reach", "purchases", "revenue")
    assert "3 rows equal, 0 differ" in report.summary()


def test_by_name_where_the_file_has_no_ids(compare: Match) -> None:
    named = "\n".join(",".join(line.split(",")[1:]) for line in SAME.splitlines())
    report = compare(named)
    assert (report.differences, report.by) == ((), "name")


def test_every_difference_is_named(compare: Match) -> None:
    report = compare(
        HEAD + "1,A,2026-11-01,12.51,990,900,,\n1,A,2026-11-02,7,500,401,2,59.992\n"
        "3,C,2026-11-02,1,,,,\n"
    )
    found = [(d.kind, d.object, d.day.day, d.metric, d.file, d.store, d.difference)
             for d in report.differences]  # fmt: skip
    assert found == [
        ("differs", "A", 1, "spend", Decimal("12.51"), Decimal("12.5"), Decimal("0.01")),
        ("differs", "A", 1, "impressions", 990, 1000, -10),
        ("only in store", "B", 1, "spend", None, Decimal("0.01"), Decimal("-0.01")),
        ("only in store", "B", 1, "impressions", None, 1, -1),
        ("only in store", "B", 1, "reach", None, 1, -1),
        ("differs", "A", 2, "reach", 401, 400, 1),
        ("only in file", "C", 2, "spend", Decimal("1"), None, Decimal("1")),
    ]
    assert (report.differing, report.only_in_file, report.only_in_store) == (2, 1, 1)


def test_breakdowns_are_added_before_comparing(compare: Match) -> None:
    report = compare(
        HEAD + "1,A,2026-11-01,12,600,500,,\n1,A,2026-11-01,0.50,400,450,,\n"
        "1,A,2026-11-02,7,500,400,2,59.99\n2,B,2026-11-01,0.01,1,1,,\n"
    )
    assert report.differences == ()


def test_only_days_of_the_file_count(compare: Match) -> None:
    assert compare(HEAD + "1,A,2026-11-02,7,500,400,2,59.99\n").equal


def test_currencies_must_be_equal(compare: Match) -> None:
    with pytest.raises(MixedCurrencyError, match="is in USD, and the store has EUR"):
        compare(SAME.replace("EUR", "USD"))


def test_an_unsynced_level_is_explained(compare: Match) -> None:
    report = compare("Ad ID,Day,Impressions\n9,2026-11-01,5\n")
    assert report.only_in_file == 1
    assert "--levels ad" in report.notices[0]


def test_account_level(owner_engine: Engine, compare: Match) -> None:
    with transaction(owner_engine) as connection:
        store_insights(
            connection, client_id=1, account_id=77, level=Level.ACCOUNT,
            period=DateRange(date(2026, 11, 1), date(2026, 11, 1)),
            rows=[row("2026-11-01", 77, impressions=1001)],
        )  # fmt: skip
    assert compare("Day,Impressions\n2026-11-01,1001\n").equal
    assert not compare("Account ID,Day,Impressions\n77,2026-11-01,1000\n").equal


@pytest.mark.parametrize(
    ("content", "asked", "error", "message"),
    [
        (SAME, {"client": "nobody"}, UnknownObjectError, "no client"),
        (SAME, {"account": "act_5"}, UnknownObjectError, "act_5"),
        (SAME, {"account": "x"}, ValueError, "not an ad account id"),
        (HEAD + "1,A,2026-11-01,x,1,1,1,1\n", {}, ImportRejectedError, "1 rows"),
        (HEAD + ",A,2026-11-01,1,1,1,1,1\n", {}, ImportRejectedError, "matched by id"),
        ("Campaign ID,Day,Leads\n1,2026-11-01,1\n", {}, ImportRejectedError, "none of the metrics"),
    ],
)
def test_what_cannot_be_compared(
    compare: Match, content: str, asked: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        compare(content, **asked)


def test_the_command(
    run: Callable[..., int],
    owner_engine: Engine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill(owner_engine)
    path = tmp_path / "e.csv"
    path.write_text(SAME)
    assert run("match", str(path), "--client", "acme") == 0
    assert "3 rows equal" in capsys.readouterr().err
    path.write_text(SAME.replace("12.50", "12.40"))
    assert run("match", str(path), "--client", "acme") == 1
    assert "-0.10" in capsys.readouterr().out
    assert run("match", str(path), "--client", "acme", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["differences"] == [
        {"kind": "differs", "object": "A", "object_id": "1", "day": "2026-11-01",
         "metric": "spend", "file": "12.40", "store": "12.50", "difference": "-0.10"}
    ]  # fmt: skip
