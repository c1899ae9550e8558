"""Who may do what: one table, written out here a second time."""

from __future__ import annotations

import pytest

from adlab.core.roles import ROLES, Right, Role, has_right, parse_role, sees_all_clients

EXPECTED: dict[str, set[str]] = {
    "owner": {
        "see_data", "see_all_clients", "use_notebooks", "operate", "approve", "grant", "see_audit",
        "plan", "see_overview",
    },
    "admin": {
        "see_data", "see_all_clients", "use_notebooks", "operate", "grant", "see_audit", "plan",
        "see_overview",
    },
    "account_manager": {"see_data", "use_notebooks", "approve", "plan", "see_overview"},
    "analyst": {"see_data", "use_notebooks", "plan", "see_overview"},
    "client_viewer": {"see_data"},
    "client_approver": {"see_data", "approve"},
    "auditor": {"see_audit"},
    "service": {"see_data"},
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


def test_who_sees_every_client_plans_for_every_client() -> None:
    # The database gives agency-wide roles the right to plan with each implied grant.
    assert all(Right.PLAN in ROLES[r].rights for r in Role if sees_all_clients(r))
