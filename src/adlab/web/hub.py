"""The hub as identity: from a browser's cookie to the name JupyterHub vouches for.

The boards and the web endpoints are OAuth clients of the hub. Each keeps the token the hub gave it
in a sealed cookie of its own, and asks the hub again every half minute whose token it is; a person
who logs out or is removed at the hub is gone here within a minute. JupyterHub's `HubOAuth` does the
protocol; here are the cookies, which FastAPI and Tornado share.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from adlab.core.errors import AccessDeniedError, HubUnavailableError
from adlab.web.sessions import ABSOLUTE_SECONDS, safe_next

ASK_AGAIN_SECONDS = 30
ANSWER_SECONDS = 5
GRACE_SECONDS = 600
MOST_KNOWN = 5_000
STATE_SECONDS = 600
SESSION_COOKIE = "jupyterhub-session-id"
_SILENT = ("The login service does not answer.", "Try again in a minute.")


@dataclass(frozen=True)
class HubKey:
    """What proves a person to the hub.

    Attributes:
        token: The hub's token for this person and this service. Never log it.
        session_id: The hub's session, so that a logout is noticed at once.
        started_at: When it was given (epoch seconds).
    """

    token: str
    session_id: str
    started_at: int

    def __repr__(self) -> str:
        return f"HubKey(started_at={self.started_at}, …)"


class HubIdentity:
    """Logs people in through the hub.

    Args:
        key: Secret of the installation, or several with the newest first; cookies are sealed with
            a key derived from it.
        hub: A `HubOAuth`; made from the JUPYTERHUB_… variables when omitted.
        clock: Epoch seconds; tests move it.
    """

    def __init__(
        self,
        key: bytes | Sequence[bytes],
        hub: Any = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if hub is None:
            from jupyterhub.services.auth import HubOAuth

            hub = HubOAuth()
        self._hub = hub
        self._clock = clock
        keys = [key] if isinstance(key, bytes) else list(key)
        self._fernet = MultiFernet([Fernet(_derive(k, hub.oauth_client_id)) for k in keys])
        self._needed = set(hub.access_scopes)
        # Reason: the hub's own client keeps one connection pool a loop; this is the only loop.
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="hub-login").start()
        self._known: dict[tuple[str, str], tuple[float, str | None]] = {}
        self.cookie = f"adlab-{hub.oauth_client_id}"
        self.state_cookie = f"{self.cookie}-state"
        self.cookie_path = hub.base_url

    def begin(self, next_path: str | None) -> tuple[str, str]:
        """Start a login.

        Args:
            next_path: Where to go afterwards; foreign addresses become the service's start.

        Returns:
            The hub's address to redirect to, and the value of the state cookie.
        """
        verifier, challenge, method = self._hub.generate_pkce_code_challenge()
        nonce = secrets.token_urlsafe(16)
        sealed = self.seal({"nonce": nonce, "verifier": verifier, "next": safe_next(next_path)})
        query = urlencode(
            {"state": nonce, "code_challenge": challenge, "code_challenge_method": method}
        )
        separator = "&" if "?" in self._hub.login_url else "?"
        return f"{self._hub.login_url}{separator}{query}", sealed

    def finish(self, code: str, state: str, cookies: Mapping[str, str]) -> tuple[str, str]:
        """End a login.

        Args:
            code: The hub's one-time code.
            state: What the hub hands back.
            cookies: The browser's cookies.

        Returns:
            The value of the identity cookie, and the path to go on to.

        Raises:
            AccessDeniedError: If this browser did not start the login, or it took too long.
            HubUnavailableError: If the hub does not answer.
        """
        begun = self.unseal(cookies.get(self.state_cookie), STATE_SECONDS)
        if not begun or not state or not secrets.compare_digest(begun.get("nonce", ""), state):
            raise AccessDeniedError("This login has expired.", "Start again from the first page.")
        token = self._ask(
            lambda: self._hub.token_for_code(code, code_verifier=begun["verifier"], sync=False)
        )
        key = HubKey(token, cookies.get(SESSION_COOKIE, ""), int(self._clock()))
        target = begun["next"]
        return self.seal_key(key), target if target != "/" else self.cookie_path

    def read(self, cookies: Mapping[str, str]) -> HubKey | None:
        """The key of a browser, not yet proved; None without one, or after twelve hours."""
        key = self.open_key(cookies.get(self.cookie))
        if key is None:
            return None
        # Reason: the hub clears its session cookie at logout, and revokes what belonged to it.
        return HubKey(key.token, cookies.get(SESSION_COOKIE, ""), key.started_at)

    def username(self, key: HubKey) -> str | None:
        """Whom the hub knows by this key; None when it no longer knows anyone.

        Raises:
            HubUnavailableError: If the hub does not answer, and did not ten minutes ago.
        """
        asked = (key.session_id, key.token)
        now = self._clock()
        at, name = self._known.get(asked, (0.0, None))
        if now - at < ASK_AGAIN_SECONDS:
            return name
        try:
            user = self._ask(
                lambda: self._hub.user_for_token(
                    key.token, session_id=key.session_id, use_cache=False, sync=False
                )
            )
        except HubUnavailableError:
            # Reason: what a person may see is decided by the database, which is still asked; so
            # open boards outlive a restart of the hub.
            if name is not None and now - at < GRACE_SECONDS:
                return name
            raise
        fits = bool(user) and self._hub.check_scopes(self._needed, user)
        name = str(user["name"]) if fits else None
        if len(self._known) > MOST_KNOWN:
            self._known = {k: v for k, v in self._known.items() if now - v[0] < GRACE_SECONDS}
        self._known[asked] = (now, name)
        return name

    def seal_key(self, key: HubKey) -> str:
        """A key as text that says nothing to whoever holds it."""
        return self.seal({"t": key.token, "h": key.session_id, "s": key.started_at})

    def open_key(self, sealed: str | None) -> HubKey | None:
        """The key behind `seal_key`."""
        found = self.unseal(sealed, ABSOLUTE_SECONDS)
        if not found or "t" not in found:
            return None
        return HubKey(str(found["t"]), str(found["h"]), int(found["s"]))

    def seal(self, values: Mapping[str, Any]) -> str:
        """Encrypt and sign a few values."""
        body = json.dumps(dict(values)).encode()
        return self._fernet.encrypt_at_time(body, int(self._clock())).decode()

    def unseal(self, text: str | None, seconds: int) -> dict[str, Any] | None:
        """The values behind `seal`, unless forged or older than so many seconds."""
        if not text or len(text) > 4000:
            return None
        try:
            body = self._fernet.decrypt_at_time(text.encode(), seconds, int(self._clock()))
            found: dict[str, Any] = json.loads(body)
        except (InvalidToken, ValueError):
            return None
        return found

    def _ask(self, question: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        from tornado.web import HTTPError

        async def bounded() -> Any:
            return await asyncio.wait_for(question(), ANSWER_SECONDS)

        try:
            return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result()
        except HTTPError as error:
            text = str(error.log_message or "")
            if text.startswith("Failed to check authorization:"):
                raise AccessDeniedError(
                    "The hub refused this login.", "Start again from the first page."
                ) from None
            raise HubUnavailableError(*_SILENT) from None
        except (OSError, TimeoutError):
            raise HubUnavailableError(*_SILENT) from None


def _derive(key: bytes, salt: str) -> bytes:
    import base64
    import hashlib
    import hmac

    return base64.urlsafe_b64encode(hmac.new(key, b"adlab hub " + salt.encode(), hashlib.sha256)
                                    .digest())  # fmt: skip
