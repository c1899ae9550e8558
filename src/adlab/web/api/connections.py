"""Connections to Meta: whether they work, whose they are, and making new ones.

A login at Facebook ends in a browser, which carries no token of ours. So whoever began it hands
Meta's answer in: with the token, and with the secret that the start gave out. Nobody else can end
a login, and nobody can be led into ending a stranger's.
"""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any

from fastapi import Header, Path, Query

from adlab.web import asking
from adlab.web.api import models
from adlab.web.api.auth import Caller, Connecting, Reading
from adlab.web.api.problems import Problem, not_found
from adlab.web.api.session import Router

router = Router(tags=["Connections"])

ConnectionId = Annotated[str, Path(description="Number of a connection.", max_length=40)]
Login = Annotated[
    str | None, Header(alias="X-Adlab-Login", max_length=100, description="`login` of the start.")
]
_LOGIN = re.compile(r"[A-Za-z0-9_-]{43}")


@router.get("/connections/{connection_id}/health")
def health(
    caller: Reading, connection_id: ConnectionId,
    check: Annotated[
        bool, Query(description="Ask Meta now, at most once a minute; needs the scope connect.")
    ] = False,
) -> models.ConnectionHealth:  # fmt: skip
    """Whether a connection works, as last looked at; or as Meta says now, with check=true."""
    row = connection_of(caller, connection_id)
    asked = False
    if check:
        caller.need("connect")
        given = {"slug": row["slug"], "connection": str(row["connection_id"])}
        asked = bool(desk(caller, "connect/check", given)["asked"])
        row = connection_of(caller, connection_id)
    return models.ConnectionHealth(
        connection_id=str(row["connection_id"]), client=row["slug"],
        valid=row["status"] == "ok", status=row["status"], reason=row["status_reason"],
        warning=row["warning"], token_type=row["token_type"], scopes=list(row["scopes"]),
        expires_at=row["expires_at"], data_expires_at=row["data_expires_at"],
        checked_at=row["checked_at"], asked_meta=asked,
    )  # fmt: skip


@router.get("/connections/{connection_id}/identity")
def identity(caller: Reading, connection_id: ConnectionId) -> models.ConnectionIdentity:
    """Who granted a connection."""
    row = connection_of(caller, connection_id)
    return models.ConnectionIdentity(
        connection_id=str(row["connection_id"]), client=row["slug"], name=row["meta_user_name"],
        token_type=row["token_type"], scopes=list(row["scopes"]),
        connected_by=row["connected_by"],
    )  # fmt: skip


@router.get("/clients/{slug}/connections")
def connections(
    caller: Reading, slug: Annotated[str, Path(max_length=80)]
) -> list[models.ConnectionIdentity]:
    """Connections of a client, the newest first."""
    number = caller.client(slug)
    rows = caller.reader.rows("api_connection", connection_id=None, client_ids=[number])
    return [identity(caller, str(r["connection_id"])) for r in rows]


@router.post("/oauth/meta/start")
def start(caller: Connecting, wanted: models.LoginRequest) -> models.LoginStart:
    """Begin a login at Facebook, with which ad accounts of a client are connected.

    Send the person to `url`. Facebook sends the browser back with `state` and `code`; hand both to
    the callback together with `login`.
    """
    caller.client(wanted.client)
    login = secrets.token_urlsafe(32)
    answer = desk(caller, "connect/start", {
        "slug": wanted.client, "browser": login, "back": "api",
        "write": "1" if wanted.write else "",
    })  # fmt: skip
    return models.LoginStart(url=str(answer["url"]), login=login)


@router.get("/oauth/meta/callback")
def callback(
    caller: Connecting,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str, Query(max_length=2000)] = "",
    error: Annotated[str, Query(max_length=100)] = "",
    error_reason: Annotated[str, Query(max_length=100)] = "",
    login: Login = None,
) -> models.LoginDone:
    """Hand in Facebook's answer, and learn which ad accounts there are to connect."""
    given = {"browser": _login(login), "state": state, "code": code, "error": error,
             "error_reason": error_reason}  # fmt: skip
    answer = desk(caller, "connect/finish", given)
    caller.client(str(answer["slug"]))
    accounts: list[dict[str, Any]] = []
    if answer["outcome"] == "choose":
        accounts = desk(caller, "connect/choices", {"browser": _login(login)})["accounts"]
    return models.LoginDone(
        outcome=answer["outcome"], client=answer["slug"], missing=answer["missing"],
        accounts=[
            models.LoginAccount(
                account_id=f"act_{a['account_id']}", name=a["name"], currency=a["currency"],
                timezone=a["timezone"], state=a["state"],
            )
            for a in accounts
        ],
    )  # fmt: skip


@router.post("/oauth/meta/accounts")
def choose(
    caller: Connecting, chosen: models.AccountChoice, login: Login = None
) -> models.Connected:
    """Connect some of the ad accounts that a finished login can read: all named ones, or none."""
    browser = _login(login)
    pending = desk(caller, "connect/choices", {"browser": browser})
    # Reason: a token for one client ends no login of another's.
    caller.client(str(pending["slug"]))
    answer = desk(
        caller, "connect/choose", {"browser": browser, "accounts": " ".join(chosen.accounts)}
    )
    return models.Connected(
        client=answer["slug"],
        accounts=[models.ConnectedAccount(id=a["id"], name=a["name"]) for a in answer["accounts"]],
    )


def connection_of(caller: Caller, text: str) -> dict[str, Any]:
    """The row of a connection that this token sees.

    Raises:
        Problem: 404 if there is none.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise not_found()
    rows = caller.reader.rows(
        "api_connection", connection_id=int(text), client_ids=caller.client_ids
    )
    if not rows:
        raise not_found()
    caller.about(rows[0]["slug"])
    return rows[0]


def desk(caller: Caller, what: str, given: dict[str, str]) -> dict[str, Any]:
    """Have the desk do something in the caller's name.

    Raises:
        Problem: What the desk says when it does not: 403, 404, 409, 422; 409 where it lacks what
            it needs, such as the app's secret, or where there is no desk.
    """
    # Reason: Meta may take its time, and a connection that waits is one that others lack.
    caller.reader.rest()
    answer = asking.ask(caller.request, what, {**given, "person_id": str(caller.viewer.person_id)})
    if answer.get("ok"):
        return answer
    status = int(answer.get("http_status", 503))
    detail = f"{answer.get('error', '')} {answer.get('remedy', '')}".strip()
    if not asking.is_open(caller.request):
        raise Problem(409, "This installation connects accounts on the command line.", "no-desk")
    if status == 404:
        raise not_found()
    if status == 403 and "add clients" in detail:
        raise Problem(403, "An owner or admin of the agency does this.", "role")
    if "ADLAB_META__" in detail:
        raise Problem(409, "This installation has no Facebook Login yet: its app is not set.",
                      "no-app")  # fmt: skip
    if status in (403, 409, 410, 422):
        raise Problem(409 if status == 410 else status, detail or "It was refused.")
    raise Problem(503, "This cannot be done just now. Try again in a minute.",
                  headers={"Retry-After": "30"})  # fmt: skip


def _login(text: str | None) -> str:
    if text is None or not _LOGIN.fullmatch(text):
        raise Problem(
            422, "Send the header X-Adlab-Login with the `login` that the start answered.",
            "no-login",
        )  # fmt: skip
    return text
