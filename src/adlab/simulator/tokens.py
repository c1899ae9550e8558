"""Access tokens: the documented test tokens, signed ones from the OAuth flow, and app tokens.

Test tokens need no secret; what follows the prefix is free text unless stated:

    sim-token-…                 a user who sees every account; ads_read and ads_management
    sim-token-acct-1001+1002    the same, for these accounts only
    sim-readonly-…              ads_read only
    sim-noscope-…               neither; every ads call answers 200
    sim-system-…                a system user, never expires
    sim-expired… sim-revoked… sim-checkpoint… sim-password…     190 with 463, 458, 459, 460
    anything else               190 with 467
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass

from adlab.simulator.errors import GraphError, bad_token, invalid_parameter

APP_ID = "555"
DEFAULT_APP_SECRET = "simulated-app-secret"
_PREFIX = "simsigned."
_ALL_SCOPES = ("ads_read", "ads_management", "business_management", "public_profile")
_DEAD = {
    "sim-expired": (463, "Error validating access token: Session has expired."),
    "sim-revoked": (
        458,
        f"Error validating access token: The user has not authorized application {APP_ID}.",
    ),
    "sim-checkpoint": (
        459,
        "Error validating access token: You cannot access the app till you "
        "log in and follow the instructions given.",
    ),
    "sim-password": (
        460,
        "Error validating access token: The session has been invalidated "
        "because the user changed their password.",
    ),
}
_PROOF_SECONDS = 300


@dataclass(frozen=True)
class Grant:
    """What a token allows; `accounts` None means every account, `expires` 0 means never."""

    kind: str
    user_id: str
    scopes: tuple[str, ...]
    accounts: frozenset[int] | None
    issued: int
    expires: int

    def sees(self, account: int) -> bool:
        """Whether the token may see an account."""
        return self.accounts is None or account in self.accounts

    def require(self, *scopes: str) -> None:
        """Refuse when none of these scopes was granted.

        Raises:
            GraphError: Code 200.
        """
        if not set(scopes).intersection(self.scopes):
            raise GraphError(
                200,
                f"(#200) Ad account owner has NOT grant {' or '.join(scopes)} permission",
                status=403,
            )


class TokenOffice:
    """Checks tokens and issues signed ones.

    Args:
        secret: The app's secret; signed tokens and proofs are made with it.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def resolve(self, token: str, now: float) -> Grant:
        """Give what a token allows.

        Raises:
            GraphError: Code 190 with the reason as subcode, 104 when there is no token.
        """
        if not token:
            raise GraphError(
                104, "An access token is required to request this resource.", status=400
            )
        for prefix, (subcode, message) in _DEAD.items():
            if token.startswith(prefix):
                raise bad_token(subcode, message)
        if token == f"{APP_ID}|{self._secret.decode()}":
            return Grant("APP", "", (), frozenset(), 0, 0)
        if token.startswith(_PREFIX):
            return self._signed(token, now)
        issued = int(now) // 86_400 * 86_400 - 10 * 86_400
        late = issued + 60 * 86_400
        if token.startswith("sim-system-"):
            return Grant("SYSTEM_USER", "9100", _ALL_SCOPES, None, issued, 0)
        if token.startswith("sim-readonly-"):
            return Grant("USER", "9002", ("ads_read", "public_profile"), None, issued, late)
        if token.startswith("sim-noscope-"):
            return Grant("USER", "9003", ("public_profile",), None, issued, late)
        limited = re.match(r"sim-token-acct-(\d+(?:\+\d+)*)", token)
        if limited:
            accounts = frozenset(int(number) for number in limited[1].split("+"))
            return Grant("USER", "9004", _ALL_SCOPES, accounts, issued, late)
        if token.startswith("sim-token-"):
            return Grant("USER", "9001", _ALL_SCOPES, None, issued, late)
        raise bad_token(467, "Error validating access token: This token is malformed or invalid.")

    def issue(self, grant: Grant) -> str:
        """Write a signed token."""
        payload = json.dumps(
            {
                "kind": grant.kind,
                "user": grant.user_id,
                "scopes": grant.scopes,
                "accounts": None if grant.accounts is None else sorted(grant.accounts),
                "issued": grant.issued,
                "expires": grant.expires,
            }
        )
        body = base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=")
        return f"{_PREFIX}{body}.{self._sign(body)}"

    def _sign(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()[:40]

    def _signed(self, token: str, now: float) -> Grant:
        body, _, signature = token.removeprefix(_PREFIX).rpartition(".")
        if not hmac.compare_digest(signature, self._sign(body)):
            raise bad_token(467, "Error validating access token: The signature is invalid.")
        try:
            data = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (binascii.Error, ValueError):
            raise bad_token(467, "Error validating access token: malformed.") from None
        accounts = None if data["accounts"] is None else frozenset(data["accounts"])
        grant = Grant(
            data["kind"],
            data["user"],
            tuple(data["scopes"]),
            accounts,
            data["issued"],
            data["expires"],
        )
        if grant.expires and grant.expires <= now:
            raise bad_token(463, "Error validating access token: Session has expired.")
        return grant

    def check_app(self, client_id: str, client_secret: str) -> None:
        """Refuse a wrong app id or secret.

        Raises:
            GraphError: Code 101 or 1.
        """
        if client_id != APP_ID:
            raise GraphError(101, "Error validating application. Cannot get application info.")
        if not hmac.compare_digest(client_secret.encode(), self._secret):
            raise GraphError(1, "Error validating client secret.")

    def check_proof(
        self, token: str, proof: str, proof_time: str, now: float, *, required: bool
    ) -> None:
        """Check `appsecret_proof` in its plain or its timed form.

        Raises:
            GraphError: Code 100 when it is wrong, too old, or missing while required.
        """
        if not proof:
            if required:
                raise invalid_parameter(
                    "API calls from the server require an appsecret_proof argument"
                )
            return
        message = f"{token}|{proof_time}" if proof_time else token
        expected = hmac.new(self._secret, message.encode(), hashlib.sha256).hexdigest()
        stale = bool(proof_time) and (
            not proof_time.isdigit() or abs(now - int(proof_time)) > _PROOF_SECONDS
        )
        if stale or not hmac.compare_digest(expected, proof):
            raise invalid_parameter("Invalid appsecret_proof provided in the API argument")
