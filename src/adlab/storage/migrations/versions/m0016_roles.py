"""Roles as rows, grants that end, break-glass, logins for one client."""

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Nothing yet."""
