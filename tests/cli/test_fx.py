"""`adlab fx`: whole files or nothing, replaced when loaded again."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, text
from tests.cli.conftest import Adlab

from adlab.storage.engine import transaction

ECB = "Date,USD,JPY,\n2026-11-20,1.0512,161.37,\n2026-11-19,1.0498,N/A,\n"


def _file(tmp_path: Path, content: str) -> str:
    path = tmp_path / "eurofxref-hist.csv"
    path.write_text(content)
    return str(path)


def _count(engine: Engine) -> int:
    with transaction(engine) as c:
        found: int = c.scalar(text("SELECT count(*) FROM app.fx_rate"))  # type: ignore[assignment]
    return found


def test_a_bad_line_is_named_and_nothing_is_stored(
    adlab: Adlab, tmp_path: Path, owner_engine: Engine
) -> None:
    done = adlab("fx", "load", _file(tmp_path, ECB + "2026-11-18,one,160,\n"))
    assert done.code == 1
    assert "one" in done.err
    assert "is not a rate; use digits and a decimal point" in done.err
    assert _count(owner_engine) == 0
    as_json = adlab("fx", "load", _file(tmp_path, ECB + "x,1,1\n"), "--json")
    assert as_json.code == 1
    assert as_json.json["problems"][0]["line"] == 4


def test_a_base_and_a_source_that_are_none_are_misuse(adlab: Adlab, tmp_path: Path) -> None:
    assert adlab("fx", "load", _file(tmp_path, ECB), "--base", "euros").code == 2
    assert adlab("fx", "load", _file(tmp_path, ECB), "--source", " ").code == 2
    assert adlab("fx", "load", str(tmp_path / "none.csv")).code == 1


def test_a_dry_run_stores_nothing(adlab: Adlab, tmp_path: Path, owner_engine: Engine) -> None:
    done = adlab("fx", "load", _file(tmp_path, ECB), "--dry-run", "--json")
    assert done.json == {
        "status": "checked", "rates": 3, "currencies": ["EUR", "JPY", "USD"],
        "since": "2026-11-19", "until": "2026-11-20", "source": "eurofxref-hist.csv",
    }  # fmt: skip
    assert _count(owner_engine) == 0


def test_rates_are_loaded_listed_and_replaced(
    adlab: Adlab, tmp_path: Path, owner_engine: Engine
) -> None:
    assert "There is no rate yet" in adlab("fx", "list").err
    assert adlab("fx", "load", _file(tmp_path, ECB), "--source", "ECB").code == 0
    again = adlab("fx", "load", _file(tmp_path, ECB.replace("1.0512", "1.06")), "--source", "ECB")
    assert again.code == 0
    assert _count(owner_engine) == 3
    listed = adlab("fx", "list", "--json").json
    assert listed == [
        {"base": "EUR", "quote": "JPY", "source": "ECB", "days": 1, "since": "2026-11-20",
         "until": "2026-11-20", "newest_rate": "161.37"},
        {"base": "EUR", "quote": "USD", "source": "ECB", "days": 2, "since": "2026-11-19",
         "until": "2026-11-20", "newest_rate": "1.06"},
    ]  # fmt: skip
    with transaction(owner_engine) as c:
        actions = c.scalars(text("SELECT action FROM sec.audit WHERE action = 'fx.load'")).all()
    assert len(actions) >= 2
