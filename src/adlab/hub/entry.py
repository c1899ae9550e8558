"""Who checks people: adlab's own passwords, or a provider; chosen before anything starts."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Literal, Protocol

from pydantic import SecretStr

from adlab.core.errors import SettingsError
from adlab.hub.plan import Plan, Provider

_DISCOVERY = "/.well-known/openid-configuration"
_ENDPOINTS = {
    "authorize_url": "authorization_endpoint",
    "token_url": "token_endpoint",
    "userdata_url": "userinfo_endpoint",
}


class Wishes(Protocol):
    """The settings asked for; see `adlab.settings.HubSettings`."""

    login: Literal["password", "oidc", "github", "google"]
    client_id: str | None
    client_secret: SecretStr | None
    issuer: str | None
    authorize_url: str | None
    token_url: str | None
    userdata_url: str | None
    username_claim: str
    organization: str | None
    mfa_claim: str | None


def choose_provider(wishes: Wishes) -> Provider | None:
    """Who checks people; None means our own passwords.

    Raises:
        SettingsError: If something is missing, or the issuer does not say where its pages are.
    """
    kind = wishes.login
    if kind == "password":
        return None
    missing = [f"ADLAB_HUB__{name.upper()}" for name in ("client_id", "client_secret")
               if not getattr(wishes, name)]  # fmt: skip
    if kind == "github" and not wishes.organization:
        # Reason: GitHub's names are open to everybody; a stranger may take a colleague's.
        missing.append("ADLAB_HUB__ORGANIZATION")
    found = {name: getattr(wishes, name) or "" for name in _ENDPOINTS}
    if kind == "oidc" and not wishes.issuer and not all(found.values()):
        missing.append("ADLAB_HUB__ISSUER")
    if missing:
        raise SettingsError(
            f"ADLAB_HUB__LOGIN={kind} also needs {' and '.join(missing)}.",
            "Set them; the provider's page of applications shows the values.",
        )
    if wishes.mfa_claim and kind != "oidc":
        raise SettingsError(
            f"ADLAB_HUB__MFA_CLAIM works with oidc; {kind} does not tell how people logged in.",
            "Demand a second factor at the provider, and unset ADLAB_HUB__MFA_CLAIM.",
        )
    if kind == "oidc" and wishes.issuer and not all(found.values()):
        told = _discover(wishes.issuer)
        found = {name: found[name] or _address(told, key, wishes.issuer)
                 for name, key in _ENDPOINTS.items()}  # fmt: skip
    assert wishes.client_id is not None
    assert wishes.client_secret is not None
    mfa = tuple(wishes.mfa_claim.split("=", 1)) if wishes.mfa_claim else None
    return Provider(
        kind, wishes.client_id, wishes.client_secret.get_secret_value(),
        issuer=wishes.issuer or "", username_claim=wishes.username_claim,
        organization=wishes.organization or "",
        mfa=(mfa[0], mfa[1]) if mfa else None, **found,
    )  # fmt: skip


def authenticator_class(plan: Plan) -> type[Any]:
    """The class that checks people."""
    if plan.provider is None:
        from adlab.hub.authenticator import AdlabAuthenticator

        return AdlabAuthenticator
    from adlab.hub.providers import provider_options

    return provider_options(plan.provider, plan.public_url)[0]


def authenticator_options(plan: Plan) -> dict[str, Any]:
    """What is set on it, by trait."""
    if plan.provider is None:
        return {}
    from adlab.hub.providers import provider_options

    return provider_options(plan.provider, plan.public_url)[1]


def trusted_proxies(plan: Plan) -> list[str]:
    """Whose word about a browser's address is taken, beside our own proxy's.

    Reason: without another proxy on this machine, a program on it could name any address as its
    own, and guess passwords as if from everywhere.
    """
    return ["127.0.0.1", "::1"] if plan.proxied else []


def _discover(issuer: str) -> dict[str, Any]:
    address = issuer + _DISCOVERY
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310
            told = json.load(answer)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise SettingsError(
            f"The login service does not answer at {address} ({reason}).",
            "Check ADLAB_HUB__ISSUER, or set ADLAB_HUB__AUTHORIZE_URL, …TOKEN_URL, …USERDATA_URL.",
        ) from None
    if not isinstance(told, dict) or str(told.get("issuer", "")).rstrip("/") != issuer:
        raise SettingsError(
            f"{address} describes another login service than {issuer}.",
            "Set ADLAB_HUB__ISSUER to what it calls itself.",
        )
    return told


def _address(told: dict[str, Any], key: str, issuer: str) -> str:
    value = told.get(key)
    plain = issuer.startswith("http://")
    # Reason: whoever may answer in the issuer's place must not lead secrets over plain http.
    if not isinstance(value, str) or not value.startswith(("https://", "http://") if plain
                                                          else "https://"):  # fmt: skip
        raise SettingsError(
            f"The login service names no usable {key}.", "Set the addresses by hand."
        )
    return value
