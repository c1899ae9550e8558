"""catalogue: reserved in the chain; filled in by the change that needs it."""

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Nothing yet."""
