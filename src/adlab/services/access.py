"""Add clients and people, grant access, connect accounts, make logins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from sqlalchemy import Connection, Engine

from adlab.core.entities import AccountInfo, parse_account_id
from adlab.core.errors import MetaError, MissingPermissionError, RejectedRequestError
from adlab.core.quota import Budget
from adlab.meta.auth import TokenFacts, inspect_token, require_usable
from adlab.meta.client import GraphClient, Observe, Retry
from adlab.meta.oauth import App, dialog_host, fetch_identity
from adlab.meta.objects import fetch_account, fetch_accounts
from adlab.storage import audit
from adlab.storage.access import create_credential
from adlab.storage.clients import load_client
from adlab.storage.connections import Known, prune_connections, store_connection
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.objects import store_account
from adlab.vault import Vault


@dataclass(frozen=True)
class MetaAccess:
    """How to reach the Graph API: plain values from settings.

    Attributes:
        budget: The app's quota, shared by every client made here; one for each when None.
        observe: Told of each call, for counters.
        dialog_url: Host of the login dialog; follows from `base_url` when None.
        with_business: Whether Facebook Login asks for `business_management`, too.
        transport: For tests.
    """

    base_url: str
    api_version: str
    app_id: str | None
    app_secret: str | None
    page_size: int = 1000
    budget: Budget | None = None
    observe: Observe | None = None
    dialog_url: str | None = None
    with_business: bool = False
    transport: httpx.BaseTransport | None = None

    @property
    def app(self) -> App | None:
        """The app for Facebook Login, or None while id or secret are not set."""
        if not self.app_id or not self.app_secret:
            return None
        return App(
            self.base_url, self.api_version, self.app_id, self.app_secret,
            dialog_host(self.base_url, self.dialog_url), self.transport,
        )  # fmt: skip

    def inspect(self, token: str, retry: Retry | None = None) -> TokenFacts:
        """What Meta says of a token.

        Raises:
            MetaError: If the Graph API refuses the question.
        """
        return inspect_token(
            self.base_url, self.api_version, token, app_id=self.app_id,
            app_secret=self.app_secret, transport=self.transport, retry=retry,
        )  # fmt: skip

    def client(self, token: str, retry: Retry | None = None) -> GraphClient:
        """A signed client for a token; a person who waits wants a shorter `retry`."""
        return GraphClient(
            self.base_url,
            self.api_version,
            token,
            app_secret=self.app_secret,
            page_size=self.page_size,
            budget=self.budget,
            observe=self.observe,
            transport=self.transport,
            retry=retry,
        )


@dataclass(frozen=True)
class Connected:
    """A connected account, the token behind it, and what else the token may read."""

    account: AccountInfo
    token: TokenFacts
    readable: tuple[AccountInfo, ...]


def connect_account(
    engine: Engine,
    vault: Vault,
    meta: MetaAccess,
    account: str,
    slug: str,
    token: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    actor: str = audit.LOCAL_OWNER,
) -> Connected:
    """Check a token, seal it, and connect an ad account to a client.

    Args:
        engine: The owner's engine.
        vault: Seals the token.
        meta: Where the Graph API is.
        account: `act_…` or digits.
        slug: The client.
        token: Access token; never logged, stored sealed only.
        now: Current aware time.
        actor: Who does it, for the audit log.

    Returns:
        The account, the token's facts, and the accounts it may read.

    Raises:
        UnknownObjectError: If the client does not exist.
        ConflictError: If another client has the account.
        TokenExpiredError, MissingPermissionError: If the token cannot be used.
        RejectedRequestError: If the token may not see the account.
        ValueError: If the account id is malformed.
    """
    account_id = parse_account_id(account)
    with transaction(engine) as connection:
        client = load_client(connection, slug)
    facts = meta.inspect(token)
    require_usable(facts, meta.app_id, now())
    graph = meta.client(token)
    try:
        try:
            info = fetch_account(graph, account_id)
        except (RejectedRequestError, MissingPermissionError) as error:
            raise RejectedRequestError(
                f"act_{account_id} cannot be read with this token: {error.reason}",
                "Check the id, and that the token's user has a role on that account.",
                code=error.code, subcode=error.subcode, trace_id=error.trace_id,
            ) from None  # fmt: skip
        try:
            readable = tuple(fetch_accounts(graph))
        except MetaError:
            # Reason: some system users cannot list accounts, yet read theirs; that is no failure.
            readable = (info,)
        name = user_name(graph)
    finally:
        graph.close()
    with transaction(engine) as connection:
        attach(
            connection, client.client_id, vault.seal(token, client.client_id),
            known_of(facts, name), [info], actor=actor, now=now(),
        )  # fmt: skip
    return Connected(info, facts, readable)


def attach(
    connection: Connection,
    client_id: int,
    token_sealed: bytes,
    known: Known,
    accounts: Sequence[AccountInfo],
    *,
    actor: str,
    now: datetime,
) -> int:
    """Keep a sealed token and let accounts of the client be read with it from now on.

    Tokens that no account of the client uses any more are deleted.

    Args:
        connection: An operator's transaction.
        client_id: The client.
        token_sealed: Sealed for that client.
        known: What Meta told of the token.
        accounts: What it is to read; new ones are added to the client.
        actor: Who connects, for the audit log and for people to know.
        now: When Meta was asked (aware UTC).

    Returns:
        The connection's id.

    Raises:
        ConflictError: If an account is another client's.
    """
    connection_id = store_connection(
        connection, client_id=client_id, token_sealed=token_sealed, known=known,
        connected_by=actor, asked_at=now,
    )  # fmt: skip
    for account in accounts:
        store_account(connection, account, client_id, connection_id=connection_id)
        audit.record(
            connection, "account.connect", actor=actor, client_id=client_id,
            account_id=int(account.account_id), scopes=list(known.scopes),
        )  # fmt: skip
    prune_connections(connection, client_id)
    return connection_id


def known_of(facts: TokenFacts, name: str = "") -> Known:
    """What the store keeps of a token's facts, with the name of its user."""
    return Known(
        facts.app_id, facts.user_id, name or None, facts.token_type, facts.scopes,
        facts.expires_at, facts.data_expires_at,
    )  # fmt: skip


def user_name(graph: GraphClient) -> str:
    """The name of the token's user; "" when Meta does not tell."""
    try:
        return fetch_identity(graph)[1]
    except MetaError:
        # Reason: it only helps people to know whom to ask; nothing depends on it.
        return ""


def credential_url(engine: Engine, name: str, hours: float, client: str | None = None) -> str:
    """A short-lived database URL of a person; the password is shown here only.

    Args:
        engine: The owner's.
        name: The person.
        hours: How long it works.
        client: Slug of the one client it may see; all of theirs when omitted.

    Raises:
        UnknownObjectError: If there is no such person or client.
        AccessDeniedError: If the person does not see that client.
    """
    with transaction(engine) as connection:
        login, password = create_credential(connection, name, hours, client)
    return libpq_url(engine.url.set(username=login, password=password))
