"""changes: reserved in the chain; filled in by the change that needs it."""

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Nothing yet."""
