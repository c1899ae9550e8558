"""`adlab client`: added once, listed safely, refused clearly."""

from __future__ import annotations

import pathlib

import pytest

from .conftest import Adlab


def test_a_client_is_added_and_its_slug_is_the_only_data(adlab: Adlab) -> None:
    done = adlab("client", "add", "Acme Europe", "--slug", "acme-eu", "--currency", "eur",
                 "--timezone", "Europe/Berlin")  # fmt: skip
    assert (done.code, done.out) == (0, "acme-eu\n")
    assert "Added Acme Europe. Next: adlab account connect" in done.err
    assert adlab("client", "list", "--json").json == [
        {"slug": "acme-eu", "name": "Acme Europe", "currency": "EUR",
         "timezone": "Europe/Berlin", "status": "active"},
    ]  # fmt: skip


def test_json_of_an_added_client(adlab: Adlab) -> None:
    done = adlab("client", "add", "Acme", "--slug", "acme", "--json")
    assert done.json == {"slug": "acme", "name": "Acme"}


def test_the_list_is_a_table_on_stdout_and_nothing_else(adlab: Adlab, acme: str) -> None:
    done = adlab("client", "list")
    assert (done.code, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()] == [
        ["slug", "name", "currency", "timezone", "status"],
        ["acme", "Acme", "Europe", "–", "–", "active"],
    ]


def test_no_client_yet_is_an_empty_list(adlab: Adlab) -> None:
    assert adlab("client", "list", "--json").json == []
    assert adlab("client", "list").code == 0


def test_a_slug_that_is_taken_is_code_1(adlab: Adlab, acme: str) -> None:
    done = adlab("client", "add", "Another", "--slug", acme)
    assert (done.code, done.out) == (1, "")
    assert "There is a client 'acme' already" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["Acme", "--slug", "Acme EU"], "'Acme EU' is not a slug"),
        (["Acme", "--slug", ""], "'' is not a slug"),
        (["Acme", "--slug", "-acme"], "is not a slug"),
        (["Acme", "--slug", "a" * 64], "is not a slug"),
        (["Acme", "--slug", "größe"], "is not a slug"),
        (["Acme", "--slug", "a; DROP TABLE x"], "is not a slug"),
        (["  ", "--slug", "acme"], "a client's name has 1 to 200 characters"),
        (["A" * 201, "--slug", "acme"], "a client's name has 1 to 200 characters"),
        (["Acme", "--slug", "acme", "--currency", "Euro"], "'Euro' is not a currency code"),
        (["Acme", "--slug", "acme", "--timezone", "Berlin"], "'Berlin' is not a timezone"),
    ],
)
def test_what_is_malformed_is_code_2_and_adds_nothing(
    adlab: Adlab, arguments: list[str], told: str
) -> None:
    done = adlab("client", "add", *arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert adlab("client", "list", "--json").json == []


HOSTILE = [
    "[bold red]Acme[/bold red]",
    "[/]",
    "Acme [link=http://evil]x[/link]",
    "Acme 🎯 日本語",
    "شركة أكمي",
    "'; DROP TABLE app.client; --",
    "{name} %s $(id) `id`",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_stored_and_shown_as_they_are(adlab: Adlab, name: str) -> None:
    assert adlab("client", "add", name, "--slug", "x").code == 0
    assert adlab("client", "list", "--json").json[0]["name"] == name
    shown = adlab("client", "list").out.splitlines()
    assert len(shown) == 2
    assert name in shown[1]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Acme\nadlab: all is well", "Acme adlab: all is well"),
        ("Acme\t\tEU", "Acme EU"),
        ("Acme \x1b[2Jgone", "Acme \ufffd[2Jgone"),
        ("Acme \u202eUE", "Acme \ufffdUE"),
    ],
)
def test_names_that_would_steer_a_terminal_stay_in_their_cell(
    adlab: Adlab, name: str, shown: str
) -> None:
    added = adlab("client", "add", name, "--slug", "x")
    assert added.code == 0
    assert "\x1b" not in added.err
    lines = adlab("client", "list").out.splitlines()
    assert len(lines) == 2
    assert shown in lines[1]
    assert adlab("client", "list", "--json").json[0]["name"] == name


def test_show_tells_of_accounts_people_and_retention(adlab: Adlab, connected: object) -> None:
    found = adlab("client", "show", "acme", "--json").json
    assert [a["account"] for a in found["accounts"]] == ["act_1001"]
    (link,) = found["connections"]
    assert (link["status"], link["token_age_days"], link["accounts"]) == ("ok", 0, ["act_1001"])
    assert found["retention"]["insights_months"] == 37
    assert "token_sealed" not in str(found)
    shown = adlab("client", "show", "acme")
    assert shown.code == 0
    assert "act_1001" in shown.out


def test_retention_is_shown_shortened_and_never_lengthened(adlab: Adlab, acme: str) -> None:
    done = adlab("client", "retention", acme, "--insights-months", "13", "--json")
    assert {r["what"]: r["kept"] for r in done.json} == {
        "insights months": 13, "raw days": 90, "webhooks days": 30,
    }  # fmt: skip
    refused = adlab("client", "retention", acme, "--raw-days", "91")
    assert (refused.code, refused.out) == (2, "")
    assert "raw days is 7 to 90, not 91" in refused.err
    again = adlab("client", "retention", acme, "--insights-months", "0", "--json").json
    assert again[0]["kept"] == 37


def test_a_brand_is_set_and_a_bad_one_refused(
    adlab: Adlab, acme: str, tmp_path: pathlib.Path
) -> None:
    assert adlab("client", "brand", acme, "--color", "#1a73e8").code == 0
    assert adlab("client", "show", acme, "--json").json["brand"]["color"] == "#1a73e8"
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>')
    done = adlab("client", "brand", acme, "--logo", str(logo))
    assert (done.code, done.out) == (2, "")
    assert "<script>" in done.err
    assert adlab("client", "brand", acme).code == 2


def test_offboarding_asks_shows_a_plan_and_certifies(
    adlab: Adlab, connected: object, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "leaving"
    asked = adlab("client", "offboard", "acme", "--out", str(out))
    assert (asked.code, out.exists()) == (2, False)
    assert "add --yes" in asked.err
    planned = adlab("client", "offboard", "acme", "--dry-run", "--json")
    assert planned.json["rows"]["sec.connection"] == 1
    assert not out.exists()
    done = adlab("client", "offboard", "acme", "--out", str(out), "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json["client"] == "acme"
    assert (out / "certificate.pdf").read_bytes().startswith(b"%PDF")
    assert "acme" not in adlab("client", "list").out
    shown = adlab("client", "show", "acme")
    assert "genuine" in shown.out
    again = adlab("client", "add", "Acme", "--slug", "acme")
    assert (again.code, again.out) == (1, "")
    assert "was off-boarded" in again.err
    assert adlab("client", "offboard", "acme", "--yes").code == 1
