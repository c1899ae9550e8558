"""What the web and boards processes need to know, read from the environment at start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from adlab.core.errors import SettingsError

API_PER_MINUTE = 120


@dataclass(frozen=True)
class WebConfig:
    """Plain values; secrets are kept out of its text.

    Attributes:
        database_url: Login of the boards' service.
        redis_url: Where live events come from, or None.
        session_key: Hex text that signs cookies.
        demo: Whether the data are simulated.
        boards_url: Where the boards process listens, for the health check.
        desk_url: Where the desk takes what needs an operator (new clients, tokens), or None.
        desk_key: What the desk asks for.
        behind_hub: Whether JupyterHub says who people are.
        prefix: Path below which this process lies; "" without a hub.
        api_per_minute: Calls a minute of one token of the REST API.
    """

    database_url: str
    redis_url: str | None
    session_key: str
    demo: bool = False
    boards_url: str | None = None
    desk_url: str | None = None
    desk_key: str | None = None
    behind_hub: bool = False
    prefix: str = ""
    api_per_minute: int = API_PER_MINUTE

    def __repr__(self) -> str:
        return f"WebConfig(demo={self.demo}, boards_url={self.boards_url!r}, …)"


def read_config(environment: Mapping[str, str] | None = None) -> WebConfig:
    """Read the variables.

    Raises:
        SettingsError: If one is missing; the message names it.
    """
    given = os.environ if environment is None else environment
    missing = [n for n in ("ADLAB_DATABASE__URL", "ADLAB_WEB__SESSION_KEY") if not given.get(n)]
    if missing:
        raise SettingsError(
            f"{' and '.join(missing)} must be set.",
            "`adlab demo` and `adlab hub` set them; see README for starting by hand.",
        )
    prefix = given.get("JUPYTERHUB_SERVICE_PREFIX", "").rstrip("/")
    return WebConfig(
        database_url=given["ADLAB_DATABASE__URL"],
        redis_url=given.get("ADLAB_REDIS__URL") or None,
        session_key=given["ADLAB_WEB__SESSION_KEY"],
        demo=given.get("ADLAB_DEMO", "") not in ("", "0"),
        boards_url=given.get("ADLAB_WEB__BOARDS_URL") or None,
        desk_url=given.get("ADLAB_WEB__DESK_URL") or None,
        desk_key=given.get("ADLAB_WEB__DESK_KEY") or None,
        behind_hub=bool(given.get("JUPYTERHUB_API_TOKEN") and prefix),
        prefix=prefix,
        api_per_minute=_whole(given.get("ADLAB_WEB__API_PER_MINUTE", "")),
    )


def _whole(text: str) -> int:
    if not text:
        return API_PER_MINUTE
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 1_000_000:
        raise SettingsError(
            "ADLAB_WEB__API_PER_MINUTE is wrong: it must be a whole number from 1 to 1,000,000.",
            f"Set it, or unset it for {API_PER_MINUTE}.",
        )
    return int(text)
