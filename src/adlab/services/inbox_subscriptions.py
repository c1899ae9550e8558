"""Subscribe to webhooks, see what is subscribed, and put back what is missing.

The app subscribes once; every connected account must let it hear. Meta may end a subscription after
repeated failures, and does not tell: `reconcile` looks every day.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine

from adlab.core.entities import parse_account_id
from adlab.core.errors import (
    AdlabError,
    MissingPermissionError,
    SettingsError,
    TokenExpiredError,
    UnknownObjectError,
)
from adlab.core.quota import Caller
from adlab.meta import subscriptions as remote
from adlab.meta.client import GraphClient
from adlab.meta.oauth import App
from adlab.meta.subscriptions_payload import TOPICS
from adlab.services.access import MetaAccess
from adlab.storage import audit, connections, objects
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.vault import Vault

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SubscriptionParts:
    """What subscriptions need; built by `runtime`.

    Attributes:
        engine: The owner's engine.
        vault: Opens tokens.
        meta: Where the Graph API is.
        callback_url: Where Meta shall deliver.
        verify_token: What its question will name.
    """

    engine: Engine
    vault: Vault
    meta: MetaAccess
    callback_url: str
    verify_token: str

    def __repr__(self) -> str:
        return f"SubscriptionParts(callback_url={self.callback_url!r}, …)"

    @property
    def app(self) -> App:
        """The app.

        Raises:
            SettingsError: If its id or secret is not set.
        """
        if self.meta.app is None:
            raise SettingsError(
                "ADLAB_META__APP_ID and ADLAB_META__APP_SECRET must be set for webhooks.",
                "Both stand in the app's settings at developers.facebook.com.",
            )
        return self.meta.app


@dataclass(frozen=True)
class AccountSubscription:
    """Whether an account lets the app hear of it.

    Attributes:
        account_id: Ad account.
        client: Slug of its client.
        state: `subscribed`, `added` just now, `missing`, or `failed`.
        problem: Why it failed.
    """

    account_id: int
    client: str
    state: str
    problem: str | None = None


@dataclass
class Subscribed:
    """What is subscribed.

    Attributes:
        callback_url: Where Meta shall deliver.
        app: `subscribed`, `added`, `missing`, `inactive`, `other address`, or `failed`.
        app_problem: Why it failed, or what is missing.
        accounts: Each connected account.
    """

    callback_url: str
    app: str = "missing"
    app_problem: str | None = None
    accounts: list[AccountSubscription] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether Meta delivers everything."""
        good = ("subscribed", "added")
        return self.app in good and all(a.state in good for a in self.accounts)


def subscribe(
    parts: SubscriptionParts, client: str | None = None, account: str | None = None
) -> Subscribed:
    """Subscribe the app and every connected account, or those of one client, or one.

    Raises:
        SettingsError: If the app is not set, or the address is none Meta would call.
        UnknownObjectError: If the client or account does not exist or is not connected.
        RejectedRequestError: If the address did not answer Meta's question.
        ValueError: If the account id is malformed.
    """
    rows = _accounts(parts, client, account)
    _check_address(parts)
    found = Subscribed(parts.callback_url)
    graph = remote.app_client(parts.app)
    try:
        remote.subscribe_app(
            graph, parts.app.app_id, parts.callback_url, parts.verify_token, TOPICS
        )
    finally:
        graph.close()
    found.app = "added"
    found.accounts = [_account(parts, row, add=True) for row in rows]
    with transaction(parts.engine) as connection:
        audit.record(
            connection, "webhooks.subscribe", actor=audit.LOCAL_OWNER,
            accounts=[a.account_id for a in found.accounts if a.state == "added"],
            failed=[a.account_id for a in found.accounts if a.state == "failed"],
        )  # fmt: skip
    return found


def look(
    parts: SubscriptionParts, client: str | None = None, account: str | None = None
) -> Subscribed:
    """What is subscribed at Meta now; changes nothing.

    Raises:
        SettingsError: If the app is not set.
        UnknownObjectError: If the client or account does not exist or is not connected.
    """
    found = Subscribed(parts.callback_url)
    _look_at_app(parts, found)
    rows = _accounts(parts, client, account) if client or account else _all_accounts(parts)
    found.accounts = [_account(parts, row, add=False) for row in rows]
    return found


def reconcile(parts: SubscriptionParts) -> Subscribed:
    """Look at both steps and put back what is missing; for a daily job.

    Nothing is put back before somebody has subscribed once: an app without any subscription to ad
    accounts is left alone, and its accounts are not asked.

    Returns:
        What is there; what was put back is `added`.

    Raises:
        SettingsError: If the app is not set.
    """
    found = Subscribed(parts.callback_url)
    _look_at_app(parts, found)
    if found.app in ("missing", "failed", "other address"):
        log.info("webhooks_not_reconciled app=%s", found.app)
        return found
    if found.app != "subscribed":
        graph = remote.app_client(parts.app)
        try:
            remote.subscribe_app(
                graph, parts.app.app_id, parts.callback_url, parts.verify_token, TOPICS
            )
            found.app, found.app_problem = "added", found.app_problem
        except AdlabError as error:
            found.app, found.app_problem = "failed", str(error)
        finally:
            graph.close()
    rows = _all_accounts(parts)
    found.accounts = [_account(parts, row, add=True, only_missing=True) for row in rows]
    added = [a.account_id for a in found.accounts if a.state == "added"]
    failed = [a.account_id for a in found.accounts if a.state == "failed"]
    log.info("webhooks_reconciled app=%s added=%d failed=%d", found.app, len(added), len(failed))
    return found


def unsubscribe(parts: SubscriptionParts, account_id: int) -> str | None:
    """Let Meta tell us nothing more of an account; call it while its token is still there.

    Returns:
        None when it is done, or was not subscribed; else why it could not be done. An update that
        comes all the same is kept and ignored.
    """
    try:
        rows = _accounts(parts, None, str(account_id))
        graph = _open(parts, rows[0])
    except AdlabError as error:
        return str(error)
    try:
        if remote.is_installed(graph, account_id, parts.app.app_id):
            remote.uninstall(graph, account_id)
    except AdlabError as error:
        log.warning(
            "webhooks_not_unsubscribed account_id=%s error=%s", account_id, type(error).__name__
        )
        return str(error)
    finally:
        graph.close()
    return None


def _look_at_app(parts: SubscriptionParts, found: Subscribed) -> None:
    graph = remote.app_client(parts.app)
    try:
        there = remote.fetch_app_subscription(graph, parts.app.app_id)
    except AdlabError as error:
        found.app, found.app_problem = "failed", str(error)
        return
    finally:
        graph.close()
    if there is None:
        return
    missing = sorted(set(TOPICS) - there.topics)
    if there.callback_url != parts.callback_url:
        found.app, found.app_problem = "other address", f"Meta delivers to {there.callback_url}."
    elif not there.is_active:
        found.app, found.app_problem = "inactive", "Meta ended it after repeated failures."
    elif missing:
        found.app, found.app_problem = "incomplete", f"Without {', '.join(missing)}."
    else:
        found.app = "subscribed"


def _account(
    parts: SubscriptionParts, row: dict[str, Any], *, add: bool, only_missing: bool = False
) -> AccountSubscription:
    """Look at an account, or let the app hear of it; never raises for what is wrong with it."""
    account_id, slug = int(row["account_id"]), str(row["slug"])
    try:
        graph = _open(parts, row)
    except AdlabError as error:
        return AccountSubscription(account_id, slug, "failed", str(error))
    try:
        there = remote.is_installed(graph, account_id, parts.app.app_id)
        if there:
            return AccountSubscription(account_id, slug, "subscribed")
        if not add:
            return AccountSubscription(account_id, slug, "missing")
        remote.install(graph, account_id)
        if only_missing:
            log.warning("webhooks_put_back account_id=%s", account_id)
        return AccountSubscription(account_id, slug, "added")
    except MissingPermissionError as error:
        why = f"{error.reason} Webhooks need a token with ads_management: connect again with it."
        return AccountSubscription(account_id, slug, "failed", why)
    except TokenExpiredError as error:
        if row["connection_id"] is not None:
            with transaction(parts.engine) as connection:
                connections.mark_connection(
                    connection, row["connection_id"], "reauth_required", error.message
                )
        return AccountSubscription(account_id, slug, "failed", str(error))
    except AdlabError as error:
        return AccountSubscription(account_id, slug, "failed", str(error))
    finally:
        graph.close()


def _open(parts: SubscriptionParts, row: dict[str, Any]) -> GraphClient:
    if row["token_sealed"] is None or row["connection_status"] != "ok":
        raise UnknownObjectError(
            f"act_{row['account_id']} has no working connection.",
            "Connect again: adlab account connect.",
        )
    graph = parts.meta.client(parts.vault.open(bytes(row["token_sealed"]), row["client_id"]))
    return graph.serve(Caller(int(row["account_id"]), int(row["client_id"])))


def _accounts(
    parts: SubscriptionParts, client: str | None, account: str | None
) -> list[dict[str, Any]]:
    with transaction(parts.engine) as connection:
        client_id = load_client(connection, client).client_id if client else None
        account_id = parse_account_id(account) if account else None
        rows = objects.load_accounts(connection, client_id, account_id)
    rows = [r for r in rows if r["connection_id"] is not None]
    if not rows:
        what = f"Account act_{account_id} is not" if account_id else "No ad account is"
        raise UnknownObjectError(
            f"{what} connected{f' for client {client!r}' if client else ''}.",
            "Connect one: adlab account connect act_… --client SLUG --token-env VAR",
        )
    return rows


def _all_accounts(parts: SubscriptionParts) -> list[dict[str, Any]]:
    """Every connected account; perhaps none."""
    try:
        return _accounts(parts, None, None)
    except UnknownObjectError:
        return []


def _check_address(parts: SubscriptionParts) -> None:
    """Refuse an address that Meta does not call, before it is asked to."""
    address, api = urlsplit(parts.callback_url), urlsplit(parts.app.base_url)
    if api.scheme == "https" and address.scheme != "https":
        raise SettingsError(
            f"Meta does not call {parts.callback_url}: webhooks need https and a name on the "
            "internet.",
            "Set ADLAB_WEB__PUBLIC_URL to the address people and Meta reach, such as "
            "https://reports.example.com",
        )
