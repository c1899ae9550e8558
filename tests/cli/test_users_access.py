"""`adlab user` about access: roles, revoke, break-glass, disable, review, credentials."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from adlab.core.roles import ROLES, Role
from adlab.storage.access import grant, store_person
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction

from .conftest import Adlab


@pytest.fixture
def agency(owner_engine: Engine) -> None:
    """Two clients, an analyst of one, an admin."""
    with transaction(owner_engine) as c:
        store_client(c, "Acme", "acme")
        store_client(c, "Beta", "beta")
        store_person(c, "ann", Role.ANALYST)
        store_person(c, "ada", Role.ADMIN)
        grant(c, "ann", "acme", Role.ANALYST, reason="Q4")


def test_the_roles_are_printed_from_the_one_table(adlab: Adlab) -> None:
    told = adlab("user", "roles", "--json").json
    assert [r["role"] for r in told] == [r.value for r in ROLES]
    (analyst,) = [r for r in told if r["role"] == "analyst"]
    limits = ROLES[Role.ANALYST].limits
    assert (analyst["statement_seconds"], analyst["rows"]) == (
        limits.statement_seconds, limits.rows,
    )  # fmt: skip
    assert set(analyst["rights"].split(", ")) == {r.value for r in ROLES[Role.ANALYST].rights}
    assert "client_approver" in adlab("user", "roles").out


def test_a_grant_is_taken(adlab: Adlab, agency: None) -> None:
    done = adlab("user", "revoke", "ann", "--client", "acme")
    assert (done.code, done.out) == (0, "acme\n")
    again = adlab("user", "revoke", "ann", "--client", "acme")
    assert (again.code, again.out) == (1, "")
    assert "has no grant on client 'acme'" in again.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("revoke", "ann"), 2, "say --client SLUG, or --all"),
        (("revoke", "ann", "--client", "acme", "--all"), 2, "say --client SLUG, or --all"),
        (("revoke", "zoe", "--all"), 1, "no person 'zoe'"),
        (("revoke", "ann", "--client", "nobody"), 1, "no client 'nobody'"),
        (("revoke", "ada", "--client", "acme"), 1, "adlab user role ada analyst"),
        (("role", "ann", "emperor"), 2, "roles are owner, admin"),
        (("role", "local owner", "analyst"), 1, "last owner"),
        (("disable", "local owner"), 1, "last owner"),
        (("disable", "zoe"), 1, "no person 'zoe'"),
        (("enable", "zoe"), 1, "no person 'zoe'"),
        (("break-glass", "ann", "--client", "beta"), 2, "--reason"),
        (("break-glass", "ann", "--client", "beta", "--reason", " "), 2, "a reason has 1 to"),
        (("break-glass", "ann", "--client", "beta", "--reason", "x", "--hours", "25"), 2, "24"),
        (("break-glass", "ada", "--client", "beta", "--reason", "x"), 1, "sees every client"),
        (("credential", "ann", "--client", "beta"), 1, "does not see client 'beta'"),
        (("add", "a\nb", "--role", "analyst"), 2, "one line without control characters"),
        (("add", "\u202eeve", "--role", "analyst"), 2, "one line without control characters"),
        (("add", "x" * 10_000, "--role", "analyst"), 2, "1 to 100 characters"),
        (("add", "ann", "--role", "analyst"), 1, "There is a person 'ann' already"),
        (("review", "--csv", "--json"), 2, "exclude each other"),
    ],
)
def test_what_can_not_be_is_told(
    adlab: Adlab, agency: None, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = adlab("user", *arguments)
    assert (done.code, done.out) == (code, "")
    assert told in done.err


def test_a_role_changes_and_somebody_is_shut_out_and_let_in(adlab: Adlab, agency: None) -> None:
    assert adlab("user", "role", "ann", "account-manager", "--json").json == {
        "name": "ann", "role": "account_manager", "sessions_ended": 0,
    }  # fmt: skip
    assert adlab("user", "disable", "ann").out == "ann\n"
    assert adlab("user", "credential", "ann").code == 1
    enabled = adlab("user", "enable", "ann")
    assert (enabled.out, enabled.err) == ("ann\n", "ann may log in again.\n")
    assert adlab("user", "credential", "ann").code == 0


def test_a_credential_for_one_client_sees_that_one(adlab: Adlab, agency: None) -> None:
    url = adlab("user", "credential", "ada", "--client", "beta").out.strip()
    with psycopg.connect(url) as link:
        assert link.execute("SELECT slug FROM api.clients").fetchall() == [("beta",)]
        assert link.execute("SELECT clients, only_client FROM api.whoami()").fetchone() == (
            ["beta"], "beta",
        )  # fmt: skip


def test_the_review_shows_everybody_and_what_they_hold(adlab: Adlab, agency: None) -> None:
    done = adlab("user", "break-glass", "ann", "--client", "beta", "--reason", "tracking is down")
    assert done.code == 0
    rows = adlab("user", "review", "--json").json
    ann = {r["client"]: r for r in rows if r["name"] == "ann"}
    assert (ann["acme"]["given"], ann["acme"]["granted_by"], ann["acme"]["reason"]) == (
        "granted", "local owner", "Q4",
    )  # fmt: skip
    assert (ann["beta"]["given"], ann["beta"]["expired"]) == ("break-glass", False)
    assert ann["beta"]["until"] is not None
    assert "see_data" in ann["acme"]["rights"].split()
    assert {r["given"] for r in rows if r["name"] == "ada"} == {"implied"}
    assert "local owner" in {r["name"] for r in rows}
    assert "tracking is down" in adlab("user", "review").out


def test_the_review_as_a_file_holds_no_formula(adlab: Adlab, agency: None, tmp_path: Path) -> None:
    assert adlab("user", "add", "=cmd|' /C calc'!A0", "--role", "analyst").code == 0
    assert adlab(
        "user", "grant", "ann", "--client", "beta", "--role", "analyst", "--reason", "+1+1"
    ).code == 0  # fmt: skip
    path = tmp_path / "review.csv"
    done = adlab("user", "review", "--csv", "--out", str(path))
    assert (done.code, done.out) == (0, "")
    raw = path.read_bytes()
    assert raw.startswith("\ufeff".encode())
    read = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert {r["name"] for r in read} == {"ann", "ada", "local owner", "'=cmd|' /C calc'!A0"}
    assert "'+1+1" in {r["reason"] for r in read}
    assert not [v for r in read for v in r.values() if v.startswith(("=", "+", "@", "-"))]
    assert adlab("user", "review", "--out", str(tmp_path / "no" / "x.csv")).code == 2
