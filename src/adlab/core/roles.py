"""Roles and what each may do. Command line, database grants and web checks all read this table.

A *person* has one agency-wide role; a *grant* gives a person a role on one client, perhaps until
a day. Rights are what the code asks for; nobody asks for a role by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The eight roles of the product."""

    OWNER = "owner"
    ADMIN = "admin"
    ACCOUNT_MANAGER = "account_manager"
    ANALYST = "analyst"
    CLIENT_VIEWER = "client_viewer"
    CLIENT_APPROVER = "client_approver"
    AUDITOR = "auditor"
    SERVICE = "service"


class Right(StrEnum):
    """One thing somebody may do."""

    SEE_DATA = "see_data"
    SEE_ALL_CLIENTS = "see_all_clients"
    USE_NOTEBOOKS = "use_notebooks"
    OPERATE = "operate"
    PROPOSE = "propose"
    APPROVE = "approve"
    PLAN = "plan"
    USE_API = "use_api"
    SEE_OVERVIEW = "see_overview"
    GRANT = "grant"
    SEE_AUDIT = "see_audit"


@dataclass(frozen=True)
class RoleDefinition:
    """What a role is for, and the rights it carries."""

    role: Role
    purpose: str
    rights: frozenset[Right]


def _define(role: Role, purpose: str, *rights: Right) -> RoleDefinition:
    return RoleDefinition(role, purpose, frozenset(rights))


ROLES: dict[Role, RoleDefinition] = {
    d.role: d
    for d in (
        _define(Role.OWNER, "owns the installation", *Right),
        _define(
            Role.ADMIN, "runs it: clients, people, connections",
            Right.SEE_DATA, Right.SEE_ALL_CLIENTS, Right.USE_NOTEBOOKS, Right.OPERATE,
            Right.GRANT, Right.SEE_AUDIT, Right.PLAN, Right.SEE_OVERVIEW, Right.PROPOSE,
            Right.USE_API,
        ),
        _define(
            Role.ACCOUNT_MANAGER, "looks after granted clients",
            Right.SEE_DATA, Right.USE_NOTEBOOKS, Right.PROPOSE, Right.APPROVE, Right.PLAN,
            Right.SEE_OVERVIEW, Right.USE_API,
        ),
        _define(
            Role.ANALYST, "explores granted clients",
            Right.SEE_DATA, Right.USE_NOTEBOOKS, Right.PLAN, Right.SEE_OVERVIEW, Right.PROPOSE,
            Right.USE_API,
        ),
        _define(Role.CLIENT_VIEWER, "a client's own people, looking", Right.SEE_DATA),
        _define(
            Role.CLIENT_APPROVER, "a client's own people, approving",
            Right.SEE_DATA, Right.APPROVE,
        ),
        _define(Role.AUDITOR, "reads the audit log of everything", Right.SEE_AUDIT),
        _define(
            Role.SERVICE, "a program, on granted clients",
            Right.SEE_DATA, Right.PROPOSE, Right.USE_API,
        ),
    )
}  # fmt: skip


def parse_role(text: str) -> Role:
    """Read a role's name; hyphens and spaces count as underscores.

    Raises:
        ValueError: If there is no such role; the message lists them.
    """
    try:
        return Role(text.strip().lower().replace("-", "_").replace(" ", "_"))
    except ValueError:
        names = ", ".join(r.value for r in Role)
        raise ValueError(f"there is no role {text!r}; roles are {names}") from None


def sees_all_clients(role: Role) -> bool:
    """Whether people of this role see every client without a grant."""
    return Right.SEE_ALL_CLIENTS in ROLES[role].rights


def has_right(role: str, right: Right) -> bool:
    """Whether people of this role have that right; an unknown role has none."""
    return role in {r.value for r in ROLES} and right in ROLES[Role(role)].rights
