"""`adlab key …`: the ring of master keys that seal access tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.runtime import Runtime

app = typer.Typer(help="Master keys that seal access tokens.", no_args_is_help=True)


@app.command("list")
def list_(json: output.Json = False) -> None:
    """List the keys of the ring, newest first, and how many tokens need each. Never shows a key.

    Example: adlab key list
    """
    from adlab import runtime
    from adlab.services.keys import list_keys

    parts = runtime.build()
    found = list_keys(parts.engine, parts.vault)
    output.rows(
        [
            {
                "key": k.key_id,
                "tokens": k.tokens,
                "client_keys": k.client_keys,
                "state": "missing" if not k.known else "newest" if k.newest
                else "in use" if k.tokens or k.client_keys else "can be retired",
            }
            for k in found
        ],
        ["key", "tokens", "client_keys", "state"],
        json,
    )  # fmt: skip
    if any(not k.known for k in found):
        raise typer.Exit(1)


@app.command()
def rotate(json: output.Json = False) -> None:
    """Change to a new master key: every token is sealed with it, in one step.

    With embedded data a new key is made. With ADLAB_SECRET_KEY, put a new one in front of the old,
    with a comma between, start everything again with both, then run this. Old keys stay until they
    are retired; after an interruption run it again.

    Example: adlab key rotate
    """
    from adlab import runtime
    from adlab.services.keys import rotate as change
    from adlab.vault import add_local_key

    parts = runtime.build()
    inside = _is_inside(parts)
    done = change(
        parts.engine, parts.vault, (lambda: add_local_key(parts.home)) if inside else None
    )
    if json:
        output.document(vars(done))
    output.say(f"Key {done.newest} seals every token now; {done.tokens} changed.")
    if done.lost:
        output.say(f"{done.lost} token(s) open with no key of this ring: adlab key list")
    if done.retirable:
        names = ", ".join(done.retirable)
        output.say(
            f"Nothing needs {names} any more: adlab key retire, once logins of today are over."
            if inside
            else f"Nothing needs {names} any more: it may go from ADLAB_SECRET_KEY."
        )


@app.command()
def retire(json: output.Json = False) -> None:
    """Forget older keys that no token needs any more.

    Backups made before hold tokens sealed with them, so keep a copy if you may restore one. Logins
    and links signed with them end.

    Example: adlab key retire
    """
    from adlab import runtime
    from adlab.core.errors import SettingsError
    from adlab.services.keys import retire as forget
    from adlab.vault import drop_local_keys

    parts = runtime.build()
    if not _is_inside(parts):
        raise SettingsError(
            "These keys come from ADLAB_SECRET_KEY.",
            "Take those out of it that adlab key list calls retirable.",
        )
    gone = forget(parts.engine, parts.vault, lambda names: drop_local_keys(parts.home, names))
    if json:
        output.document({"retired": list(gone)})
    output.say(f"Retired {', '.join(gone)}." if gone else "There is no older key.")


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="File to write; must not exist.")],
    json: output.Json = False,
) -> None:
    """Write the keys of all clients to a file, for the day this disk is lost.

    They are still wrapped by the master key. Keep the file apart from backups of the database:
    together with the master key it opens what is sealed in them. After a client was off-boarded
    make a new one and destroy the old.

    Example: adlab key export --out /media/safe/adlab-keys.json
    """
    import os

    from adlab import runtime
    from adlab.core.errors import ConflictError
    from adlab.services.keys import export_keys

    if out.exists():
        raise ConflictError(f"{out} exists already.", "Choose another name.")
    parts = runtime.build()
    text, count = export_keys(parts.engine, parts.vault)
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ValueError(f"{out} cannot be written: {error.strerror}") from None
    if json:
        output.document({"file": str(out), "keys": count})
    output.say(f"{count} client key(s) in {out}. Keep the master key as well, elsewhere.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What adlab key export wrote.")],
    json: output.Json = False,
) -> None:
    """Bring clients' keys back. A key that was destroyed stays destroyed.

    Example: adlab key import /media/safe/adlab-keys.json
    """
    from adlab import runtime
    from adlab.services.keys import import_keys

    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from None
    parts = runtime.build()
    taken, refused = import_keys(parts.engine, parts.vault, text)
    if json:
        output.document({"imported": taken, "destroyed": refused})
    output.say(f"{taken} key(s) brought back" + (
        f"; {refused} were destroyed and stay so." if refused else "."))  # fmt: skip


def _is_inside(parts: Runtime) -> bool:
    """Whether the keys are in the data folder."""
    return parts.settings.secret_key is None
