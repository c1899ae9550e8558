"""JupyterHub for one machine: one login for boards, pages and notebooks.

Assignments only; logic lives in `adlab.hub`. Started by `adlab hub` (or `adlab demo`), which also
starts the proxy, the boards and the web endpoints around it.
"""

from adlab.hub import doors, entry, homes, plan, roles, services, spawners, spawning
from adlab.hub.look import template_paths, template_values

c = get_config()  # type: ignore[name-defined]  # noqa: F821
here = plan.read_plan()

# --- addresses --------------------------------------------------------------------------------
c.JupyterHub.bind_url = here.bind_url
c.JupyterHub.update(spawners.hub_options(here))
# Reason: the proxy is started beside the hub, so that boards stay reachable when the hub is not.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = here.proxy_api_url
c.ConfigurableHTTPProxy.auth_token = here.proxy_token
# Reason: a proxy that was started again learns of running servers at the next look.
c.JupyterHub.last_activity_interval = 30

# --- state ------------------------------------------------------------------------------------
c.JupyterHub.db_url = f"sqlite:///{here.folder}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{here.folder}/jupyterhub_cookie_secret"
# Reason: sessions end after twelve hours, whatever happened in between.
c.JupyterHub.cookie_max_age_days = 0.5
c.JupyterHub.cleanup_servers = True
c.JupyterHub.shutdown_on_logout = False

# --- people -----------------------------------------------------------------------------------
c.JupyterHub.authenticator_class = entry.authenticator_class(here)
c.Authenticator.update(entry.authenticator_options(here))
c.JupyterHub.trusted_downstream_ips = entry.trusted_proxies(here)
# Reason: everyone the store knows may log in; the authenticator asks nobody else.
c.Authenticator.allow_all = True
c.Authenticator.manage_groups = True
# Reason: a person who is disabled, or whose role changed, is noticed within a minute.
c.Authenticator.auth_refresh_age = 60
# Reason: otherwise tokens of a person who is gone work on, until their next page.
c.Authenticator.auth_refresh_strict = True
c.Authenticator.refresh_pre_spawn = True
c.JupyterHub.load_roles = roles.load_roles()
c.JupyterHub.services = services.services(here)
c.JupyterHub.oauth_require_pkce = True
c.JupyterHub.default_url = doors.landing
c.JupyterHub.redirect_to_server = False

# --- servers ----------------------------------------------------------------------------------
c.JupyterHub.spawner_class = spawners.spawner_class(here.servers)
c.Spawner.update(spawners.spawner_options(here))
# One a client, which sees that client alone; how many run side by side `pre_spawn` decides.
c.JupyterHub.allow_named_servers = True
c.JupyterHub.concurrent_spawn_limit = 10
c.Spawner.cmd = spawning.command()
c.Spawner.args = spawning.arguments()
c.Spawner.default_url = f"/lab/tree/{homes.FIRST_PAGE}"
c.Spawner.pre_spawn_hook = spawning.pre_spawn
c.Spawner.post_stop_hook = spawning.post_stop
# Reason: the hub's own variables hold the owner's secrets; a server gets these and no others.
c.Spawner.env_keep = ["PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "CONDA_ROOT"]
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 90

# --- look -------------------------------------------------------------------------------------
c.JupyterHub.template_paths = template_paths()
c.JupyterHub.template_vars = template_values(here)
