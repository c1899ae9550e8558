"""`adlab privacy …`: what is held of people, how long, and what they may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adlab.cli import output

app = typer.Typer(help="Personal data: map, retention, export, erasure.", no_args_is_help=True)

Who = Annotated[
    str, typer.Argument(help="A username, an e-mail address, or an app-scoped id at Meta.")
]


@app.command("map")
def map_(json: output.Json = False) -> None:
    """Print what personal data is stored, whose, why, and how long.

    Example: adlab privacy map --json
    """
    from adlab.core.privacy import BACKUP_DAYS, DATA_MAP

    columns = ["place", "whose", "what", "basis", "kept", "sealed"]
    output.rows([vars(h) for h in DATA_MAP], columns, json)
    output.say(
        f"Sealed: opens with the client's key only, also in backups. Keep backups {BACKUP_DAYS} "
        "days at most: what is not sealed ages out with them."
    )


@app.command()
def retention(
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    json: output.Json = False,
) -> None:
    """Remove what is older than clients' retention; the worker does the same every night.

    Example: adlab privacy retention --dry-run
    """
    from datetime import UTC, datetime

    from adlab import runtime
    from adlab.services.privacy_retention import apply_retention

    done = apply_retention(
        runtime.build().engine, datetime.now(UTC), client, dry_run=dry_run
    )  # fmt: skip
    output.rows(
        [{"client": c.client, "what": n.replace("_", " "), "rows": count}
         for c in done for n, count in c.counts.items()],
        ["client", "what", "rows"], json,
    )  # fmt: skip
    total = sum(c.rows for c in done)
    output.say(f"{total:,} rows {'would go' if dry_run else 'are gone'}.")


@app.command()
def export(
    subject: Who,
    out: Annotated[Path, typer.Option("--out", help="File to write; must not exist.")],
    json: output.Json = False,
) -> None:
    """Write everything held of a person to a file, as JSON. Secrets are left out.

    Example: adlab privacy export ann --out ann.json
    """
    import json as text
    import os
    from datetime import UTC, datetime

    from adlab import runtime
    from adlab.core.errors import ConflictError
    from adlab.services.privacy_subjects import export_subject

    if out.exists():
        raise ConflictError(f"{out} exists already.", "Choose another name.")
    parts = runtime.build()
    made = export_subject(parts.engine, parts.vault, subject, datetime.now(UTC))
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            text.dump(made, file, indent=1, ensure_ascii=False)
    except OSError as error:
        raise ValueError(f"{out} cannot be written: {error.strerror}") from None
    counts = {place: len(rows) for place, rows in made["held"].items()}
    if json:
        output.document({"file": str(out), "kind": made["kind"], "rows": counts})
    output.say(f"{sum(counts.values())} row(s) of {len(counts)} table(s) in {out}.")


@app.command()
def erase(
    subject: Who,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    json: output.Json = False,
) -> None:
    """Erase a person: remove or empty what is held, and print a receipt.

    Example: adlab privacy erase ann --dry-run
    """
    import sys
    from datetime import UTC, datetime

    from adlab import runtime
    from adlab.services.privacy_subjects import erase_subject

    if not (yes or dry_run):
        if not sys.stdin.isatty():
            raise ValueError("this erases a person for good; add --yes if that is meant")
        if not typer.confirm(f"Erase {subject}?", err=True):
            raise ValueError("nothing was done")
    parts = runtime.build()
    done = erase_subject(
        parts.engine, parts.vault, subject, datetime.now(UTC), dry_run=dry_run
    )  # fmt: skip
    if json:
        output.document(vars(done))
    else:
        output.rows(
            [{"place": p, "rows": n} for p, n in done.counts.items()], ["place", "rows"], False
        )
    for line in done.kept:
        output.say(f"Kept: {line}")
    output.say(f"Receipt {done.reference}." if done.reference else "Nothing was changed.")
