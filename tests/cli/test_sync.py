"""`adlab sync`: what was done at the end, what failed by name, and a code to rely on."""

from __future__ import annotations

import pytest
from tests.conftest import TOKEN, Simulator

from .conftest import Adlab, Done

DAYS = ("--since", "2026-11-10", "--until", "2026-11-12")
QUICK = (*DAYS, "--levels", "account")


@pytest.fixture
def both(adlab: Adlab, connected: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A second client with the second account, each account with a token of its own."""
    adlab("client", "add", "Beta", "--slug", "beta")
    monkeypatch.setenv("SECOND_TOKEN", "sim-token-acct-1002")
    done = adlab("account", "connect", "act_1002", "--client", "beta", "--token-env",
                 "SECOND_TOKEN")  # fmt: skip
    assert done.code == 0, done.err
    return connected


def test_the_closing_table_is_data(adlab: Adlab, connected: Simulator) -> None:
    done = adlab("sync", *QUICK)
    assert done.code == 0
    head, line = done.out.splitlines()
    assert head.split()[:4] == ["accounts", "rows", "changed", "objects"]
    assert line.split()[:4] == ["1", "3", "3", "0"]
    assert TOKEN not in done.out + done.err


def test_json_of_a_run(adlab: Adlab, connected: Simulator) -> None:
    found = adlab("sync", *QUICK, "--json").json
    assert {k: found[k] for k in ("accounts", "rows", "changed", "slices", "skipped")} == {
        "accounts": 1, "rows": 3, "changed": 3, "slices": 1, "skipped": 0,
    }  # fmt: skip
    assert (found["complete"], found["failures"]) == (True, [])
    assert found["calls"] >= 2
    assert adlab("sync", *QUICK, "--json").json["changed"] == 0


def test_every_level_is_read_when_none_is_named(adlab: Adlab, connected: Simulator) -> None:
    found = adlab("sync", *DAYS, "--json").json
    assert (found["slices"], found["complete"]) == (4, True)
    assert found["objects"] > 10


@pytest.mark.parametrize(
    ("which", "accounts"),
    [([], 2), (["--client", "beta"], 1), (["--account", "act_1001"], 1)],
)
def test_one_client_or_account_may_be_named(
    adlab: Adlab, both: Simulator, which: list[str], accounts: int
) -> None:
    assert adlab("sync", *QUICK, *which, "--json").json["accounts"] == accounts


def test_breakdowns_and_the_catalogue_come_only_when_asked(
    adlab: Adlab, connected: Simulator
) -> None:
    connected.control("DELETE", "/__calls")
    plain = adlab("sync", *QUICK, "--json").json
    more = adlab("sync", *QUICK, "--breakdown", "age_gender", "--hourly", "--catalogue", "--json")
    assert more.code == 0
    assert more.json["calls"] > plain["calls"]
    assert more.json["rows"] > 100
    assert (more.json["accounts"], more.json["warnings"]) == (1, [])
    assert adlab("sync", *QUICK, "--json").json["calls"] == plain["calls"]


def test_what_meta_does_not_serve_is_a_warning_and_code_0(
    adlab: Adlab, connected: Simulator
) -> None:
    connected.control(
        "POST", "/__faults",
        {"kind": "error", "match": "act_1001/adspixels", "count": None,
         "params": {"code": 200, "message": "No pixels for you."}},
    )  # fmt: skip
    done = adlab("sync", *QUICK, "--catalogue", "--json")
    assert done.code == 0
    assert done.json["warnings"] == ["act_1001: pixels is not served: No pixels for you."]


def test_a_failing_account_is_code_1_and_the_other_goes_on(adlab: Adlab, both: Simulator) -> None:
    both.control("POST", "/__faults", {"kind": "error", "match": "act_1002/insights",
                                       "count": None, "params": {"code": 3, "message": "No."}})  # fmt: skip
    done: Done = adlab("sync", *QUICK, "--json")
    assert done.code == 1
    assert (done.json["complete"], done.json["rows"]) == (False, 3)
    (failure,) = done.json["failures"]
    assert failure["account"] == "act_1002"
    assert "(Meta error 3) No." in failure["problem"]
    assert "adlab: act_1002: account 2026-11-10..2026-11-12: " in done.err


def test_a_dead_token_is_code_1_and_marked_for_people(adlab: Adlab, both: Simulator) -> None:
    both.control("POST", "/__faults", {"kind": "expired_token", "match": "act_1002", "count": None})
    done = adlab("sync", *QUICK)
    assert done.code == 1
    assert "adlab: act_1002: " in done.err
    assert "adlab account connect" in done.err
    both.control("DELETE", "/__faults")
    health = {a["account"]: a["connection"] for a in adlab("account", "list", "--json").json}
    assert health == {"act_1001": "ok", "act_1002": "reauth_required"}
    again = adlab("sync", *QUICK, "--json")
    assert (again.code, again.json["accounts"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--since", "yesterday"], "--since 'yesterday' is not a day"),
        (["--breakdown", "mood"], "there is no breakdown 'mood'; there are age_gender"),
        (["--breakdown-level", "ad"], "--breakdown-level needs --breakdown"),
        (
            ["--breakdown", "image_asset", "--breakdown-level", "account"],
            "image_asset at campaign, adset, ad, not at account",
        ),
        (["--until", "12.11.2026"], "--until '12.11.2026' is not a day"),
        (["--since", "2026-11-12", "--until", "2026-11-10"], "is after --until"),
        (["--levels", "adgroup"], "there is no level 'adgroup'"),
        (["--levels", ","], "--levels is empty"),
        (["--levels", "creative"], "insights have account,campaign,adset,ad only"),
        (["--levels", "ad,creative"], "insights have account,campaign,adset,ad only"),
        (["--account", "Acme"], "is not an ad account id"),
    ],
)
def test_what_is_malformed_is_code_2(adlab: Adlab, arguments: list[str], told: str) -> None:
    done = adlab("sync", *arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "No ad account is connected."),
        (["--account", "act_1001"], "Account act_1001 is not connected."),
        (["--client", "acme"], "No ad account is connected for client 'acme'."),
        (["--client", "nobody"], "There is no client 'nobody'."),
    ],
)
def test_nothing_to_read_is_code_1(
    adlab: Adlab, acme: str, arguments: list[str], told: str
) -> None:
    done = adlab("sync", *arguments, "--json")
    assert (done.code, done.out) == (1, "")
    assert told in done.err


def test_levels_are_read_in_any_order_and_spelling(adlab: Adlab, connected: Simulator) -> None:
    found = adlab("sync", *DAYS, "--levels", "Campaigns, account,campaign", "--json").json
    assert found["slices"] == 2
