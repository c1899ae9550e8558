"""Commands about the installation itself: doctor, stop, reset, backup, restore, simulate."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.services.diagnosis import Finding
    from adlab.settings import Settings


def doctor(json: output.Json = False) -> None:
    """Check everything that can be checked; exit 1 when something is broken.

    Example: adlab doctor
    """
    from adlab.local import check, running_servers
    from adlab.services import diagnosis as d
    from adlab.settings import load_settings

    settings = load_settings()
    found = [d.check_versions()]
    found += [d.Finding(c.name, c.ok, c.detail, c.remedy) for c in check(settings.home)]
    running = running_servers(settings.home)
    url = settings.database.url.get_secret_value() if settings.database.url else None
    if url is None and running is not None:
        url = running.database_url
    if url is not None:
        try:
            found += d.check_database(url)
        except Exception as error:
            shown = getattr(error, "message", f"{type(error).__name__}")
            found.append(
                d.Finding(
                    "database", False, shown, getattr(error, "remedy", "") or "Check the URL."
                )
            )
    redis_url = settings.redis.url.get_secret_value() if settings.redis.url else None
    redis_url = redis_url or (running.redis_url if running is not None else None)
    if redis_url or settings.database.url is not None:
        found.append(d.guarded("redis", lambda: d.check_redis(redis_url)))
    m = settings.meta
    found.append(d.check_meta(m.base_url, m.api_version, m.app_id, m.app_secret is not None))
    if settings.database.url is not None and settings.secret_key is None:
        found.append(
            d.Finding("secret key", False, "not set, and the database is external",
                      "Set ADLAB_SECRET_KEY to 64 hex digits.")
        )  # fmt: skip
    else:
        found.append(d.guarded("secret key", lambda: _check_keys(settings, url)))
    found.append(d.check_port(settings.web.host, settings.web.port))
    found.append(d.guarded("proxy", lambda: d.check_proxy(settings.hub.proxy)))
    found.append(d.check_chromium())
    if json:
        output.rows([vars(f) for f in found], [], True)
    else:
        sign = {True: "ok", False: "BROKEN", None: "note"}
        output.rows(
            [
                {"": sign[f.ok], "check": f.name, "seen": f.detail, "remedy": f.remedy}
                for f in found
            ],
            ["", "check", "seen", "remedy"],
            False,
        )
    if any(f.ok is False for f in found):
        raise typer.Exit(1)


def _check_keys(settings: Settings, url: str | None) -> Finding:
    """The ring of master keys, and whether it opens every token."""
    from adlab import runtime
    from adlab.services.diagnosis import Finding, check_keys
    from adlab.vault.ring import FILE

    if settings.secret_key is not None:
        where = "set"
    elif (settings.home / FILE).exists():
        where = "in the data folder"
    else:
        return Finding("secret key", True, "made when needed")
    return check_keys(runtime.Runtime(settings).vault, where, url)


def stop(json: output.Json = False) -> None:
    """Stop the embedded servers; the data stays.

    Example: adlab stop
    """
    from adlab.local import stop_servers
    from adlab.settings import load_settings

    stopped = stop_servers(load_settings().home)
    if json:
        output.document({"stopped": stopped})
    else:
        output.say(f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running.")


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Really delete everything.")] = False,
    json: output.Json = False,
) -> None:
    """Delete the data of the embedded servers for good.

    Example: adlab reset --yes
    """
    from adlab.local import reset_data, running_instance
    from adlab.settings import load_settings

    home = load_settings().home
    if not yes:
        raise ValueError(f"this deletes all data of {home}; add --yes if that is meant")
    for name in ("demo", "hub"):
        if (running := running_instance(home, name)) is not None:
            from adlab.core.errors import ConflictError

            raise ConflictError(
                f"adlab {name} runs (process {running.pid}).", "Stop it first with Ctrl-C."
            )
    reset_data(home)
    if json:
        output.document({"deleted": str(home)})
    else:
        output.say(f"Deleted the data of {home}.")


def backup(
    target: Annotated[Path, typer.Argument(help="File to write; must not exist.")],
    include_key: Annotated[
        bool, typer.Option("--include-key", help="Put the secret key in too; keep the file safe.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Write the embedded database, with its people's logins, to one file.

    Example: adlab backup /srv/backup/adlab-2026-11-21.tar
    """
    from adlab.local import backup as write_backup
    from adlab.settings import load_settings

    report = write_backup(load_settings().home, target, include_key=include_key)
    if json:
        output.document(vars(report))
    else:
        output.say(
            f"Wrote {target}. Clients' keys are not in it, so that a client that left stays shut: "
            "keep them apart with adlab key export --out FILE, or no token opens on another disk."
        )


def restore(
    source: Annotated[Path, typer.Argument(help="A file of adlab backup.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the data there is.")] = False,
    json: output.Json = False,
) -> None:
    """Load a backup into the embedded database; a failed restore keeps the old data.

    Example: adlab restore /srv/backup/adlab-2026-11-21.tar
    """
    from adlab.local import restore as read_backup
    from adlab.settings import load_settings

    report = read_backup(load_settings().home, source, force=force)
    if json:
        output.document(vars(report))
    else:
        output.say(f"Restored {source}.")


def simulate(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 chooses one.")] = 8620,
    scenario: Annotated[str, typer.Option(help="demo, bench, tiny or big.")] = "demo",
    seed: Annotated[int, typer.Option(help="Another seed, another world.")] = 7,
) -> None:
    """Run the Graph API simulator in the foreground.

    Example: adlab simulate --port 8620, then ADLAB_META__BASE_URL=http://127.0.0.1:8620 adlab sync
    """
    # Reason: the simulator is a program of its own that shares no code with adlab, so it is started
    # and never imported; exec leaves no second process behind.
    command = [
        sys.executable, "-m", "adlab.simulator", "--port", str(port), "--scenario", scenario,
        "--seed", str(seed),
    ]  # fmt: skip
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606


COMMANDS = (doctor, stop, reset, backup, restore, simulate)
