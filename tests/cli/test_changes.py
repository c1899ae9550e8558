"""`adlab change`: shown before it is done, done only when said so, taken back."""

from __future__ import annotations

import httpx
import pytest
from tests.conftest import Simulator

from .conftest import Adlab


@pytest.fixture
def ad_set(adlab: Adlab, connected: Simulator) -> str:
    """An ad set with a budget of its own, known to the store."""
    done = adlab("sync", "--client", "acme", "--since", "2026-11-20", "--until", "2026-11-20",
                 "--levels", "adset")  # fmt: skip
    assert done.code == 0, done.err
    rows = _get(connected, "act_1001/adsets", fields="id,daily_budget,effective_status")["data"]
    found: str = next(
        r["id"] for r in rows if int(r["daily_budget"]) and r["effective_status"] == "ACTIVE"
    )
    return found


def _get(simulator: Simulator, path: str, **params: str) -> dict[str, object] | object:
    answer = httpx.get(
        f"{simulator.url}/v26.0/{path}", params={"access_token": "sim-token-x", **params}
    )
    answer.raise_for_status()
    return answer.json()


def _budget(simulator: Simulator, ad_set: str) -> str:
    return str(_get(simulator, ad_set, fields="daily_budget")["daily_budget"])  # type: ignore[index]


def test_a_budget_is_checked_set_listed_and_taken_back(
    adlab: Adlab, connected: Simulator, ad_set: str
) -> None:
    before = _budget(connected, ad_set)
    budget = ("change", "budget", "act_1001", ad_set, "61.50")
    dry = adlab(*budget, "--dry-run")
    assert dry.code == 0, dry.err
    assert "→ €61.50" in dry.err
    assert _budget(connected, ad_set) == before
    done = adlab(*budget, "--yes", "--reason", "more room", "--json")
    assert done.code == 0, done.err
    assert (done.json["state"], _budget(connected, ad_set)) == ("verified", "6150")
    (entry,) = adlab("change", "list", "--client", "acme", "--json").json
    assert (entry["state"], entry["reason"]) == ("verified", "more room")
    assert entry["actor"].startswith("local owner")
    back = adlab("change", "undo", str(entry["change"]), "--yes")
    assert back.code == 0, back.err
    assert _budget(connected, ad_set) == before
    assert adlab("change", "undo", str(entry["change"]), "--yes").code == 1
    assert adlab("change", "recover", "--json").json == []


def test_nothing_is_done_without_a_yes_and_a_reason(
    adlab: Adlab, connected: Simulator, ad_set: str
) -> None:
    before = _budget(connected, ad_set)
    asked = adlab("change", "budget", "act_1001", ad_set, "61.50", "--reason", "x")
    assert asked.code == 1
    assert "→ €61.50" in asked.err
    assert "Do it?" in asked.err
    unreasoned = adlab("change", "budget", "act_1001", ad_set, "61.50", "--yes")
    assert unreasoned.code == 2
    assert "--reason" in unreasoned.err
    assert _budget(connected, ad_set) == before
    assert adlab("change", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("status", "act_1001", "AD", "deleted"), 2, "use ACTIVE or PAUSED"),
        (("budget", "act_1001", "AD", "many"), 2, "is no amount"),
        (("budget", "act_1001", "AD", "60", "--currency", "usd"), 1, "is in EUR"),
        (("bid", "act_1001", "AD", "none", "--strategy", "COST_CAP"), 2, "without an amount"),
        (("rename", "act_1001", "AD", " "), 2, "a name"),
        (("copy", "act_1001", "77"), 1, "no campaign, ad set or ad 77"),
        (("create-ad", "act_1001", "AD", "--name", "x", "--creative", "1"), 1, "creative"),
    ],
)
def test_what_cannot_be_done_is_told(
    adlab: Adlab, ad_set: str, arguments: tuple[str, ...], code: int, told: str
) -> None:
    words = [ad_set if a == "AD" else a for a in arguments]
    done = adlab("change", *words, "--dry-run")
    assert done.code == code, done.err
    assert told in done.err


def test_every_other_change_is_done(adlab: Adlab, connected: Simulator, ad_set: str) -> None:
    ads = _get(connected, f"{ad_set}/ads", fields="creative")["data"]  # type: ignore[index]
    creative = ads[0]["creative"]["id"]
    yes = ("--yes", "--reason", "test", "--json")
    for words in (
        ("status", "act_1001", ad_set, "paused"),
        ("bid", "act_1001", ad_set, "1.20", "--strategy", "COST_CAP"),
        ("rename", "act_1001", ad_set, "Renamed"),
        ("copy", "act_1001", ad_set, "--prefix", "Second "),
        ("create-ad", "act_1001", ad_set, "--name", "Blue", "--creative", creative),
    ):
        done = adlab("change", *words, *yes)
        assert done.code == 0, done.err
        assert done.json["state"] == "verified"
    listed = adlab("change", "list", "--account", "act_1001", "--limit", "2", "--json").json
    assert [e["kind"] for e in listed] == ["create_ad", "copy"]
