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
class Limits:
    """How much one person of a role may take at once, so that others get their turn.

    Attributes:
        statement_seconds: Longest run of one statement, in seconds.
        idle_seconds: Longest pause inside an open transaction, in seconds.
        connections: Sessions one login may have open.
        rows: Most rows of one frame, one export or one answer of the API.
    """

    statement_seconds: int
    idle_seconds: int
    connections: int
    rows: int


@dataclass(frozen=True)
class RoleDefinition:
    """What a role is for, the rights it carries and the limits it has."""

    role: Role
    purpose: str
    rights: frozenset[Right]
    limits: Limits


def _define(role: Role, purpose: str, limits: Limits, *rights: Right) -> RoleDefinition:
    return RoleDefinition(role, purpose, frozenset(rights), limits)


# Reason: whoever runs the house may ask for the whole book; a client's own people look at boards.
_HOUSE = Limits(statement_seconds=300, idle_seconds=600, connections=12, rows=5_000_000)
_DESK = Limits(statement_seconds=120, idle_seconds=600, connections=8, rows=2_000_000)
_GUEST = Limits(statement_seconds=30, idle_seconds=60, connections=4, rows=200_000)


ROLES: dict[Role, RoleDefinition] = {
    d.role: d
    for d in (
        _define(Role.OWNER, "owns the installation", _HOUSE, *Right),
        _define(
            Role.ADMIN, "runs it: clients, people, connections", _HOUSE,
            Right.SEE_DATA, Right.SEE_ALL_CLIENTS, Right.USE_NOTEBOOKS, Right.OPERATE,
            Right.GRANT, Right.SEE_AUDIT, Right.PLAN, Right.SEE_OVERVIEW, Right.PROPOSE,
            Right.USE_API,
        ),
        _define(
            Role.ACCOUNT_MANAGER, "looks after granted clients", _DESK,
            Right.SEE_DATA, Right.USE_NOTEBOOKS, Right.PROPOSE, Right.APPROVE, Right.PLAN,
            Right.SEE_OVERVIEW, Right.USE_API,
        ),
        _define(
            Role.ANALYST, "explores granted clients", _DESK,
            Right.SEE_DATA, Right.USE_NOTEBOOKS, Right.PLAN, Right.SEE_OVERVIEW, Right.PROPOSE,
            Right.USE_API,
        ),
        _define(Role.CLIENT_VIEWER, "a client's own people, looking", _GUEST, Right.SEE_DATA),
        _define(
            Role.CLIENT_APPROVER, "a client's own people, approving", _GUEST,
            Right.SEE_DATA, Right.APPROVE,
        ),
        _define(Role.AUDITOR, "reads the audit log of everything", _DESK, Right.SEE_AUDIT),
        _define(
            Role.SERVICE, "a program, on granted clients", _DESK,
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


def limits_of(role: str) -> Limits:
    """The limits of a role; an unknown role has the smallest."""
    return ROLES[Role(role)].limits if role in {r.value for r in ROLES} else _GUEST


def role_table() -> list[dict[str, str | int]]:
    """The roles as rows: role, purpose, rights (joined by commas), then the limits."""
    return [
        {
            "role": d.role.value,
            "purpose": d.purpose,
            "rights": ", ".join(r.value for r in Right if r in d.rights),
            "statement_seconds": d.limits.statement_seconds,
            "idle_seconds": d.limits.idle_seconds,
            "connections": d.limits.connections,
            "rows": d.limits.rows,
        }
        for d in ROLES.values()
    ]
