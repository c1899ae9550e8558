"""Builds the parts from settings: the only reader of settings, the only place that wires rooms.

A `Runtime` is what commands work with. It starts the embedded servers when no URLs are set, brings
the schema up to date, and hands out engines, vault, ingestion and the workbench.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from adlab import logs
from adlab.core.errors import SettingsError
from adlab.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from adlab.core.quota import Budget
    from adlab.local import Servers
    from adlab.meta.client import GraphClient, Observe
    from adlab.realtime.events import Publisher
    from adlab.services.access import MetaAccess
    from adlab.services.changes_desk import WriteParts
    from adlab.services.inbox_subscriptions import SubscriptionParts
    from adlab.services.ingest import IngestParts
    from adlab.storage.tenancy import Reader
    from adlab.vault import Vault


class Runtime:
    """The parts of one process, built when first needed.

    Args:
        settings: Checked settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.observe_meta: Observe | None = None
        logs.configure(settings.log_level)

    @property
    def home(self) -> Path:
        """Folder of the embedded servers' data."""
        return self.settings.home

    @cached_property
    def servers(self) -> Servers | None:
        """The embedded servers, started when anything needs them; None when all are external."""
        if self.settings.database.url is not None and self.settings.redis.url is not None:
            return None
        if self.settings.database.url is not None:
            # Reason: an external database without Redis is allowed; boards then poll.
            return None
        from adlab.local import ensure_servers

        return ensure_servers(self.home)

    @property
    def database_url(self) -> str:
        """The owner's database URL. Never log it."""
        if self.settings.database.url is not None:
            return self.settings.database.url.get_secret_value()
        assert self.servers is not None
        return self.servers.database_url

    @property
    def redis_url(self) -> str | None:
        """Where live updates travel, or None."""
        if self.settings.redis.url is not None:
            return self.settings.redis.url.get_secret_value()
        return self.servers.redis_url if self.servers is not None else None

    def migrate(self) -> str:
        """Bring the schema up to date.

        Returns:
            The schema version.
        """
        from adlab.storage import query_log, walls
        from adlab.storage.engine import connect_engine, transaction
        from adlab.storage.hardening import harden
        from adlab.storage.migrate import migrate

        version = migrate(self.database_url)
        if self.servers is not None:
            # Reason: only a superuser may take large objects from PUBLIC; the owner is none.
            admin = connect_engine(self.servers.admin_url, pool_size=1)
            with transaction(admin) as connection:
                query_log.prepare(connection)
                harden(connection)
                walls.mend(connection)
            admin.dispose()
        return version

    @cached_property
    def engine(self) -> Engine:
        """The owner's engine on an up-to-date schema.

        Raises:
            SettingsError: If the database is external and no key is set: nothing is begun that
                could not be finished.
            AccessDeniedError: If the login is a person's.
        """
        from adlab.storage.engine import owner_engine

        if self.settings.database.url is not None and self.settings.secret_key is None:
            self._refuse_persons()
            self.vault  # noqa: B018  # Reason: raises, and says how to make a key.
        self.migrate()
        return owner_engine(self.database_url, pool_size=10)

    @cached_property
    def vault(self) -> Vault:
        """Seals tokens and what is personal, with a key a client.

        Raises:
            SettingsError: If the database is external and no key is set.
        """
        from adlab.storage.client_keys import KeyRegister
        from adlab.vault import ClientKeys, Vault, local_keys, parse_ring

        folder = self.settings.keys_folder or self.home / "keys"
        clients = ClientKeys(folder, KeyRegister(lambda: self.engine))
        if self.settings.secret_key is not None:
            ring = parse_ring(self.settings.secret_key.get_secret_value())
            return Vault(*ring, clients=clients)
        if self.settings.database.url is not None:
            raise SettingsError(
                "ADLAB_SECRET_KEY is not set, and the database is external.",
                "Make one and keep it safe: "
                'python -c "import secrets; print(secrets.token_hex(32))"',
            )
        home = self.home
        return Vault(*local_keys(home), reload=lambda: local_keys(home), clients=clients)

    @property
    def meta(self) -> MetaAccess:
        """Where the Graph API is."""
        from adlab.services.access import MetaAccess

        m = self.settings.meta
        return MetaAccess(
            m.base_url,
            m.api_version,
            m.app_id,
            m.app_secret.get_secret_value() if m.app_secret else None,
            m.page_size,
            budget=self.quota,
            observe=self.observe_meta,
            dialog_url=m.dialog_url,
            with_business=m.login_business,
        )

    @cached_property
    def quota(self) -> Budget:
        """The quota of the app at Meta: shared through Redis, of this process where there is none.

        Apps and Graph APIs are told apart, so that a demo's simulator never slows a real app down.
        """
        from hashlib import sha256

        from adlab.meta.quota import LocalBudget
        from adlab.realtime.quota import RedisBudget

        own = LocalBudget()
        if self.redis_url is None:
            return own
        m = self.settings.meta
        host = sha256(m.base_url.encode()).hexdigest()[:12]
        return RedisBudget(self.redis_url, f"{m.app_id or 'app'}-{host}", own)

    @cached_property
    def publisher(self) -> Publisher:
        """Tells open pages of changes; does nothing where there is no Redis."""
        from adlab.realtime.events import Publisher

        return Publisher(self.redis_url)

    def _refuse_persons(self) -> None:
        """Tell a person that their login is none for this, before a key is asked for."""
        from adlab.core.errors import DatabaseUnavailableError
        from adlab.storage.migrate import require_operator

        try:
            require_operator(self.database_url)
        except DatabaseUnavailableError:
            return

    @property
    def ingest(self) -> IngestParts:
        """What ingestion needs."""
        from adlab.services.ingest import IngestParts

        engine = self.engine
        meta, vault = self.meta, self.vault

        def open_client(sealed: bytes, client_id: int) -> GraphClient:
            return meta.client(vault.open(sealed, client_id))

        return IngestParts(
            engine=engine,
            open_client=open_client,
            tell=self.publisher.publish,
            concurrency=self.settings.meta.concurrency,
        )

    @property
    def writes(self) -> WriteParts:
        """What changes at Meta, and conversion events, need."""
        from adlab.services.changes_desk import WriteParts

        parts = self.ingest
        return WriteParts(parts.engine, parts.open_client, parts.tell, self.vault)

    @property
    def verify_tokens(self) -> tuple[str, ...]:
        """What Meta names when it asks whether a webhook is ours; the newest first."""
        given = self.settings.meta.verify_token
        if given is not None:
            return (given.get_secret_value(),)
        return tuple(self.vault.derive_all("webhook verify token").split(","))

    def subscriptions(self, address: str | None = None) -> SubscriptionParts:
        """What webhook subscriptions need.

        Args:
            address: The public address, without a slash at its end; of settings when omitted.
        """
        from adlab.meta.signatures import PATH
        from adlab.services.inbox_subscriptions import SubscriptionParts

        url = f"{address or self.settings.web.address}{PATH}"
        return SubscriptionParts(self.engine, self.vault, self.meta, url, self.verify_tokens[0])

    def hooks_environment(self) -> dict[str, str] | None:
        """Variables of a receiver of webhooks, with a login of its own; None without an app secret.

        Reason: the receiver stands in the internet, so it gets these and no variable of ours.
        """
        from adlab.storage.engine import libpq_url, transaction
        from adlab.storage.inbox import create_hooks_login

        secret = self.meta.app_secret
        if not secret:
            return None
        with transaction(self.engine) as connection:
            login, password = create_hooks_login(connection)
        return {
            "ADLAB_DATABASE__URL": libpq_url(
                self.engine.url.set(username=login, password=password)
            ),
            "ADLAB_HOOKS_APP_SECRET": secret,
            "ADLAB_HOOKS_VERIFY_TOKENS": ",".join(self.verify_tokens),
        }

    def on_graph_api(self, base_url: str) -> Runtime:
        """The same runtime speaking to another Graph API (the demo's simulator)."""
        meta = self.settings.meta.model_copy(
            update={"base_url": base_url, "app_id": None, "app_secret": None}
        )
        other = Runtime(self.settings.model_copy(update={"meta": meta}))
        # Reason: servers and engine are shared; they were started once already.
        for name in ("servers", "engine", "vault"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    def close(self) -> None:
        """Close pooled connections; the embedded servers go on."""
        if "engine" in self.__dict__:
            self.engine.dispose()


def build() -> Runtime:
    """The runtime of this process, from the environment.

    Raises:
        SettingsError: If a variable is wrong.
    """
    return Runtime(load_settings())


def open_reader() -> Reader:
    """A reader of schema `api` for `adlab.connect()`.

    With `ADLAB_DATABASE__URL` it uses that login and nothing else: no migration, no Redis, no
    secret key. Without it, the local owner's embedded store is started and brought up to date.

    Raises:
        AccessDeniedError: If the login has expired or is unknown.
        SchemaOutOfDateError: If store and package differ.
        DatabaseUnavailableError: If the store cannot be reached.
    """
    from adlab.storage.migrate import newest_version
    from adlab.storage.tenancy import LoginReader, check_schema

    settings = load_settings()
    if settings.database.url is not None:
        reader = LoginReader(settings.database.url.get_secret_value())
    else:
        runtime = Runtime(settings)
        runtime.migrate()
        reader = LoginReader(runtime.database_url)
    try:
        reader.identity()
        check_schema(reader, newest_version())
    except BaseException:
        reader.close()
        raise
    return reader
