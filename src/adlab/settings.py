"""Every setting of adlab: `ADLAB_…` variables, checked once at start.

Only `adlab.runtime` reads settings; everything else is given plain values. A wrong value stops the
start with the variable's name, what was wrong and an example; its content is never repeated when
it could be a secret.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

import platformdirs
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adlab.core.errors import SettingsError

FLOOR_VERSION = (25, 0)
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        # Reason: Python's own text repeats the address, and with it the password.
        raise ValueError("it is not an address") from None


class DatabaseSettings(BaseModel):
    """Where the store is."""

    url: SecretStr | None = Field(
        None, description="PostgreSQL (with TimescaleDB or without). Unset: embedded."
    )

    @field_validator("url")
    @classmethod
    def _check(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from adlab.storage.engine import parse_url

            parse_url(value.get_secret_value())
        return value


class RedisSettings(BaseModel):
    """Where live updates travel."""

    url: SecretStr | None = Field(None, description="Redis or Valkey. Unset: embedded.")

    @field_validator("url")
    @classmethod
    def _check(cls, value: SecretStr | None) -> SecretStr | None:
        scheme = _split(value.get_secret_value()).scheme if value is not None else "redis"
        if scheme not in ("redis", "rediss", "unix"):
            raise ValueError("it must begin with redis://, rediss:// or unix://")
        return value


class MetaSettings(BaseModel):
    """The Graph API and the app that speaks to it."""

    base_url: str = Field(
        "https://graph.facebook.com", description="Graph API; plain http only on loopback."
    )
    api_version: str = Field("v26.0", description="Pinned version; v25.0 is the oldest alive.")
    app_id: str | None = Field(None, description="The Meta app's id.")
    app_secret: SecretStr | None = Field(None, description="The Meta app's secret.")
    verify_token: SecretStr | None = Field(
        None, description="Named by Meta when webhooks begin; unset: follows from SECRET_KEY."
    )
    dialog_url: str | None = Field(
        None, description="Host of Facebook Login's dialog; unset: follows from BASE_URL."
    )
    login_business: bool = Field(
        False, description="Facebook Login also asks for business_management."
    )
    page_size: int = Field(1000, ge=1, le=5000, description="Rows asked for per page.")
    concurrency: int = Field(5, ge=1, le=32, description="Requests side by side.")

    @field_validator("base_url", "dialog_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = _split(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it must be a http(s) address")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("plain http is allowed on loopback only; tokens travel with each call")
        if parts.username or parts.password or parts.query:
            raise ValueError("it must not hold credentials or a query")
        return value.rstrip("/")

    @field_validator("api_version")
    @classmethod
    def _check_version(cls, value: str) -> str:
        match = re.fullmatch(r"v(\d{1,3})\.(\d{1,2})", value)
        if not match:
            raise ValueError("it must look like v26.0")
        if (int(match[1]), int(match[2])) < FLOOR_VERSION:
            raise ValueError("Meta no longer serves ads on it; use v25.0 or newer")
        return value

    @field_validator("verify_token")
    @classmethod
    def _check_verify(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(
            r"[A-Za-z0-9_-]{16,200}", value.get_secret_value()
        ):
            raise ValueError("it must be 16 to 200 letters, digits, _ or -")
        return value

    @field_validator("app_id")
    @classmethod
    def _check_app(cls, value: str | None) -> str | None:
        if value is not None and not value.isdigit():
            raise ValueError("an app id is digits only")
        return value


class WebSettings(BaseModel):
    """The one address of boards and web endpoints."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8600, ge=1, le=65535, description="Port to listen on.")
    public_url: str | None = Field(
        None, description="The address people type; unset: http://host:port."
    )
    boards_host: str | None = Field(
        None, description="A host name of their own for the boards; needs PUBLIC_URL."
    )
    api_per_minute: int = Field(
        120, ge=1, le=1_000_000, description="Requests a minute of one token of the REST API."
    )

    @field_validator("public_url")
    @classmethod
    def _check_public(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = _split(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError("it must be a http(s) address without a query")
        if parts.path.strip("/"):
            raise ValueError("it must be a host without a path")
        return value.rstrip("/")

    @field_validator("boards_host")
    @classmethod
    def _check_boards_host(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(
            r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", value
        ):
            raise ValueError("it must be a lower-case host name, perhaps with a port")
        return value

    @property
    def address(self) -> str:
        """The address people type, without a slash at its end."""
        return self.public_url or f"http://{self.host}:{self.port}"


class HubSettings(BaseModel):
    """JupyterHub: one login for boards, pages and notebooks."""

    proxy: Literal["auto", "node", "python"] = Field(
        "auto", description="auto: Node's configurable-http-proxy where found, else our own."
    )
    spawner: Literal["local", "users", "systemd", "docker", "kubernetes"] | None = Field(
        None, description="Who notebook servers run as. Unset: users as root, else nothing starts."
    )
    trust_everybody: bool = Field(
        False, description="With local: everybody may read everybody's files and database login."
    )
    python: Path | None = Field(
        None, description="Interpreter of people's servers; unset: the one adlab runs in."
    )
    people: Path | None = Field(
        None,
        description="Folder of homes, client folders and gallery; unset: below /var/lib/adlab.",
    )
    client_folders: bool = Field(False, description="With users: a folder a client for its team.")
    memory_limit: str | None = Field(None, description="Memory of a server, such as 2G.")
    cpu_limit: float | None = Field(None, gt=0, le=1024, description="Processors of a server.")
    servers_each: int = Field(5, ge=1, le=50, description="Servers a person runs side by side.")
    idle_minutes: int = Field(30, ge=1, le=1440, description="When an idle server is stopped.")
    image: str | None = Field(None, description="With docker and kubernetes: the servers' image.")
    network: str | None = Field(None, description="With docker: the servers' network.")
    namespace: str | None = Field(None, description="With kubernetes: the servers' namespace.")
    connect_host: str | None = Field(
        None, description="With docker and kubernetes: the hub's name as servers reach it."
    )
    login: Literal["password", "oidc", "github", "google"] = Field(
        "password", description="Who checks people: adlab's own passwords, or a provider."
    )
    client_id: str | None = Field(None, description="Our id at the provider.")
    client_secret: SecretStr | None = Field(None, description="Our secret at the provider.")
    issuer: str | None = Field(None, description="With oidc: the provider's address.")
    authorize_url: str | None = Field(None, description="With oidc; unset: asked of the issuer.")
    token_url: str | None = Field(None, description="With oidc; unset: asked of the issuer.")
    userdata_url: str | None = Field(None, description="With oidc; unset: asked of the issuer.")
    username_claim: str = Field(
        "email", description="With oidc: what is compared with usernames here."
    )
    organization: str | None = Field(
        None, description="With github (needed) and google: whose members may log in."
    )
    mfa_claim: str | None = Field(
        None, description="With oidc: what the provider must vouch for, such as amr=mfa."
    )

    @field_validator("memory_limit")
    @classmethod
    def _check_memory(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[1-9]\d{0,5}[MG]", value):
            raise ValueError("it must be a number with M or G, such as 2G")
        return value

    @field_validator("people", "python")
    @classmethod
    def _check_path(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("it must be an absolute path")
        return value

    @field_validator("issuer", "authorize_url", "token_url", "userdata_url")
    @classmethod
    def _check_provider(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = _split(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it must be a https address")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("plain http is allowed on loopback only; secrets travel there")
        return value.rstrip("/")

    @field_validator("mfa_claim")
    @classmethod
    def _check_mfa(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"(amr|acr)=\S{1,200}", value):
            raise ValueError("it must be amr=… or acr=…, such as amr=mfa")
        return value


class WorkerSettings(BaseModel):
    """`adlab worker`: how much at once, and where its figures are."""

    threads: int = Field(4, ge=1, le=64, description="Jobs a worker does side by side.")
    metrics_host: str = Field("127.0.0.1", description="Address of /metrics for Prometheus.")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port of /metrics; unset: none is served."
    )


class Settings(BaseSettings):
    """All settings; see README for the list."""

    model_config = SettingsConfigDict(
        env_prefix="ADLAB_",
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        # Reason: compose files pass variables on as empty text; that means unset.
        env_ignore_empty=True,
    )

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("adlab", appauthor=False)),
        description="Folder of the embedded servers' data.",
    )
    secret_key: Annotated[
        SecretStr | None,
        Field(
            description="64 hex digits; seals tokens. While keys change: several with commas, "
            "newest first. Unset with embedded: made."
        ),
    ] = None
    keys_folder: Path | None = Field(
        None, description="Folder of clients' keys, for several hosts to share. Unset: HOME/keys."
    )
    log_level: str = Field("warning", description="debug, info, warning or error.")
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    meta: MetaSettings = MetaSettings()
    web: WebSettings = WebSettings()
    hub: HubSettings = HubSettings()
    worker: WorkerSettings = WorkerSettings()

    @field_validator("home", "keys_folder")
    @classmethod
    def _check_home(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        path = value.expanduser()
        if not path.is_absolute():
            raise ValueError("it must be an absolute path")
        return path

    @field_validator("secret_key")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from adlab.vault import parse_ring

            try:
                parse_ring(value.get_secret_value())
            except ValueError as error:
                raise ValueError(f"it must be 64 hex digits ({error})") from None
        return value

    @field_validator("log_level")
    @classmethod
    def _check_level(cls, value: str) -> str:
        if value.lower() not in ("debug", "info", "warning", "error"):
            raise ValueError("it must be debug, info, warning or error")
        return value.lower()


EXAMPLES = {
    "ADLAB_HOME": "/srv/adlab",
    "ADLAB_SECRET_KEY": 'the output of: python -c "import secrets; print(secrets.token_hex(32))"',
    "ADLAB_KEYS_FOLDER": "/srv/adlab-keys",
    "ADLAB_LOG_LEVEL": "info",
    "ADLAB_DATABASE__URL": "postgresql://adlab:password@db.example.com:5432/adlab",
    "ADLAB_REDIS__URL": "redis://:password@cache.example.com:6379/0",
    "ADLAB_META__BASE_URL": "https://graph.facebook.com",
    "ADLAB_META__API_VERSION": "v26.0",
    "ADLAB_META__APP_ID": "1234567890",
    "ADLAB_META__APP_SECRET": "from the app's settings page at Meta",
    "ADLAB_META__VERIFY_TOKEN": "a-long-text-of-your-own",
    "ADLAB_META__DIALOG_URL": "https://www.facebook.com",
    "ADLAB_META__LOGIN_BUSINESS": "1",
    "ADLAB_META__PAGE_SIZE": "1000",
    "ADLAB_META__CONCURRENCY": "5",
    "ADLAB_WEB__HOST": "127.0.0.1",
    "ADLAB_WEB__PORT": "8600",
    "ADLAB_WEB__PUBLIC_URL": "https://reports.example.com",
    "ADLAB_WEB__API_PER_MINUTE": "120",
    "ADLAB_WEB__BOARDS_HOST": "boards.example.com",
    "ADLAB_HUB__PROXY": "python",
    "ADLAB_HUB__SPAWNER": "users",
    "ADLAB_HUB__TRUST_EVERYBODY": "1",
    "ADLAB_HUB__PYTHON": "/opt/adlab/bin/python",
    "ADLAB_HUB__PEOPLE": "/srv/adlab-people",
    "ADLAB_HUB__CLIENT_FOLDERS": "1",
    "ADLAB_HUB__MEMORY_LIMIT": "2G",
    "ADLAB_HUB__CPU_LIMIT": "2",
    "ADLAB_HUB__SERVERS_EACH": "5",
    "ADLAB_HUB__IDLE_MINUTES": "30",
    "ADLAB_HUB__IMAGE": "registry.example.com/adlab:1",
    "ADLAB_HUB__NETWORK": "adlab-notebooks",
    "ADLAB_HUB__NAMESPACE": "adlab-notebooks",
    "ADLAB_HUB__CONNECT_HOST": "hub.internal.example.com",
    "ADLAB_HUB__LOGIN": "oidc",
    "ADLAB_HUB__CLIENT_ID": "adlab",
    "ADLAB_HUB__CLIENT_SECRET": "from the provider's page of applications",
    "ADLAB_HUB__ISSUER": "https://login.example.com/realms/agency",
    "ADLAB_HUB__AUTHORIZE_URL": "https://login.example.com/authorize",
    "ADLAB_HUB__TOKEN_URL": "https://login.example.com/token",
    "ADLAB_HUB__USERDATA_URL": "https://login.example.com/userinfo",
    "ADLAB_HUB__USERNAME_CLAIM": "email",
    "ADLAB_HUB__ORGANIZATION": "your-agency",
    "ADLAB_HUB__MFA_CLAIM": "amr=mfa",
    "ADLAB_WORKER__THREADS": "4",
    "ADLAB_WORKER__METRICS_HOST": "127.0.0.1",
    "ADLAB_WORKER__METRICS_PORT": "9464",
}


def load_settings() -> Settings:
    """Read and check the environment.

    Raises:
        SettingsError: If a value is wrong; names the variable and gives an example.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise _explain(error.errors()[0]) from None
    except Exception as error:
        # Reason: a group's own variable (ADLAB_META) that is no JSON fails before validation.
        field = re.search(r'field "(\w+)"', str(error))
        name = f"ADLAB_{field[1].upper()}" if field else "A setting"
        inner = [n for n in EXAMPLES if n.startswith(f"{name}__")] or EXAMPLES
        raise SettingsError(
            f"{name} cannot be read: {type(error).__name__}.",
            f"Variables are {', '.join(inner)}.",
        ) from None


def _explain(detail: Any) -> SettingsError:
    name = "ADLAB_" + "__".join(str(p).upper() for p in detail["loc"])
    reason = str(detail["msg"]).removeprefix("Value error, ")
    example = f" Example: {EXAMPLES[name]}" if name in EXAMPLES else ""
    return SettingsError(f"{name} is wrong: {reason}.", f"Set it, or unset it.{example}")
