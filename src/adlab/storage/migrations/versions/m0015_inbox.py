"""inbox: reserved in the chain; filled in by the change that needs it."""

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Nothing yet."""
