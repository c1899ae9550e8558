"""Add clients and people, grant access, connect accounts, make logins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from adlab.core.entities import AccountInfo, parse_account_id
from adlab.core.errors import MetaError, MissingPermissionError, RejectedRequestError
from adlab.core.quota import Budget
from adlab.meta.auth import TokenFacts, inspect_token, require_usable
from adlab.meta.client import GraphClient, Observe
from adlab.meta.objects import fetch_account, fetch_accounts
from adlab.storage import audit
from adlab.storage.access import create_credential
from adlab.storage.clients import load_client
from adlab.storage.connections import prune_connections, store_connection
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.objects import store_account
from adlab.vault import Vault


@dataclass(frozen=True)
class MetaAccess:
    """How to reach the Graph API: plain values from settings.

    Attributes:
        budget: The app's quota, shared by every client made here; one for each when None.
        observe: Told of each call, for counters.
    """

    base_url: str
    api_version: str
    app_id: str | None
    app_secret: str | None
    page_size: int = 1000
    budget: Budget | None = None
    observe: Observe | None = None

    def client(self, token: str) -> GraphClient:
        """A signed client for a token."""
        return GraphClient(
            self.base_url,
            self.api_version,
            token,
            app_secret=self.app_secret,
            page_size=self.page_size,
            budget=self.budget,
            observe=self.observe,
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
    facts = inspect_token(
        meta.base_url, meta.api_version, token, app_id=meta.app_id, app_secret=meta.app_secret
    )
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
    finally:
        graph.close()
    with transaction(engine) as connection:
        connection_id = store_connection(
            connection,
            client_id=client.client_id,
            token_sealed=vault.seal(token, client.client_id),
            app_id=facts.app_id,
            meta_user_id=facts.user_id,
            token_type=facts.token_type,
            scopes=list(facts.scopes),
            expires_at=facts.expires_at,
            data_expires_at=facts.data_expires_at,
        )
        store_account(connection, info, client.client_id, connection_id=connection_id)
        prune_connections(connection, client.client_id)
        audit.record(
            connection,
            "account.connect",
            actor=actor,
            client_id=client.client_id,
            account_id=int(account_id),
            scopes=list(facts.scopes),
        )
    return Connected(info, facts, readable)


def credential_url(engine: Engine, name: str, hours: float) -> str:
    """A short-lived database URL of a person; the password is shown here only.

    Raises:
        UnknownObjectError: If there is no such person.
    """
    with transaction(engine) as connection:
        login, password = create_credential(connection, name, hours)
    return libpq_url(engine.url.set(username=login, password=password))
