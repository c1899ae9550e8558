"""Who looks at a page and where they can go: what the header of every page needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adlab.core.roles import Right, has_right
from adlab.ui.brand import Brand
from adlab.ui.places import places

# Above this the switcher has a field to type in.
FILTERED_ABOVE = 12


@dataclass(frozen=True)
class Who:
    """Whose page it is, and who looks at it.

    Attributes:
        slug: The client shown, or "".
        brand: Name, mark and colours.
        others: The person's clients when there is a choice, as (slug, name).
        person: The person's name.
        demo: Whether the data are simulated.
        role: The person's role in the agency.
        here: `home`, `overview` or `admin` when the page is that one.
    """

    slug: str
    brand: Brand
    others: Sequence[tuple[str, str]]
    person: str
    demo: bool = False
    role: str = ""
    here: str = ""

    @property
    def sees_overview(self) -> bool:
        """Whether the agency overview is open to them."""
        return has_right(self.role, Right.SEE_OVERVIEW)

    @property
    def administers(self) -> bool:
        """Whether pages of the administration are open to them."""
        return any(has_right(self.role, r) for r in (Right.OPERATE, Right.GRANT, Right.SEE_AUDIT))

    @property
    def operates(self) -> bool:
        """Whether they may add clients and connect accounts."""
        return has_right(self.role, Right.OPERATE)

    @property
    def notebooks(self) -> str:
        """Where their notebooks are; "" when there is no such place, or not for them."""
        return places().notebooks if has_right(self.role, Right.USE_NOTEBOOKS) else ""

    @property
    def chooses(self) -> bool:
        """Whether there is anywhere else to go."""
        return bool(self.others) or self.sees_overview or self.administers

    @property
    def filters(self) -> bool:
        """Whether the list is long enough for a field to type in."""
        return len(self.others) > FILTERED_ABOVE


def role_words(role: str) -> str:
    """A role as people say it: `Account manager`."""
    return role.replace("_", " ").capitalize()
