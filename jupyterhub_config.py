"""JupyterHub for one machine: people, workspaces and roles arrive with the hub's own issue.

Assignments only; logic lives in `adlab.hub`. Until that room opens, this file starts a plain hub
on loopback that lets nobody in by accident.
"""

c = get_config()  # type: ignore[name-defined]  # noqa: F821

# Reason: plain http is for this machine only; put a TLS proxy in front for anything else.
c.JupyterHub.bind_url = "http://127.0.0.1:8000/"
# Reason: since JupyterHub 5 nobody is allowed unless named; an empty set keeps it that way.
c.Authenticator.allowed_users = set()
