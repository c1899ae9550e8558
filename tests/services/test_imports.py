"""Imports: a file is in the store as a whole or not at all, once, and can be taken back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from adlab.core.entities import AccountId, AccountInfo, AdObject, Level, parse_public_id
from adlab.core.errors import ConflictError, ImportRejectedError, UnknownObjectError
from adlab.core.insights import STORED_NAMES
from adlab.core.periods import DateRange
from adlab.services.imports import (
    ImportReport,
    ImportRequest,
    import_file,
    list_imports,
    undo_import,
)
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.storage.insights import store_insights
from adlab.storage.objects import store_account, store_objects

DATA = Path(__file__).resolve().parents[1] / "exports/data"
MAPPING = Path(__file__).resolve().parents[2] / "notebooks/mappings/ab_pair.yaml"
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
HEAD = "Campaign name,Day,Amount spent (EUR),Impressions,Reach,Link clicks,Purchases\n"
TWO = HEAD + "A,2026-11-01,12.50,1000,900,20,2\nB,2026-11-02,7,500,,10,\n"

Import = Callable[..., ImportReport]


@pytest.fixture
def bring(owner_engine: Engine, tmp_path: Path) -> Import:
    """Write a text to a file and import it for client acme; tells are kept in `.told`."""
    with transaction(owner_engine) as connection:
        store_client(connection, "Acme", "acme")
    told: list[tuple[int, dict[str, Any]]] = []

    def call(content: str, name: str = "f.csv", **asked: Any) -> ImportReport:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8", newline="")
        request = ImportRequest(path, asked.pop("client", "acme"), **asked)
        return import_file(
            owner_engine, request, now=lambda: NOW, tell=lambda c, e: told.append((c, e))
        )

    call.told = told  # type: ignore[attr-defined]
    return call


def rows(engine: Engine, sql: str, **binds: Any) -> list[tuple[Any, ...]]:
    with transaction(engine) as connection:
        return [tuple(r) for r in connection.execute(text(sql), binds)]


FACTS = (
    "SELECT o.name, i.date, i.spend_micro, i.impressions, i.reach, i.link_clicks, i.purchases "
    "FROM app.insights_daily i JOIN app.object o USING (account_id, level, object_id) ORDER BY 1, 2"
)
EXPECTED = [
    ("A", date(2026, 11, 1), 12_500_000, 1000, 900, 20, 2.0),
    ("B", date(2026, 11, 2), 7_000_000, 500, None, 10, None),
]


def everything(engine: Engine) -> list[Any]:
    """What an import could have changed."""
    tables = ("insights_daily", "account_daily", "object", "account", "import_file", "sync_state")
    return [rows(engine, f"SELECT t::text FROM app.{t} t ORDER BY 1") for t in tables]


def test_a_file_is_stored_exactly(owner_engine: Engine, bring: Import) -> None:
    report = bring(TWO)
    assert rows(owner_engine, FACTS) == EXPECTED
    assert (report.status, report.rows, report.objects, report.days) == ("imported", 2, 2, 2)
    assert (report.currency, report.timezone, report.timezone_from) == ("EUR", "UTC", "default")
    assert report.totals["spend_micro"] == 19_500_000
    account = parse_public_id(report.account_id)
    assert account < 0
    assert rows(owner_engine, "SELECT account_id, name, source, currency FROM app.account") == [
        (account, "Imported files (EUR, UTC)", "import", "EUR")
    ]
    assert rows(
        owner_engine, "SELECT date, level, objects, spend_micro FROM app.account_daily ORDER BY 1"
    ) == [(date(2026, 11, 1), 2, 1, 12_500_000), (date(2026, 11, 2), 2, 1, 7_000_000)]
    assert rows(owner_engine, "SELECT kind, level, since, until FROM app.sync_state") == [
        ("insights", 2, date(2026, 11, 1), date(2026, 11, 2))
    ]
    actions = rows(owner_engine, "SELECT action FROM sec.audit ORDER BY audit_id")
    assert actions == [("client.add",), ("import.file",)]
    assert bring.told == [  # type: ignore[attr-defined]
        (1, {"kind": "insights", "level": "campaign", "since": "2026-11-01", "until": "2026-11-02"})
    ]


def test_the_staging_table_has_every_stored_column() -> None:
    folder = Path(__file__).resolve().parents[2] / "src/adlab/storage/sql"
    for name in ("import_stage", "import_merge"):
        statement = (folder / f"{name}.sql").read_text()
        assert [c for c in STORED_NAMES if c not in statement] == []


def test_the_same_file_again_changes_nothing(owner_engine: Engine, bring: Import) -> None:
    bring(TWO)
    before = everything(owner_engine)
    again = bring(TWO)
    assert (again.status, again.import_id) == ("already imported", 1)
    assert "nothing was changed" in again.notices[0]
    assert bring(TWO, name="copy.csv").status == "already imported"
    assert everything(owner_engine) == before
    assert len(bring.told) == 1  # type: ignore[attr-defined]


def test_a_changed_file_replaces_its_own_rows(owner_engine: Engine, bring: Import) -> None:
    bring(TWO)
    bring(HEAD + "C,2026-11-05,1,1,1,1,1\n", name="other.csv")
    report = bring(HEAD + "A,2026-11-01,13,1000,900,20,2\n")
    assert report.replaced == (1,)
    assert [r[:3] for r in rows(owner_engine, FACTS)] == [
        ("A", date(2026, 11, 1), 13_000_000),
        ("C", date(2026, 11, 5), 1_000_000),
    ]
    assert any("more days than this one" in n for n in report.notices)
    names = rows(owner_engine, "SELECT name FROM app.object ORDER BY 1")
    assert names == [("A",), ("C",)]
    states = {r["import_id"]: r["state"] for r in list_imports(owner_engine, "acme")}
    assert states == {1: "undone", 2: "live", 3: "live"}


def test_a_failed_replacement_keeps_the_earlier_content(
    owner_engine: Engine, bring: Import
) -> None:
    bring(TWO)
    before = everything(owner_engine)
    with pytest.raises(ImportRejectedError):
        bring(HEAD + "A,2026-11-01,abc,1,1,1,1\n")
    assert everything(owner_engine) == before


def test_rows_of_another_import_are_refused_by_name(owner_engine: Engine, bring: Import) -> None:
    bring(TWO, name="november.csv")
    with pytest.raises(ImportRejectedError, match=r"november\.csv \(import 1\)") as caught:
        bring(HEAD + "A,2026-11-01,1,1,1,1,1\nZ,2026-11-01,1,1,1,1,1\n", name="again.csv")
    assert "adlab import undo 1" in caught.value.remedy
    assert len(rows(owner_engine, FACTS)) == 2


def test_the_same_content_read_differently_is_not_counted_twice(bring: Import) -> None:
    bring(TWO)
    with pytest.raises(ImportRejectedError, match="same content"):
        bring(TWO, name="copy.csv", timezone="Europe/Berlin")
    moved = bring(TWO, timezone="Europe/Berlin")
    assert (moved.replaced, moved.timezone_from) == ((1,), "flag")


def test_breakdown_rows_are_added_and_reach_is_not(owner_engine: Engine, bring: Import) -> None:
    report = bring(
        HEAD + "A,2026-11-01,1.10,10,9,1,\nA,2026-11-01,2.20,20,15,2,3\nA,2026-11-02,1,5,4,1,1\n"
    )
    assert rows(owner_engine, FACTS) == [
        ("A", date(2026, 11, 1), 3_300_000, 30, None, 3, 3.0),
        ("A", date(2026, 11, 2), 1_000_000, 5, 4, 1, 1.0),
    ]
    assert (report.read, report.rows) == (3, 2)
    assert any("2 rows share object and day" in n for n in report.notices)


def test_a_row_that_stands_twice_is_pointed_out(bring: Import) -> None:
    report = bring(HEAD + "A,2026-11-01,1,10,9,1,1\n" * 2)
    assert any("equal another one in every cell" in n for n in report.notices)


def test_totals_are_skipped_and_said(owner_engine: Engine, bring: Import) -> None:
    report = bring(HEAD + ",,19.50,1500,,30,2\n" + TWO.removeprefix(HEAD))
    assert rows(owner_engine, FACTS) == EXPECTED
    assert "Line 2 is a total" in report.notices[0]


def test_bad_rows_stop_the_import(owner_engine: Engine, bring: Import) -> None:
    before = everything(owner_engine)
    with pytest.raises(ImportRejectedError, match="3 of 4 rows") as caught:
        bring(
            HEAD + "A,2026-11-01,1,1,1,1,1\nA,2026-13-01,1,1,1,1,1\n"
            "A,2026-11-02,1.2.3,-4,1,1,1\n,2026-11-03,1,1,1,1,nan\nA,2026-11-05,1,1,1,1,1\n"
            .replace("A,2026-11-05,1,1,1,1,1\n", "")
        )  # fmt: skip
    problems = [(p.line, p.column, p.value) for p in caught.value.problems]
    assert problems == [
        (3, "Day", "2026-13-01"),
        (4, "Amount spent (EUR)", "1.2.3"),
        (4, "Impressions", "-4"),
        (5, "Campaign name", ""),
        (5, "Purchases", "nan"),
    ]
    assert everything(owner_engine) == before


def test_skip_bad_writes_the_rejects(owner_engine: Engine, bring: Import, tmp_path: Path) -> None:
    report = bring(TWO + 'A,"2026-11-31",1,1,1,1,1\n', skip_bad=True)
    assert rows(owner_engine, FACTS) == EXPECTED
    assert (report.bad_rows, report.rejects) == (1, tmp_path / "f.csv.rejects.csv")
    with (tmp_path / "f.csv.rejects.csv").open(encoding="utf-8-sig", newline="") as file:
        kept = list(csv.DictReader(file))
    assert [r["Day"] for r in kept] == ["2026-11-31"]
    assert "not a day of the calendar" in kept[0]["reason"]
    assert kept[0]["line"] == "4"


def test_a_file_of_bad_rows_only_is_refused(owner_engine: Engine, bring: Import) -> None:
    with pytest.raises(ImportRejectedError, match="None of the 1 rows"):
        bring(HEAD + "A,nonsense,1,1,1,1,1\n", skip_bad=True)
    assert rows(owner_engine, "SELECT * FROM app.import_file") == []


def test_a_dry_run_stores_nothing(owner_engine: Engine, bring: Import, tmp_path: Path) -> None:
    before = everything(owner_engine)
    report = bring(TWO + "A,never,1,1,1,1,1\n", dry_run=True, skip_bad=True)
    assert (report.status, report.import_id, report.rows) == ("would import", None, 2)
    assert (report.bad_rows, report.totals["spend_micro"]) == (1, 19_500_000)
    assert everything(owner_engine) == before
    assert not (tmp_path / "f.csv.rejects.csv").exists()
    assert bring.told == []  # type: ignore[attr-defined]


def test_undo_removes_exactly_its_rows(owner_engine: Engine, bring: Import) -> None:
    bring(HEAD + "A,2026-10-30,1,1,1,1,1\nC,2026-11-02,1,1,1,1,1\n", name="first.csv")
    before = everything(owner_engine)
    second = bring(TWO)
    done = undo_import(owner_engine, second.import_id or 0)
    assert (done.rows, done.file) == (2, "f.csv")
    after = everything(owner_engine)
    facts, summary, objects = 0, 1, 2
    assert after[facts] == before[facts]
    assert [r[0].rsplit(",", 1)[0] for r in after[summary]] == [
        r[0].rsplit(",", 1)[0] for r in before[summary]
    ]
    assert after[objects] == before[objects]
    assert rows(owner_engine, "SELECT since, until FROM app.sync_state") == [
        (date(2026, 10, 30), date(2026, 11, 2))
    ]
    with pytest.raises(ConflictError, match="undone or replaced"):
        undo_import(owner_engine, second.import_id or 0)
    with pytest.raises(UnknownObjectError, match="no import 99"):
        undo_import(owner_engine, 99)
    assert bring(TWO).status == "imported"


def test_undo_of_everything_leaves_no_coverage(owner_engine: Engine, bring: Import) -> None:
    bring(TWO)
    undo_import(owner_engine, 1)
    for table in ("insights_daily", "account_daily", "object", "sync_state"):
        assert rows(owner_engine, f"SELECT * FROM app.{table}") == []


def test_parents_are_stored(owner_engine: Engine, bring: Import) -> None:
    head = "Campaign name,Ad set name,Ad name,Ad ID,Day,Impressions\n"
    bring(head + "K,S,one,120000001,2026-11-01,1\nK,S,two,,2026-11-01,1\n", currency="EUR")
    found = rows(
        owner_engine,
        "SELECT o.level, o.name, c.name, s.name, o.object_id > 0 FROM app.object o "
        "LEFT JOIN app.object c ON c.level = 2 AND c.object_id = o.campaign_id "
        "LEFT JOIN app.object s ON s.level = 3 AND s.object_id = o.ad_set_id ORDER BY 1, 2",
    )
    assert found == [
        (2, "K", None, None, False),
        (3, "S", "K", None, False),
        (4, "one", "K", "S", True),
        (4, "two", "K", "S", False),
    ]


def test_a_shallower_level_adds_its_parts_up(owner_engine: Engine, bring: Import) -> None:
    head = "Campaign name,Ad name,Day,Impressions\n"
    lines = "K,one,2026-11-01,1\nK,two,2026-11-01,2\n"
    report = bring(head + lines, level=Level.CAMPAIGN, currency="EUR")
    assert (report.level, report.rows) == ("campaign", 1)
    assert rows(owner_engine, "SELECT impressions FROM app.insights_daily") == [(3,)]


def test_account_level_rows(owner_engine: Engine, bring: Import) -> None:
    report = bring("Day,Impressions\n2026-11-01,5\n", currency="EUR")
    assert report.level == "account"
    assert rows(owner_engine, "SELECT level, object_id = account_id FROM app.insights_daily") == [
        (1, True)
    ]


def _synced(engine: Engine) -> None:
    """Account 77 of another client, with campaign 120 delivering on 1 November."""
    with transaction(engine) as connection:
        beta = store_client(connection, "Beta", "beta")
        info = AccountInfo(AccountId(77), "Beta", "EUR", "UTC", 1)
        store_account(connection, info, beta.client_id)
        store_objects(connection, beta.client_id, 77, [AdObject(Level.CAMPAIGN, 120, "A")])
        row = ("2026-11-01", 120, 5_000_000, 10, *[None] * 15, None, None, None, None, None)
        store_insights(
            connection, client_id=beta.client_id, account_id=77, level=Level.CAMPAIGN,
            period=DateRange(date(2026, 11, 1), date(2026, 11, 1)), rows=[row],
        )  # fmt: skip


def test_what_is_synced_from_meta_is_refused(owner_engine: Engine, bring: Import) -> None:
    _synced(owner_engine)
    head = "Campaign ID,Campaign name,Day,Amount spent (EUR)\n"
    with pytest.raises(ImportRejectedError, match="act_77") as caught:
        bring(head + "120,A,2026-11-01,5\n")
    assert "adlab match" in caught.value.remedy
    with pytest.raises(ImportRejectedError, match="act_77"):
        bring("Account ID,Day,Amount spent (EUR)\n77,2026-11-01,5\n")
    assert bring(head + "120,A,2026-10-31,5\n").rows == 1
    named = bring(
        "Campaign name,Day,Amount spent (EUR)\nA,2026-11-01,5\n", name="n.csv", client="beta"
    )
    assert any("under the same name" in n for n in named.notices)


def test_currency_is_flag_then_mapping_then_header_then_client(
    owner_engine: Engine, bring: Import, tmp_path: Path
) -> None:
    with transaction(owner_engine) as connection:
        store_client(connection, "Gamma", "gamma", "CHF", "Europe/Zurich")
    plain = "Campaign name,Day,Amount spent\nA,2026-11-01,1\n"
    gamma = bring(plain, client="gamma")
    assert (gamma.currency, gamma.currency_from) == ("CHF", "client")
    assert (gamma.timezone, gamma.timezone_from) == ("Europe/Zurich", "client")
    with pytest.raises(ImportRejectedError, match="Nothing says which currency"):
        bring(plain)
    mapping = tmp_path / "m.yaml"
    mapping.write_text("currency: USD\n")
    assert bring(plain, mapping=mapping).currency_from == "mapping"
    assert bring(TWO, name="h.csv").currency_from == "file, column 'Amount spent (EUR)'"
    for wrong in ({"currency": "USD"}, {"mapping": mapping}):
        with pytest.raises(ImportRejectedError, match="contradictory: USD"):
            bring(TWO, name="w.csv", **wrong)
    two = "Campaign name,Day,Amount spent (EUR),Currency\nA,2026-11-01,1,EUR\nA,2026-11-02,1,USD\n"
    with pytest.raises(ImportRejectedError, match="contradictory"):
        bring(two, name="w.csv")
    with pytest.raises(ValueError, match="not a currency"):
        bring(TWO, name="w.csv", currency="euro")
    with pytest.raises(ValueError, match="not a timezone"):
        bring(TWO, name="w.csv", timezone="Mars")


def test_unknown_client(bring: Import) -> None:
    with pytest.raises(UnknownObjectError, match="no client 'nobody'"):
        bring(TWO, client="nobody")


def test_the_pair_can_be_compared(owner_engine: Engine, database_url: str, bring: Import) -> None:
    from adlab.core.errors import DataError
    from adlab.storage.tenancy import LoginReader
    from adlab.workbench.lab import Workbench

    for name in ("control_group.csv", "test_group.csv"):
        content = (DATA / name).read_text(encoding="utf-8")
        assert bring(content, name=name, mapping=MAPPING).rows == 30
    lab = Workbench(LoginReader(database_url), now=lambda: NOW)
    acme = lab.client("acme")
    ctr = acme.compare_arms("Control Campaign", "Test Campaign", metric="link_ctr")
    assert ctr.counts == ((154303, 3177233), (180970, 2237544))
    assert ctr.days == (29, 30)
    assert ctr.ratio == pytest.approx(1.6654, abs=5e-5)
    assert ctr.ratio_interval == pytest.approx((1.2512, 2.2165), abs=5e-5)
    assert ctr.verdict == "b better"
    assert any("randomised" in c for c in ctr.caveats)
    ids = list(acme.campaigns().index)
    cvr = acme.compare_arms(ids[0], ids[1], metric="cvr")
    assert (cvr.verdict, round(cvr.p_value, 6)) == ("no difference shown", 0.362138)
    week = acme.compare_arms(ids[0], ids[1], since="2019-08-01", until="2019-08-07")
    assert week.days == (6, 7)
    late = acme.compare_arms(ids[0], ids[1], since="2020-01-01", until="2020-01-07")
    assert late.verdict == "not enough data"
    for metric in ("roas", "purchases", "frequency"):
        with pytest.raises(DataError, match="cannot be compared"):
            acme.compare_arms(ids[0], ids[1], metric=metric)
    with pytest.raises(UnknownObjectError, match="Near: 'Control Campaign'"):
        acme.compare_arms("Control", ids[1])
    with pytest.raises(ValueError, match="both arms"):
        acme.compare_arms(ids[0], ids[0])
    lab.close()


def test_rejects_go_elsewhere_when_the_folder_is_closed(
    owner_engine: Engine, bring: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    # Reason: root may write everywhere, but nobody writes a file where a folder stands.
    (tmp_path / "f.csv.rejects.csv").mkdir()
    report = bring(TWO + "A,never,1,1,1,1,1\n", skip_bad=True)
    assert report.rejects == elsewhere / "f.csv.rejects.csv"
    assert report.rejects.is_file()


def test_the_pair_can_be_drawn(owner_engine: Engine, database_url: str, bring: Import) -> None:
    import holoviews

    from adlab.core.errors import UnknownMetricError
    from adlab.storage.tenancy import LoginReader
    from adlab.workbench.lab import Workbench

    for name in ("control_group.csv", "test_group.csv"):
        bring((DATA / name).read_text(encoding="utf-8"), name=name, mapping=MAPPING)
    lab = Workbench(LoginReader(database_url), now=lambda: NOW)
    asked = {"since": "2019-08-01", "until": "2019-08-30", "metrics": ("spend", "link_ctr")}
    frame = lab.client("acme").insights(**asked)
    drawn = holoviews.render(frame.plot.trend("link_ctr"), backend="bokeh")
    assert drawn.title.text == "CTR (link) per campaign, acme, 2019-08-01 to 2019-08-30"
    assert drawn.yaxis[0].axis_label == "CTR (link) (%)"
    assert holoviews.render(frame.plot(), backend="bokeh").yaxis[0].axis_label == "Spend (USD)"
    whole = lab.client("acme").insights(**asked, time_increment="all_days")
    assert holoviews.render(whole.plot(), backend="bokeh") is not None
    with pytest.raises(ValueError, match="no dates"):
        whole.plot.trend()
    with pytest.raises(ValueError, match="no column 'roas'"):
        frame.plot("roas")
    with pytest.raises(UnknownMetricError):
        frame.plot("beauty")
    lab.close()


def test_the_command(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("client", "add", "Acme", "--slug", "acme")
    path = tmp_path / "f.csv"
    path.write_text(TWO)
    capsys.readouterr()
    assert run("import", str(path), "--client", "acme", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["status"] == "would import"
    assert run("import", "--client", "acme", str(path), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["import_id"], said["spend"], said["rows"]) == (1, "19.50", 2)
    assert run("import", str(path), "--client", "acme") == 0
    assert "already" in capsys.readouterr().err
    assert run("import", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["file"] == "f.csv"
    path.write_text(HEAD + "A,2026-11-01,x,1,1,1,1\n")
    assert run("import", str(path), "--client", "acme") == 1
    shown = capsys.readouterr()
    assert "Amount spent (EUR)" in shown.err
    assert "--skip-bad" in shown.err
    assert run("import", str(path), "--client", "acme", "--json") == 1
    problem = json.loads(capsys.readouterr().out)["problems"][0]
    assert (problem["line"], problem["column"]) == (2, "Amount spent (EUR)")
    assert run("import", "undo", "1") == 0
    assert run("import", "undo", "1") == 1
    assert "undone" in capsys.readouterr().err
    assert run("import", str(path)) != 0
    assert run("import", "--help") == 0
    help_text = capsys.readouterr().out
    for word in ("--skip-bad", "--dry-run", "--map", "undo", "list"):
        assert word in help_text
