"""quota: reserved in the chain; filled in by the change that needs it."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Nothing yet."""
