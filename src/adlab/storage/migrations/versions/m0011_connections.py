"""connections: reserved in the chain; filled in by the change that needs it."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Nothing yet."""
