"""Access tokens of the REST API: signed, scoped, short of secrets; made here and read here.

A token says whose it is, what for, and until when. It is signed with a key derived from the ring
that signs sessions: the newest key signs, every key of the ring is believed. That a token still
holds is asked of the database besides (`sec.api_token`), so a stolen key alone makes no token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

ISSUER = "adlab"
AUDIENCE = "adlab-api"
ALGORITHM = "HS256"
LEEWAY_SECONDS = 60
LONGEST_TOKEN = 2_000
MOST_CLIENTS = 50

SCOPES = {
    "read": "numbers and objects of the clients it may see",
    "propose": "proposals of changes, which somebody else approves",
    "connect": "ad accounts connected through Facebook Login",
    "audit": "entries of the audit log",
}
_CLAIMS = ("iss", "aud", "sub", "jti", "iat", "nbf", "exp", "scope")


class TokenError(Exception):
    """A token that is not believed.

    Args:
        reason: Why, for whoever holds it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Claims:
    """What a token says.

    Attributes:
        jti: Its number.
        person_id: Whose it is.
        scopes: What for; of `SCOPES`.
        clients: Slugs it is narrowed to; None for all of that person's.
        expires_at: Until when (aware UTC).
    """

    jti: str
    person_id: int
    scopes: frozenset[str]
    clients: tuple[str, ...] | None
    expires_at: datetime


def parse_scopes(text: str) -> tuple[str, ...]:
    """Scopes from words with commas or spaces between, in their usual order.

    Raises:
        ValueError: If one is unknown, or there is none.
    """
    asked = set(text.replace(",", " ").split())
    if not asked or asked - set(SCOPES):
        wrong = ", ".join(sorted(asked - set(SCOPES))) or "nothing"
        raise ValueError(f"{wrong} is no scope; scopes are {', '.join(SCOPES)}")
    return tuple(s for s in SCOPES if s in asked)


class TokenSigner:
    """Makes and reads tokens.

    Args:
        secrets: Keys of the session ring, newest first.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._keys = {_name(key): key for key in map(_derive, secrets)}
        self._newest = next(iter(self._keys))

    def __repr__(self) -> str:
        return "TokenSigner(…)"

    def make(self, claims: Claims, now: datetime) -> str:
        """The token with these claims, good from now on."""
        at = int(now.timestamp())
        said: dict[str, object] = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": str(claims.person_id), "jti": claims.jti,
            "iat": at, "nbf": at, "exp": int(claims.expires_at.timestamp()),
            "scope": " ".join(s for s in SCOPES if s in claims.scopes),
        }  # fmt: skip
        if claims.clients is not None:
            said["clients"] = list(claims.clients)
        return jwt.encode(
            said, self._keys[self._newest], algorithm=ALGORITHM, headers={"kid": self._newest}
        )

    def read(self, token: str, now: datetime) -> Claims:
        """What a token says, if it is one of ours and of this time.

        Args:
            token: The token.
            now: Current aware time.

        Raises:
            TokenError: If it is not; says why.
        """
        said = self._verified(token)
        at = now.timestamp()
        _check_times(said, at)
        try:
            person_id, scope = int(str(said["sub"])), str(said["scope"])
            clients = said.get("clients")
            if clients is not None and not (
                isinstance(clients, list) and all(isinstance(c, str) for c in clients)
            ):
                raise ValueError("clients")
            return Claims(
                str(said["jti"]), person_id, frozenset(scope.split()) & set(SCOPES),
                None if clients is None else tuple(clients),
                datetime.fromtimestamp(int(float(str(said["exp"]))), UTC),
            )  # fmt: skip
        except (ValueError, TypeError, OverflowError, OSError):
            raise TokenError("This access token is malformed.") from None

    def _verified(self, token: str) -> dict[str, object]:
        if len(token) > LONGEST_TOKEN:
            raise TokenError("This access token is malformed.")
        for key in self._keys.values():
            try:
                # Reason: times are checked by us, so that the reason can be told and tests can
                # set the clock. The algorithm is ours to choose, never the token's.
                found: dict[str, object] = jwt.decode(
                    token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER,
                    options={"require": list(_CLAIMS), "verify_exp": False, "verify_nbf": False,
                             "verify_iat": False},
                )  # fmt: skip
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
                break
            return found
        # Reason: forged, of another key, for another audience or not a token at all: whoever
        # forges learns nothing of which part was wrong.
        raise TokenError("This access token is not one of ours.")


def _check_times(said: dict[str, object], at: float) -> None:
    times = {n: said[n] for n in ("iat", "nbf", "exp")}
    if not all(isinstance(t, int | float) and not isinstance(t, bool) for t in times.values()):
        raise TokenError("This access token is malformed.")
    begins = max(float(str(times["iat"])), float(str(times["nbf"])))
    if begins > at + LEEWAY_SECONDS:
        raise TokenError(
            f"This access token begins {begins - at:.0f} seconds from now: clock skew. At most "
            f"{LEEWAY_SECONDS} seconds are allowed; set the clocks."
        )
    # Reason: not "<=" on the other side of the leeway, or a token would end a second early there.
    if float(str(times["exp"])) + LEEWAY_SECONDS <= at:
        raise TokenError("This access token has expired.")


def _derive(secret: bytes) -> bytes:
    return hmac.new(secret, b"adlab api token", hashlib.sha256).digest()


def _name(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]
