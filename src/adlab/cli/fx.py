"""`adlab fx …`: exchange rates, for amounts of several currencies in one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from adlab.cli import output

app = typer.Typer(
    help="Exchange rates, for amounts of several currencies in one.", no_args_is_help=True
)


@app.command()
def load(
    file: Annotated[
        Path, typer.Argument(help="CSV: Date,USD,JPY,… as the ECB has it, or date,base,quote,rate.")
    ],
    base: Annotated[
        str, typer.Option(help="Currency that one unit of is priced, in the wide shape.")
    ] = "EUR",
    source: Annotated[
        str | None, typer.Option(help="Whose rates, as screens say it: ECB. Else the file's name.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every line and store nothing.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Load rates from a file, whole or not at all; the same day and pair again is replaced.

    Example: adlab fx load eurofxref-hist.csv --source ECB
    """
    from adlab import runtime
    from adlab.cli.imports import rejected
    from adlab.core.errors import ImportRejectedError
    from adlab.services.fx_files import load_rates_file

    try:
        report = load_rates_file(runtime.build().engine, file, base, source, dry_run)
    except ImportRejectedError as error:
        rejected(error, json)
        raise typer.Exit(1) from None
    record = asdict(report) | {"currencies": list(report.currencies)}
    if json:
        output.document(record)
    else:
        output.rows([record], list(record), False)
    if dry_run:
        output.say("Nothing was stored.")


@app.command("list")
def list_(json: output.Json = False) -> None:
    """List what rates there are: per pair and source the days, and the newest rate.

    Example: adlab fx list
    """
    from adlab import runtime
    from adlab.storage.engine import transaction
    from adlab.storage.rates import list_rates

    with transaction(runtime.build().engine) as connection:
        # Reason: text, because a float would not keep a rate exact.
        found = [r | {"newest_rate": _exact(r["newest_rate"])} for r in list_rates(connection)]
    columns = ["base", "quote", "source", "days", "since", "until", "newest_rate"]
    output.rows([{c: r[c] for c in columns} for r in found], columns, json)
    if not found and not json:
        output.say("There is no rate yet. Load some: adlab fx load FILE")


def _exact(rate: object) -> str:
    text = f"{rate:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
