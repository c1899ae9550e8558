"""jobs: reserved in the chain; filled in by the change that needs it."""

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Nothing yet."""
