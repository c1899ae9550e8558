"""Logins through somebody else: OpenID Connect, GitHub, Google, by the oauthenticator package.

The provider says who it is; whether and as what they may come in the store says, as always. Nobody
is added by logging in, nobody becomes an admin of the hub, and no token of the provider is kept.
One-time links are closed then: they would lead past the provider's second factor.
"""

from __future__ import annotations

import time
from typing import Any

import jwt
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.github import GitHubOAuthenticator
from oauthenticator.google import GoogleOAuthenticator
from oauthenticator.oauth2 import OAuthenticator
from tornado.web import HTTPError

from adlab.hub.authenticator import UNKNOWN, FromStore, in_store, model_of, note_login
from adlab.hub.plan import Provider, read_plan
from adlab.storage import passwords

_REFUSED = "Your account there is not known here. Ask the agency to add you."
_NO_FACTOR = "This login needs a second factor. Set one up at your login service, then try again."


class ByProvider(FromStore):
    """Maps a provider's person onto the store's."""

    async def authenticate(self, handler: Any, data: Any = None, **more: Any) -> Any:
        """Ask the provider, then the store.

        Raises:
            HTTPError: 403 for whom the store does not know, or without the second factor demanded.
        """
        provider = read_plan().provider
        assert provider is not None
        told = await super().authenticate(handler, data, **more)  # type: ignore[misc]
        state = (told or {}).get("auth_state") or {}
        info = state.get(self.user_auth_state_key) or {}  # type: ignore[attr-defined]
        try:
            check_token(provider, state, info)
            username = username_of(provider, info)
        except HTTPError:
            await note_login("login.fail", UNKNOWN, handler, provider.kind)
            raise
        if not await self.belongs(provider, username, told):
            username = ""
        known = await in_store(lambda c: passwords.load_known(c, username)) if username else None
        model = model_of(known) if known is not None else None
        if known is None or model is None:
            await note_login("login.fail", UNKNOWN, handler, provider.kind)
            raise HTTPError(403, _REFUSED)
        await note_login("login.ok", known.name, handler, provider.kind)
        return model

    async def belongs(self, provider: Provider, username: str, told: Any) -> bool:
        """Whether somebody is a member of the organization asked for."""
        return True


class OidcAuthenticator(ByProvider, GenericOAuthenticator):  # type: ignore[misc]
    """OpenID Connect."""


class GithubAuthenticator(ByProvider, GitHubOAuthenticator):  # type: ignore[misc]
    """GitHub, for members of one organization."""

    async def belongs(self, provider: Provider, username: str, told: Any) -> bool:
        """Ask GitHub. Reason: its names are open to everybody, the first to come takes one."""
        token = told["auth_state"]["token_response"]
        return bool(
            await self._check_membership_allowed_organizations(
                provider.organization, told["name"], token["access_token"], token["token_type"]
            )
        )


class GoogleAuthenticator(ByProvider, GoogleOAuthenticator):  # type: ignore[misc]
    """Google, by verified address."""

    async def belongs(self, provider: Provider, username: str, told: Any) -> bool:
        """Whether the account is the organization's own (Google's `hd`), when one is asked for."""
        info = told["auth_state"][self.user_auth_state_key]
        return not provider.organization or info.get("hd") == provider.organization


def username_of(provider: Provider, info: dict[str, Any]) -> str:
    """The username here that a provider's person may come in under.

    Raises:
        HTTPError: 403 when the provider does not say, or does not vouch for the address.
    """
    claim = {"github": "login", "google": "email"}.get(provider.kind, provider.username_claim)
    value = info.get(claim)
    verified = info.get("email_verified", info.get("verified_email"))
    # Reason: whoever may write any address into their profile could write a colleague's.
    if not isinstance(value, str) or not value or (claim == "email" and verified is not True):
        raise HTTPError(403, _REFUSED)
    return value.strip().lower()


def check_token(provider: Provider, state: dict[str, Any], info: dict[str, Any]) -> None:
    """Check the identity token, where one is needed.

    Its signature is not: it came from the provider's own address over TLS (OpenID Connect Core
    3.1.3.7, 6), and plain http is refused by the settings.

    Raises:
        HTTPError: 403 when it is missing, another's, over, or lacks the second factor demanded.
    """
    if provider.kind != "oidc":
        return
    token = state.get("id_token") or (state.get("token_response") or {}).get("id_token")
    if not token:
        if provider.mfa or provider.issuer:
            raise HTTPError(403, "The login service sent no identity token.")
        return
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise HTTPError(403, "The login service sent an unreadable identity token.") from None
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    fits = (
        provider.client_id in audiences
        and (not provider.issuer or str(claims.get("iss", "")).rstrip("/") == provider.issuer)
        and isinstance(claims.get("exp"), (int, float))
        and claims["exp"] > time.time() - 60
        and claims.get("sub") is not None
        and claims["sub"] == info.get("sub")
    )
    if not fits:
        raise HTTPError(403, "The login service's answer is not meant for this login.")
    if provider.mfa is not None:
        claim, value = provider.mfa
        given = claims.get(claim)
        if value not in (given if isinstance(given, list) else [given]):
            raise HTTPError(403, _NO_FACTOR)


def provider_options(
    provider: Provider, public_url: str
) -> tuple[type[OAuthenticator], dict[str, Any]]:
    """The class, and what is set on it.

    Args:
        provider: Who checks people.
        public_url: The address people type.
    """
    options: dict[str, Any] = {
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "oauth_callback_url": f"{public_url}/hub/oauth_callback",
        "allow_all": True,
        "enable_auth_state": False,
        "auto_login": True,
    }
    if provider.kind == "github":
        # Reason: without read:org, private members of the organization cannot be told.
        return GithubAuthenticator, {**options, "scope": ["read:org"]}
    if provider.kind == "google":
        return GoogleAuthenticator, options
    asked = {"acr_values": provider.mfa[1]} if provider.mfa and provider.mfa[0] == "acr" else {}
    return OidcAuthenticator, {
        **options,
        "authorize_url": provider.authorize_url,
        "token_url": provider.token_url,
        "userdata_url": provider.userdata_url,
        # Reason: always there; which claim counts here is `username_of`'s business.
        "username_claim": "sub",
        "scope": ["openid", "email", "profile"],
        "extra_authorize_params": asked,
        "login_service": "single sign-on",
    }
