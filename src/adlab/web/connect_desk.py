"""The desk's part of connecting: Facebook Login, invitations, disconnecting, Meta's callbacks.

What operators ask for, the desk does in their name. What anybody may ask for proves itself: a
state and a browser's cookie, an invitation's nonce, or Meta's own signature.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from adlab.core.errors import (
    AccessDeniedError,
    ConflictError,
    MetaError,
    SettingsError,
    UnknownObjectError,
)
from adlab.meta.signed_request import SignedRequest, read_signed_request
from adlab.services import connections_invite as invites
from adlab.services import connections_login as login
from adlab.services import deletion
from adlab.services.connections import check_now
from adlab.services.connections_dialog import Answer, Begin
from adlab.services.connections_end import disconnect
from adlab.storage import connections
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.vault import invite_signer, signing_keys
from adlab.web.desk import DeskParts, RefusedError, Work, operator

_HOME = re.compile(r"/([A-Za-z0-9._~-]+/)*")
_BROWSER = re.compile(r"[A-Za-z0-9_-]{40,64}")
# Where a login that was begun through the REST API comes back to.
API_CALLBACK = "/api/v1/oauth/meta/callback"
_AGAIN = "Start again from the page to connect."
SHOWN = (
    "connection_id", "meta_user_name", "meta_user_id", "token_type", "status", "status_reason",
    "warning", "connected_by", "has_token",
)  # fmt: skip


def _status(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    """Whether Facebook Login is possible, and a client's connections and open invitations."""
    slug = given.get("slug", "")
    with transaction(parts.engine) as connection:
        client = load_client(connection, slug)
        rows = connections.load_connections(connection, client.client_id)
    return _ready(parts) | {
        "connections": [
            {n: r[n] for n in SHOWN}
            | {
                "accounts": [str(a) for a in r["accounts"]],
                "expires_at": r["expires_at"].isoformat() if r["expires_at"] else "",
                "scopes": list(r["scopes"]),
            }
            for r in rows
        ],
        "invites": [
            {
                "invite_id": i["invite_id"],
                "created_by": i["created_by"],
                "expires_at": i["expires_at"].isoformat(),
            }
            for i in invites.open_invitations(parts.engine, parts.now(), slug)
        ],
    }


def _ready(parts: DeskParts) -> dict[str, Any]:
    try:
        app = login.require_app(parts.connections)
    except SettingsError as error:
        return {"ready": False, "lacking": str(error), "dialog": ""}
    place = urlsplit(app.dialog_url)
    return {"ready": True, "lacking": "", "dialog": f"{place.scheme}://{place.netloc}"}


def _start(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    with transaction(parts.engine) as connection:
        client = load_client(connection, given.get("slug", ""))
    wanted = Begin(
        _browser(given), _return_address(parts, given), client.client_id,
        person_id=int(given["person_id"]), write=bool(given.get("write")),
    )  # fmt: skip
    return {"url": login.begin(parts.connections, wanted, parts.now())}


def _disconnect(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    number = given.get("connection", "")
    done = disconnect(
        parts.connections,
        account=given.get("account") or None,
        connection_id=int(number) if re.fullmatch(r"[0-9]{1,9}", number) else None,
        client=given.get("slug", ""),
        actor=actor,
    )
    return {"accounts": [str(a) for a in done.accounts], "revocation": done.revocation,
            "words": done.words}  # fmt: skip


def _check(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    number = int(given.get("connection", ""))
    with transaction(parts.engine) as connection:
        client = load_client(connection, given.get("slug", ""))
        rows = connections.load_connections(connection, client.client_id)
    if number not in {r["connection_id"] for r in rows}:
        raise RefusedError(404, "There is no such connection.")
    return {"asked": check_now(parts.connections, number, parts.now()) is not None}


def _invite(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    made = invites.invite(
        parts.engine, given.get("slug", ""), now=parts.now(),
        hours=float(given.get("hours") or invites.USUAL_HOURS), write=bool(given.get("write")),
        actor=actor,
    )  # fmt: skip
    return {
        "url": f"{_place(parts, given)}invite/{sign_invitation(parts, made.nonce)}",
        "expires_at": made.expires_at.isoformat(),
    }


def _uninvite(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    invites.revoke_invitation(
        parts.engine, int(given.get("invite", "")), now=parts.now(), slug=given.get("slug", ""),
        actor=actor,
    )  # fmt: skip
    return {}


# ---- what proves itself -----------------------------------------------------------------------


def _look(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    view = invites.look_at(parts.engine, given.get("nonce", ""), parts.now())
    if view is None:
        raise RefusedError(404, "There is no such invitation.")
    if view.state != "open":
        # Reason: a link that is over says nothing of whose it was.
        return {"state": view.state}
    ready = _ready(parts)
    return {"state": "open", "name": view.name, "slug": view.slug, "brand": view.brand,
            "write": view.write, "ready": ready["ready"], "dialog": ready["dialog"]}  # fmt: skip


def _start_invited(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    view = invites.look_at(parts.engine, given.get("nonce", ""), parts.now())
    if view is None or view.state != "open":
        raise RefusedError(410, "This invitation no longer holds.", "Ask the agency for a new one.")
    wanted = Begin(
        _browser(given), _return_address(parts, given), view.client_id,
        invite_id=view.invite_id, write=view.write,
    )  # fmt: skip
    return {"url": login.begin(parts.connections, wanted, parts.now())}


def _again(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    person_id, _ = _person(parts, given)
    _, url = login.begin_again(parts.connections, _browser(given), person_id, parts.now())
    return {"url": url}


def _finish(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    person_id, _ = _person(parts, given)
    answer = Answer(
        given.get("state", "")[:200], given.get("browser", ""), person_id, given.get("code", ""),
        given.get("error", "")[:100], given.get("error_reason", "")[:100],
    )  # fmt: skip
    back = login.finish(parts.connections, answer, parts.now())
    return {
        "outcome": back.outcome, "slug": back.slug, "name": back.name, "brand": back.brand,
        "missing": list(back.missing), "invited": back.invited, "dialog": _ready(parts)["dialog"],
    }  # fmt: skip


def _choices(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    person_id, _ = _person(parts, given)
    found = login.choices(parts.connections, _browser(given), person_id, parts.now())
    return {
        "slug": found.slug, "name": found.name, "brand": found.brand, "user": found.user,
        "accounts": [{**vars(c), "account_id": str(c.account_id)} for c in found.accounts],
        "listed": found.listed, "missing": list(found.missing), "invited": found.invited,
        "dialog": _ready(parts)["dialog"],
    }  # fmt: skip


def _choose(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    person_id, name = _person(parts, given)
    done = login.choose(
        parts.connections, _browser(given), person_id,
        re.split(r"[\s,;]+", given.get("accounts", "")), parts.now(), name,
    )  # fmt: skip
    parts.connected(done.slug)
    return {
        "slug": done.slug, "name": done.name, "brand": done.brand, "invited": done.invited,
        "accounts": [{"id": f"act_{a.account_id}", "name": a.name} for a in done.accounts],
    }  # fmt: skip


def _deauthorize(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    deletion.deauthorize(parts.engine, _signed(parts, given).user_id)
    return {}


def _delete(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    code = deletion.request_deletion(parts.engine, _signed(parts, given).user_id, parts.now())
    deletion.perform_deletions(parts.engine, parts.now())
    return {"url": f"{_place(parts, given)}meta/deletion/{code}", "confirmation_code": code}


def _deletion_status(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
    found = deletion.deletion_status(parts.engine, given.get("request", ""))
    if found is None:
        raise RefusedError(404, "There is no such request.")
    done = found.done_at.isoformat() if found.done_at else ""
    return {"state": found.state, "requested_at": found.requested_at.isoformat(), "done_at": done}


# ---- pieces -----------------------------------------------------------------------------------


def sign_invitation(parts: DeskParts, nonce: str) -> str:
    """What stands in the link of an invitation."""
    keys = signing_keys(parts.vault.derive_all("web session"))
    return invite_signer(keys, lambda: parts.now().timestamp()).sign(nonce).decode()


def _person(parts: DeskParts, given: dict[str, str]) -> tuple[int | None, str | None]:
    """The operator who is logged in, if any: number and name."""
    if not given.get("person_id"):
        return None, None
    name = operator(parts.engine, given["person_id"])
    return int(given["person_id"]), name


def _browser(given: dict[str, str]) -> str:
    found = given.get("browser", "")
    if not _BROWSER.fullmatch(found):
        raise RefusedError(403, "This browser keeps no cookies of this site.", _AGAIN)
    return found


def _place(parts: DeskParts, given: dict[str, str]) -> str:
    """The public address of the web endpoints, with a slash at its end."""
    home = given.get("home", "/")
    if not _HOME.fullmatch(home):
        raise RefusedError(400, "This is not a request.")
    return f"{parts.address()}{home}"


def _return_address(parts: DeskParts, given: dict[str, str]) -> str:
    if given.get("back") == "api":
        return f"{parts.address()}{API_CALLBACK}"
    return f"{_place(parts, given)}connect/callback"


def _signed(parts: DeskParts, given: dict[str, str]) -> SignedRequest:
    if not parts.meta.app_secret:
        raise RefusedError(503, "ADLAB_META__APP_SECRET is not set.", "Set it, and start again.")
    return read_signed_request(given.get("signed_request", ""), parts.meta.app_secret, parts.now())


def _told(work: Work) -> Work:
    """The same work; what goes wrong becomes an answer for people in front of a page."""

    def wrapped(parts: DeskParts, actor: str, given: dict[str, str]) -> dict[str, Any]:
        try:
            return work(parts, actor, given)
        except MetaError as error:
            remedy = _AGAIN if "adlab account connect" in error.remedy else error.remedy
            raise RefusedError(422, error.message, remedy) from None
        except AccessDeniedError as error:
            raise RefusedError(403, error.message, error.remedy) from None
        except ConflictError as error:
            raise RefusedError(409, error.message, error.remedy) from None
        except UnknownObjectError as error:
            raise RefusedError(404, error.message) from None
        except ValueError as error:
            text = str(error)
            raise RefusedError(422, f"{text[:1].upper()}{text[1:]}.") from None

    wrapped.__name__ = work.__name__
    return wrapped


def _all(works: dict[str, Callable[..., dict[str, Any]]]) -> dict[str, Work]:
    return {path: _told(work) for path, work in works.items()}


BY_OPERATORS = _all({
    "/connect/status": _status, "/connect/start": _start, "/connect/disconnect": _disconnect,
    "/connect/invite": _invite, "/connect/uninvite": _uninvite, "/connect/check": _check,
})  # fmt: skip
BY_ANYBODY = _all({
    "/connect/look": _look, "/connect/invited": _start_invited, "/connect/again": _again,
    "/connect/finish": _finish, "/connect/choices": _choices, "/connect/choose": _choose,
    "/meta/deauthorize": _deauthorize, "/meta/deletion": _delete, "/meta/status": _deletion_status,
})  # fmt: skip
