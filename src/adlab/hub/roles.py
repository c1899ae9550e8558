"""From the product's roles to the hub's groups and scopes. One table, `core.roles`, decides.

Each role is a group; each group has a hub role with exactly the scopes its rights need. Clients are
not carried in scopes: the database's grants are asked with every query.
"""

from __future__ import annotations

from typing import Any

from adlab.core.roles import ROLES, Right, Role, RoleDefinition

SERVICES = ("boards", "web")

# Reason: the hub's own `admin` may open other people's servers and make tokens in their names, so
# nobody has it: an admin of the agency would become its owner. Operators see servers and stop them.
OPERATOR = ("admin-ui", "list:users", "read:users", "read:servers", "delete:servers")

# Reason: the hub gives everyone the role `user`; cut down, so that it starts no servers.
LOGIN_ONLY = {"name": "user", "scopes": ["read:users:name!user", "read:users:groups!user"]}


def scopes_of(definition: RoleDefinition) -> list[str]:
    """What people of a role may do at the hub."""
    if definition.role is Role.SERVICE:
        return []
    scopes = [f"access:services!service={name}" for name in SERVICES]
    if Right.USE_NOTEBOOKS in definition.rights:
        # Their own server, and tokens for it.
        scopes.append("self")
    if Right.OPERATE in definition.rights:
        scopes += OPERATOR
    return scopes


def load_roles() -> list[dict[str, Any]]:
    """For `c.JupyterHub.load_roles`."""
    mine: list[dict[str, Any]] = [
        {
            "name": f"adlab-{definition.role.value.replace('_', '-')}",
            "description": definition.purpose,
            "scopes": scopes_of(definition),
            "groups": [definition.role.value],
        }
        for definition in ROLES.values()
        if definition.role is not Role.SERVICE
    ]
    return [LOGIN_ONLY, *mine]


def may_log_in(role: str) -> bool:
    """Whether people of this role log in at all; programs do not."""
    return role in {r.value for r in ROLES} and role != Role.SERVICE.value
