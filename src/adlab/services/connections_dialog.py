"""Facebook Login in values: what begins, comes back, can be chosen, and was connected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from adlab.core.entities import AccountId, AccountInfo
from adlab.core.errors import AccessDeniedError

Trouble = Literal["unknown", "used", "expired", "browser", "person"]
_TROUBLE: dict[Trouble, str] = {
    "unknown": "This answer from Facebook belongs to no login that was begun here.",
    "used": "This answer from Facebook was used already.",
    "expired": "This login took too long.",
    "browser": "This login was begun in another browser.",
    "person": "This login was begun by somebody else.",
}


class LoginStateError(AccessDeniedError):
    """An answer, or a choice, that does not fit a login begun in this browser.

    Attributes:
        trouble: Why.
    """

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        super().__init__(_TROUBLE[trouble], "Start again from the page to connect.")


@dataclass(frozen=True)
class Begin:
    """A login that is to begin.

    Attributes:
        browser: The random text of the browser's cookie.
        redirect_uri: Where Meta sends the browser back to.
        client_id: The client.
        person_id: Who begins it; None with an invitation.
        invite_id: The invitation; None with a person.
        write: Whether to ask for `ads_management`, which changes need.
        again: Whether to ask anew for what was declined.
    """

    browser: str
    redirect_uri: str
    client_id: int
    person_id: int | None = None
    invite_id: int | None = None
    write: bool = False
    again: bool = False


@dataclass(frozen=True)
class Answer:
    """What Meta sent the browser back with.

    Attributes:
        state: As begun.
        browser: The random text of the browser's cookie, or "".
        person_id: Who is logged in, or None.
        code: The code, or "".
        error: Such as `access_denied`, or "".
        error_reason: Such as `user_denied`, or "".
    """

    state: str
    browser: str
    person_id: int | None
    code: str = ""
    error: str = ""
    error_reason: str = ""


@dataclass(frozen=True)
class Returned:
    """How a login came back.

    Attributes:
        outcome: `choose`: accounts can be chosen; `denied`: the person did not allow it;
            `missing`: they did not allow what reading ads needs.
        slug: The client.
        name: The client's name.
        brand: Its colour and logo.
        missing: Scopes that were asked for and not granted.
        invited: Whether an invitation began it.
    """

    outcome: Literal["choose", "denied", "missing"]
    slug: str
    name: str
    brand: dict[str, Any]
    missing: tuple[str, ...] = ()
    invited: bool = False


@dataclass(frozen=True)
class Choice:
    """An ad account to choose.

    Attributes:
        account_id: Its number.
        name: Its name.
        currency: Its currency.
        timezone: Its timezone.
        state: `free`; `here`: this client's; `elsewhere`: another client's.
    """

    account_id: AccountId
    name: str
    currency: str
    timezone: str
    state: Literal["free", "here", "elsewhere"]


@dataclass(frozen=True)
class Choices:
    """What can be chosen.

    Attributes:
        slug: The client.
        name: The client's name.
        brand: Its colour and logo.
        user: The name at Meta of whoever logged in, or "".
        accounts: Ad accounts the token may read, by name.
        listed: Whether Meta listed them; when not, their ids can be typed in.
        missing: Scopes that were asked for and not granted.
        invited: Whether an invitation began it.
    """

    slug: str
    name: str
    brand: dict[str, Any]
    user: str
    accounts: tuple[Choice, ...]
    listed: bool
    missing: tuple[str, ...]
    invited: bool


@dataclass(frozen=True)
class Chosen:
    """What was connected."""

    slug: str
    name: str
    brand: dict[str, Any]
    accounts: tuple[AccountInfo, ...]
    invited: bool
