"""Who may do what: one table, written out here a second time."""

from __future__ import annotations

import pytest

from adlab.core.roles import (
    ROLES,
    Right,
    Role,
    has_right,
    limits_of,
    parse_role,
    sees_all_clients,
)

EXPECTED: dict[str, set[str]] = {
    "owner": {
        "see_data", "see_all_clients", "use_notebooks", "operate", "approve", "grant", "see_audit",
        "plan", "see_overview", "propose", "use_api",
    },
    "admin": {
        "see_data", "see_all_clients", "use_notebooks", "operate", "grant", "see_audit", "plan",
        "see_overview", "propose", "use_api",
    },
    "account_manager": {
        "see_data", "use_notebooks", "approve", "plan", "see_overview", "propose", "use_api",
    },
    "analyst": {"see_data", "use_notebooks", "plan", "see_overview", "propose", "use_api"},
    "client_viewer": {"see_data"},
    "client_approver": {"see_data", "approve"},
    "auditor": {"see_audit"},
    "service": {"see_data", "propose", "use_api"},
}  # fmt: skip


def test_each_role_has_exactly_these_rights() -> None:
    assert {r.value: {str(x) for x in d.rights} for r, d in ROLES.items()} == EXPECTED


def test_rights_cannot_be_widened_by_whoever_reads_them() -> None:
    assert all(isinstance(d.rights, frozenset) for d in ROLES.values())
    assert all(d.purpose for d in ROLES.values())


def test_only_owners_and_admins_see_clients_without_a_grant() -> None:
    assert {r for r in Role if sees_all_clients(r)} == {Role.OWNER, Role.ADMIN}


def test_an_auditor_reads_the_log_and_no_numbers() -> None:
    assert Right.SEE_DATA not in ROLES[Role.AUDITOR].rights


@pytest.mark.parametrize(
    "text", ["client_viewer", "client-viewer", "Client Viewer", " CLIENT_VIEWER "]
)
def test_roles_are_read_in_every_usual_spelling(text: str) -> None:
    assert parse_role(text) is Role.CLIENT_VIEWER


@pytest.mark.parametrize("text", ["", "root", "ownr", "see_data"])
def test_an_unknown_role_lists_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="roles are owner, admin, account_manager, analyst"):
        parse_role(text)


def test_an_unknown_role_has_no_rights() -> None:
    assert has_right("analyst", Right.PLAN)
    assert not has_right("client_viewer", Right.PLAN)
    assert not has_right("emperor", Right.SEE_DATA)


def test_a_clients_own_people_take_less_than_the_agencys() -> None:
    for guest in (Role.CLIENT_VIEWER, Role.CLIENT_APPROVER):
        for desk in (Role.OWNER, Role.ADMIN, Role.ACCOUNT_MANAGER, Role.ANALYST):
            mine, theirs = ROLES[guest].limits, ROLES[desk].limits
            assert mine.statement_seconds < theirs.statement_seconds
            assert mine.rows < theirs.rows
            assert mine.connections < theirs.connections


def test_no_limit_is_open() -> None:
    for d in ROLES.values():
        limits = d.limits
        assert min(limits.statement_seconds, limits.idle_seconds, limits.rows) > 0
        assert 1 <= limits.connections <= 20


def test_an_unknown_role_has_the_smallest_limits() -> None:
    assert limits_of("emperor") == ROLES[Role.CLIENT_VIEWER].limits
    assert limits_of("analyst") == ROLES[Role.ANALYST].limits
