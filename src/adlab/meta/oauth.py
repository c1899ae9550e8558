"""Facebook Login: the dialog's address, codes and tokens, what was granted, revocation."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from adlab.core.errors import MetaError, RejectedRequestError, SettingsError
from adlab.meta.client import GraphClient, Retry

log = logging.getLogger(__name__)

READ_SCOPES = ("ads_read",)
WRITE_SCOPES = ("ads_read", "ads_management")
BUSINESS_SCOPE = "business_management"
DIALOG = "https://www.facebook.com"
_GRAPH_HOST = "graph.facebook.com"

# Why a code was refused: subcode → what happened, what to do.
_CODE_TROUBLE = {
    36007: ("The code from Facebook has expired.", "Start again; come back within ten minutes."),
    36008: (
        "Facebook was given another return address than before.",
        "ADLAB_WEB__PUBLIC_URL changed meanwhile, or differs from the app's Valid OAuth Redirect "
        "URIs. Correct it, then start again.",
    ),
    36009: ("The code from Facebook was used already.", "Start again; each code works once."),
}
# Reason: a person waits for these; nobody waits a quarter of an hour for a page.
_QUICK = Retry(attempts=3, total=30.0, longest_wait=5.0)
# Reason: a code works once. A second try after a lost answer would only say that it was used.
_ONCE = Retry(attempts=1, total=30.0)


@dataclass(frozen=True)
class App:
    """The app that speaks with Meta, and where it finds it.

    Attributes:
        base_url: Graph API.
        api_version: Such as `v26.0`.
        app_id: The app's id.
        app_secret: The app's secret.
        dialog_url: Host of the login dialog.
        transport: For tests.
    """

    base_url: str
    api_version: str
    app_id: str
    app_secret: str
    dialog_url: str
    transport: httpx.BaseTransport | None = None

    def __repr__(self) -> str:
        return f"App(app_id={self.app_id!r}, …)"


@dataclass(frozen=True)
class Issued:
    """A token that Meta issued.

    Attributes:
        token: The token; never log it.
        expires_at: Aware UTC; None never.
    """

    token: str
    expires_at: datetime | None

    def __repr__(self) -> str:
        return f"Issued(expires_at={self.expires_at!r}, …)"


@dataclass(frozen=True)
class Granted:
    """What a person allowed the app.

    Attributes:
        granted: Scopes they allowed.
        declined: Scopes they were asked for and did not allow.
    """

    granted: tuple[str, ...]
    declined: tuple[str, ...] = ()

    def missing(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Asked scopes that are not granted, in the order asked."""
        return tuple(s for s in asked if s not in self.granted)


def dialog_host(base_url: str, dialog_url: str | None = None) -> str:
    """The host of the login dialog: as set, else Facebook's, else where another Graph API is."""
    if dialog_url:
        return dialog_url.rstrip("/")
    return DIALOG if urlsplit(base_url).hostname == _GRAPH_HOST else base_url.rstrip("/")


def dialog_address(
    app: App, redirect_uri: str, state: str, scopes: tuple[str, ...], *, again: bool = False
) -> str:
    """Where to send the browser.

    Args:
        app: See `App`.
        redirect_uri: Where Meta sends it back to; the code is exchanged with the same text.
        state: Unguessable; handed back by Meta.
        scopes: What to ask for.
        again: Whether to ask anew for what was declined before.
    """
    query = {
        "client_id": app.app_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "response_type": "code",
        "scope": ",".join(scopes),
    } | ({"auth_type": "rerequest"} if again else {})
    return f"{app.dialog_url}/{app.api_version}/dialog/oauth?{urlencode(query)}"


def exchange_code(app: App, code: str, redirect_uri: str, now: datetime) -> Issued:
    """The token behind a code.

    Raises:
        RejectedRequestError: If the code is expired, used, or for another address; says which.
        SettingsError: If Meta does not know the app, or its secret is wrong.
        MetaError: For anything else Meta says.
    """
    try:
        return _ask(app, {"redirect_uri": redirect_uri, "code": code}, now, _ONCE)
    except MetaError as error:
        if error.subcode in _CODE_TROUBLE:
            what, remedy = _CODE_TROUBLE[error.subcode]
            raise RejectedRequestError(
                what, remedy, code=error.code, subcode=error.subcode, trace_id=error.trace_id
            ) from None
        raise


def extend(app: App, token: str, now: datetime) -> Issued:
    """A token for about sixty days in exchange for one that still works.

    Raises:
        TokenExpiredError: If it no longer works.
        SettingsError: If Meta does not know the app, or its secret is wrong.
        MetaError: For anything else Meta says.
    """
    return _ask(app, {"grant_type": "fb_exchange_token", "fb_exchange_token": token}, now, _QUICK)


def fetch_granted(client: GraphClient, asked: tuple[str, ...] = ()) -> Granted:
    """What the token's user allowed, from `/me/permissions`."""
    rows = client.get("me/permissions").get("data")
    found = {
        str(r.get("permission")): str(r.get("status"))
        for r in (rows if isinstance(rows, list) else [])
        if isinstance(r, dict)
    }
    granted = tuple(p for p, status in found.items() if status == "granted")
    told = {p for p, status in found.items() if status in ("declined", "expired")}
    return Granted(granted, tuple(s for s in (*asked, *sorted(told - set(asked))) if s in told))


def fetch_identity(client: GraphClient) -> tuple[str, str]:
    """Id and name of the token's user; the name may be empty."""
    body = client.get("me", {"fields": "id,name"})
    return str(body.get("id") or ""), str(body.get("name") or "")


def revoke(client: GraphClient) -> bool:
    """Take back what the token's user allowed the app; whether Meta confirmed it.

    Raises:
        MetaError: If Meta refuses or does not answer.
    """
    return client.delete("me/permissions").get("success") is True


def _ask(app: App, params: Mapping[str, Any], now: datetime, retry: Retry) -> Issued:
    """Ask `oauth/access_token`.

    Reason: Meta takes app secret and token in the query here; addresses are never logged, and what
    an error repeats of them is taken out.
    """
    client = GraphClient(
        app.base_url, app.api_version, f"{app.app_id}|{app.app_secret}",
        transport=app.transport, retry=retry,
    )  # fmt: skip
    sent = {"client_id": app.app_id, "client_secret": app.app_secret, **params}
    secret = [app.app_secret, *(str(v) for k, v in params.items() if k != "redirect_uri")]
    try:
        body = client.get("oauth/access_token", sent)
    except MetaError as error:
        raise _without(error, secret) from None
    finally:
        client.close()
    token = body.get("access_token")
    if not isinstance(token, str) or not token:
        raise RejectedRequestError(
            "Meta answered without a token.", "Start again; if it repeats, check the app at Meta."
        )
    seconds = body.get("expires_in")
    lasts = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return Issued(token, now + timedelta(seconds=float(seconds)) if lasts else None)  # type: ignore[arg-type]


def _without(error: MetaError, secrets: list[str]) -> Exception:
    """The same error, with no secret in its text; one about the app names the settings."""
    text = error.reason
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "…")
    if (error.code == 101 or (error.code == 1 and "secret" in text.lower())) and not error.subcode:
        return SettingsError(
            f"Meta refuses the app: {text}",
            "Check ADLAB_META__APP_ID and ADLAB_META__APP_SECRET against the app's settings.",
        )
    if text == error.reason:
        return error
    return type(error)(
        text, error.remedy, code=error.code, subcode=error.subcode, trace_id=error.trace_id
    )
