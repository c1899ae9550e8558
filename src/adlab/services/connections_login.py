"""Facebook Login, step by step: begin, come back, see the accounts, choose.

Between the steps everything rests in the store: states and browsers as hashes, the token sealed
from the moment it is known. A browser holds one random cookie and nothing else.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from adlab.core.entities import AccountId, AccountInfo, parse_account_id
from adlab.core.errors import (
    AccessDeniedError,
    ConflictError,
    MetaError,
    MissingPermissionError,
    RejectedRequestError,
    SettingsError,
)
from adlab.meta.auth import require_usable
from adlab.meta.oauth import (
    BUSINESS_SCOPE,
    READ_SCOPES,
    WRITE_SCOPES,
    App,
    Granted,
    dialog_address,
    exchange_code,
    extend,
    fetch_granted,
)
from adlab.meta.objects import fetch_account, fetch_accounts
from adlab.services.access import attach, known_of, user_name
from adlab.services.connections import QUICK, ConnectionParts
from adlab.services.connections_dialog import (
    Answer,
    Begin,
    Choice,
    Choices,
    Chosen,
    LoginStateError,
    Returned,
)
from adlab.storage import audit
from adlab.storage import connections_flow as flow
from adlab.storage.access import hash_token
from adlab.storage.connections import Known
from adlab.storage.engine import transaction
from adlab.storage.objects import load_account
from adlab.vault import fingerprint

log = logging.getLogger(__name__)

STATE_FOR = timedelta(minutes=15)
CHOICE_FOR = timedelta(minutes=30)
MOST_ACCOUNTS = 200


def scopes_for(parts: ConnectionParts, write: bool) -> tuple[str, ...]:
    """What to ask for: reading, with changes when wanted, and business assets when set."""
    scopes = WRITE_SCOPES if write else READ_SCOPES
    return (*scopes, BUSINESS_SCOPE) if parts.meta.with_business else scopes


def begin(parts: ConnectionParts, wanted: Begin, now: datetime) -> str:
    """Begin a login.

    Args:
        parts: See `ConnectionParts`.
        wanted: See `Begin`.
        now: Current aware time.

    Returns:
        Where to send the browser.

    Raises:
        SettingsError: If the app's id or secret is not set.
    """
    app = require_app(parts)
    state = secrets.token_urlsafe(32)
    with transaction(parts.engine) as connection:
        flow.prune_attempts(connection, now)
        flow.store_attempt(
            connection,
            flow.Attempt(
                state, wanted.browser, wanted.client_id, wanted.person_id, wanted.invite_id,
                wanted.write, wanted.redirect_uri,
            ),
            now, now + STATE_FOR,
        )  # fmt: skip
    asked = scopes_for(parts, wanted.write)
    return dialog_address(app, wanted.redirect_uri, state, asked, again=wanted.again)


def begin_again(
    parts: ConnectionParts, browser: str, person_id: int | None, now: datetime
) -> tuple[str, str]:
    """Ask anew for what was declined in this browser's login.

    Returns:
        Slug of the client, and where to send the browser.

    Raises:
        LoginStateError: If this browser has no such login, or another person's.
        SettingsError: If the app's id or secret is not set.
    """
    row = _current(parts, browser, person_id, now)
    wanted = Begin(
        browser, row["redirect_uri"], row["client_id"], row["person_id"], row["invite_id"],
        row["write"], again=True,
    )  # fmt: skip
    return str(row["slug"]), begin(parts, wanted, now)


def finish(parts: ConnectionParts, answer: Answer, now: datetime) -> Returned:
    """Take Meta's answer: exchange the code, seal the token, list its accounts.

    Args:
        parts: See `ConnectionParts`.
        answer: See `Answer`.
        now: Current aware time.

    Raises:
        LoginStateError: If the state is unknown, used, expired, or of another browser or person.
        RejectedRequestError: If Meta refuses the code; says why.
        MissingPermissionError: If the token belongs to another app.
        SettingsError: If the app's id or secret is not set or wrong.
        MetaError: For anything else Meta says.
    """
    app = require_app(parts)
    row = _take_state(parts, answer, now)
    told: dict[str, Any] = {
        "slug": row["slug"], "name": row["name"], "brand": row["brand"] or {},
        "invited": row["invite_id"] is not None,
    }  # fmt: skip
    if answer.error or not answer.code:
        log.info("login_denied attempt_id=%s reason=%s", row["attempt_id"],
                 re.sub(r"[^a-z_]", "", answer.error_reason or answer.error)[:40])  # fmt: skip
        _keep(parts, row, None, None, {}, now)
        if answer.error in ("", "access_denied"):
            return Returned("denied", **told)
        raise RejectedRequestError(
            "Facebook ended the login with an error.", "Start again; if it repeats, check the app."
        )
    asked = scopes_for(parts, row["write"])
    token = _long_lived(app, answer.code, row["redirect_uri"], now)
    sealed = parts.vault.seal(token, row["client_id"])
    try:
        facts = parts.meta.inspect(token, QUICK)
        granted = _granted(parts, token, asked, facts.scopes)
        missing = granted.missing(asked)
        if not set(WRITE_SCOPES) & set(granted.granted):
            _keep(parts, row, None, None, {"missing": list(missing)}, now)
            return Returned("missing", **told, missing=missing)
        require_usable(facts, parts.meta.app_id, now)
        accounts, listed, name = _accounts(parts, token)
    except MetaError as error:
        raise _unspoken(error, token) from None
    known = known_of(facts, name)
    _keep(parts, row, sealed, known.meta_user_id, {
        "known": asdict(known) | {"expires_at": _text(known.expires_at),
                                  "data_expires_at": _text(known.data_expires_at)},
        "missing": list(missing), "listed": listed,
        "accounts": [[a.account_id, a.name, a.currency, a.timezone] for a in accounts],
    }, now)  # fmt: skip
    log.info("login_finished attempt_id=%s token=%s accounts=%s", row["attempt_id"],
             fingerprint(token), len(accounts))  # fmt: skip
    return Returned("choose", **told, missing=missing)


def choices(parts: ConnectionParts, browser: str, person_id: int | None, now: datetime) -> Choices:
    """What this browser's login can choose from.

    Raises:
        LoginStateError: If there is nothing to choose from, or the login is another person's.
    """
    row = _current(parts, browser, person_id, now, with_token=True)
    facts = row["facts"]
    with transaction(parts.engine) as connection:
        owners = {
            number: (load_account(connection, number) or {}).get("client_id")
            for number, *_ in facts["accounts"]
        }
    found = [
        Choice(
            number, name, currency, zone,
            "free" if owners[number] is None
            else "here" if owners[number] == row["client_id"] else "elsewhere",
        )
        for number, name, currency, zone in facts["accounts"]
    ]  # fmt: skip
    found.sort(key=lambda c: (c.state != "here", c.state == "elsewhere", c.name.casefold()))
    return Choices(
        row["slug"], row["name"], row["brand"] or {}, facts["known"]["meta_user_name"] or "",
        tuple(found), facts["listed"], tuple(facts["missing"]), row["invite_id"] is not None,
    )  # fmt: skip


def choose(
    parts: ConnectionParts,
    browser: str,
    person_id: int | None,
    accounts: Sequence[str],
    now: datetime,
    actor: str | None = None,
) -> Chosen:
    """Connect the chosen accounts: all of them, or none.

    Args:
        parts: See `ConnectionParts`.
        browser: The random text of the browser's cookie.
        person_id: Who is logged in, or None.
        accounts: `act_…` or digits; listed or typed in.
        now: Current aware time.
        actor: Name of that person, for the audit log; an invitation names itself.

    Raises:
        LoginStateError: If there is nothing to choose from, or the login is another person's.
        RejectedRequestError: If the token may not read one of them; names it.
        ConflictError: If one is another client's.
        AccessDeniedError: If the invitation was used or revoked meanwhile.
        ValueError: If none, too many, or something malformed was chosen.
    """
    wanted = list(dict.fromkeys(parse_account_id(a) for a in accounts if a.strip()))
    if not wanted:
        raise ValueError("choose at least one ad account")
    if len(wanted) > MOST_ACCOUNTS:
        raise ValueError(f"choose at most {MOST_ACCOUNTS} ad accounts at once")
    row = _current(parts, browser, person_id, now, with_token=True)
    token = parts.vault.open(bytes(row["token_sealed"]), row["client_id"])
    infos = _read(parts, token, wanted)
    invited = row["invite_id"] is not None
    try:
        with transaction(parts.engine) as connection:
            if not flow.finish_attempt(connection, row["attempt_id"], now):
                raise LoginStateError("used")
            if invited:
                invite = flow.load_invite(connection, invite_id=row["invite_id"])
                if invite is None or not flow.use_invite(connection, row["invite_id"], now):
                    raise AccessDeniedError(
                        "This invitation no longer holds.", "Ask the agency for a new one."
                    )
                actor = f"invitation {row['invite_id']} by {invite['created_by']}"
            attach(
                connection, row["client_id"],
                parts.vault.seal(token, row["client_id"]), _known(row["facts"]["known"]), infos,
                actor=actor or audit.LOCAL_OWNER, now=now,
            )  # fmt: skip
    except ConflictError:
        if invited:
            # Reason: whose account it is would tell the invited of another client.
            raise ConflictError(
                "One of these ad accounts is in use here already.", "Ask the agency about it."
            ) from None
        raise
    return Chosen(row["slug"], row["name"], row["brand"] or {}, tuple(infos), invited)


def require_app(parts: ConnectionParts) -> App:
    """The app for Facebook Login.

    Raises:
        SettingsError: If its id or secret is not set; names them.
    """
    app = parts.meta.app
    if app is None:
        lacking = [
            name
            for name, value in (
                ("ADLAB_META__APP_ID", parts.meta.app_id),
                ("ADLAB_META__APP_SECRET", parts.meta.app_secret),
            )
            if not value
        ]
        raise SettingsError(
            f"{' and '.join(lacking)} must be set for Facebook Login.",
            "Both stand in the app's settings at developers.facebook.com.",
        )
    return app


# ---- pieces -----------------------------------------------------------------------------------


def _take_state(parts: ConnectionParts, answer: Answer, now: datetime) -> dict[str, Any]:
    """The login an answer belongs to; its state is used up.

    Reason: another browser or person is refused before, so that nobody uses up a state by guessing
    or stealing it.
    """
    with transaction(parts.engine) as connection:
        row = flow.load_attempt_of_state(connection, answer.state) if answer.state else None
        if row is None:
            raise LoginStateError("unknown")
        if not answer.browser or not secrets.compare_digest(
            bytes(row["browser_hash"]), hash_token(answer.browser)
        ):
            raise LoginStateError("browser")
        if row["person_id"] is not None and row["person_id"] != answer.person_id:
            raise LoginStateError("person")
        if row["answered_at"] is not None:
            raise LoginStateError("used")
        _require_open_invite(connection, row, now)
        if not flow.use_state(connection, row["attempt_id"], now):
            raise LoginStateError("expired" if row["expires_at"] <= now else "used")
    return row


def _require_open_invite(connection: Any, row: dict[str, Any], now: datetime) -> None:
    if row["invite_id"] is None:
        return
    invite = flow.load_invite(connection, invite_id=row["invite_id"])
    if invite is None or invite["used_at"] or invite["revoked_at"] or invite["expires_at"] <= now:
        raise AccessDeniedError("This invitation no longer holds.", "Ask the agency for a new one.")


def _current(
    parts: ConnectionParts, browser: str, person_id: int | None, now: datetime,
    *, with_token: bool = False,
) -> dict[str, Any]:  # fmt: skip
    with transaction(parts.engine) as connection:
        row = flow.load_attempt_of_browser(connection, browser, now) if browser else None
        if row is None or row["answered_at"] is None or (with_token and not row["token_sealed"]):
            raise LoginStateError("expired")
        if row["person_id"] is not None and row["person_id"] != person_id:
            raise LoginStateError("person")
        _require_open_invite(connection, row, now)
    return row


def _long_lived(app: App, code: str, redirect_uri: str, now: datetime) -> str:
    short = exchange_code(app, code, redirect_uri, now)
    try:
        return extend(app, short.token, now).token
    except MetaError as error:
        # Reason: the login worked; upkeep renews what ends soon, and warns when it cannot.
        log.warning("token_not_extended code=%s", error.code)
        return short.token


def _granted(
    parts: ConnectionParts, token: str, asked: tuple[str, ...], scopes: tuple[str, ...]
) -> Granted:
    """What was granted, as `/me/permissions` says; as `debug_token` says where it is silent."""
    graph = parts.meta.client(token, QUICK)
    try:
        return fetch_granted(graph, asked)
    except MetaError:
        return Granted(scopes)
    finally:
        graph.close()


def _accounts(parts: ConnectionParts, token: str) -> tuple[list[AccountInfo], bool, str]:
    """The token's ad accounts, whether Meta listed them, and its user's name."""
    graph = parts.meta.client(token, QUICK)
    try:
        name = user_name(graph)
        try:
            return fetch_accounts(graph), True, name
        except MetaError as error:
            # Reason: tokens with very many accounts, and some system users, cannot list them; each
            # can still be read by its id.
            log.warning("accounts_not_listed code=%s", error.code)
            return [], False, name
    finally:
        graph.close()


def _read(parts: ConnectionParts, token: str, wanted: Sequence[AccountId]) -> list[AccountInfo]:
    graph = parts.meta.client(token, QUICK)
    found = []
    try:
        for account in wanted:
            try:
                found.append(fetch_account(graph, account))
            except (RejectedRequestError, MissingPermissionError) as error:
                raise RejectedRequestError(
                    f"act_{account} cannot be read with this login: {error.reason}",
                    "Check the id, and that whoever logged in has a role on that account.",
                    code=error.code, subcode=error.subcode, trace_id=error.trace_id,
                ) from None  # fmt: skip
    finally:
        graph.close()
    return found


def _keep(
    parts: ConnectionParts, row: dict[str, Any], sealed: bytes | None, user_id: str | None,
    facts: dict[str, Any], now: datetime,
) -> None:  # fmt: skip
    with transaction(parts.engine) as connection:
        flow.keep_token(connection, row["attempt_id"], sealed, user_id, facts, now + CHOICE_FOR)


def _unspoken(error: MetaError, token: str) -> MetaError:
    """The same error, unless its text holds the token."""
    if token not in str(error):
        return error
    return type(error)(error.reason.replace(token, "…"), code=error.code, subcode=error.subcode)


def _known(kept: dict[str, Any]) -> Known:
    moments = {n: kept[n] and datetime.fromisoformat(kept[n])
               for n in ("expires_at", "data_expires_at")}  # fmt: skip
    return Known(**{**kept, "scopes": tuple(kept["scopes"]), **moments})


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
