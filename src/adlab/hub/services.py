"""The hub's services: boards and web endpoints. `adlab hub` starts them; the hub vouches."""

from __future__ import annotations

from typing import Any

from adlab.hub.plan import Plan


def services(plan: Plan) -> list[dict[str, Any]]:
    """For `c.JupyterHub.services`.

    Reason: without a command, so that they are nobody's children here: a board lives on when the
    hub dies, and a service that dies does not take the hub with it.
    """
    return [
        {**_service("boards", plan.boards_url, plan.boards_token), **_callback(plan, "boards")},
        _service("web", plan.web_url, plan.web_token),
    ]


def _service(name: str, url: str, token: str) -> dict[str, Any]:
    return {
        "name": name,
        "url": url,
        "api_token": token,
        # Both belong to the house; asking people whether to trust them teaches clicking yes.
        "oauth_no_confirm": True,
        "display": False,
    }


def _callback(plan: Plan, name: str) -> dict[str, str]:
    """Where the hub sends people back to, when that is on a host of its own."""
    if name != "boards" or not plan.boards_address:
        return {}
    return {"oauth_redirect_uri": f"{plan.boards_address}/services/{name}/oauth_callback"}


def service_environment(plan: Plan, name: str, token: str) -> dict[str, str]:
    """What `HubOAuth` in a service's process reads."""
    prefix = f"/services/{name}/"
    hub = f"http://127.0.0.1:{plan.hub_port}/hub/"
    apart = _callback(plan, name).get("oauth_redirect_uri", "")
    return {
        "JUPYTERHUB_API_TOKEN": token,
        "JUPYTERHUB_API_URL": f"{hub}api",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": f"service-{name}",
        "JUPYTERHUB_HOST": plan.public_url if apart else "",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": f'["access:services!service={name}"]',
        "JUPYTERHUB_OAUTH_CALLBACK_URL": apart or f"{prefix}oauth_callback",
        "JUPYTERHUB_SERVICE_NAME": name,
        "JUPYTERHUB_SERVICE_PREFIX": prefix,
    }
