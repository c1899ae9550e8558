"""`adlab import FILE`, `adlab import list`, `adlab import undo`: files people bring."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.exports.problems import Problem
    from adlab.services.imports import ImportReport

SHOWN_PROBLEMS = 50
_FILE = "file"


class FileOrVerb(TyperGroup):
    """A group whose first word may be a file: `adlab import export.csv` is `… file export.csv`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the hidden command's name in front of what is no verb."""
        if args and args[0] not in ("--help", "list", "undo"):
            args = [_FILE, *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """List the options of `adlab import FILE`, then the verbs."""
        command = self.commands[_FILE]
        records = [r for p in command.params if (r := p.get_help_record(ctx)) is not None]
        with formatter.section("Options of adlab import FILE"):
            formatter.write_dl(records)
        super().format_options(ctx, formatter)


app = typer.Typer(
    cls=FileOrVerb,
    no_args_is_help=True,
    subcommand_metavar="FILE | list | undo",
    help="""Import files: Ads Manager exports, or any CSV or XLSX through a mapping.

    adlab import FILE --client SLUG [OPTIONS] brings a file into the store, whole or not at all.
    The same file again changes nothing; a changed file of the same name replaces its own rows.

    Example: adlab import export.csv --client acme-eu

    Example: adlab import control_group.csv --client acme-eu --map ab_pair.yaml --dry-run
    """,
)


@app.command(_FILE, hidden=True)
def file(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX with one row an object and day.")],
    client: Annotated[str, typer.Option(help="Slug of the client.")],
    map_: Annotated[
        Path | None, typer.Option("--map", help="YAML file that says which header is what.")
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="Of the amounts; else the mapping's, headers', client's.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Of the days; else the mapping's, the client's, UTC.")
    ] = None,
    level: Annotated[
        str | None, typer.Option(help="account, campaign, adset or ad; else the deepest there is.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad rows out; they go to FILE.rejects.csv.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and store nothing.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Import a file.

    Example: adlab import export.csv --client acme-eu
    """
    from adlab import runtime
    from adlab.core.entities import Level
    from adlab.core.errors import ImportRejectedError
    from adlab.services.imports import ImportRequest, import_file

    request = ImportRequest(
        file,
        client,
        map_,
        currency,
        timezone,
        Level.parse(level) if level else None,
        skip_bad,
        dry_run,
    )
    parts = runtime.build()
    try:
        report = import_file(parts.engine, request, tell=parts.publisher.publish)
    except ImportRejectedError as error:
        rejected(error, json)
        raise typer.Exit(1) from None
    record = _record(report)
    if json:
        output.document(record)
    else:
        shown = ["status", "import_id", "rows", "objects", "since", "until", "currency", "timezone",
                 "spend", "impressions", "purchases", "bad_rows"]  # fmt: skip
        output.rows([record], shown, False)
        _closing(report)
    if report.problems and not json:
        problem_table(report.problems, report.bad_rows)


def _record(report: ImportReport) -> dict[str, Any]:
    from adlab.exports.numbers import shown

    totals = report.totals
    return {
        "status": report.status,
        "import_id": report.import_id,
        "file": report.file,
        "client": report.client,
        "account_id": report.account_id,
        "level": report.level,
        "read": report.read,
        "rows": report.rows,
        "objects": report.objects,
        "days": report.days,
        "since": report.since,
        "until": report.until,
        "currency": report.currency,
        "currency_from": report.currency_from,
        "timezone": report.timezone,
        "timezone_from": report.timezone_from,
        # Reason: text, because a float would not keep amounts exact.
        "spend": shown(_whole(totals.get("spend_micro"))) or None,
        "revenue": shown(_whole(totals.get("revenue_micro"))) or None,
        **{k: totals.get(k) for k in ("impressions", "clicks", "link_clicks", "purchases")},
        "bad_rows": report.bad_rows,
        "problems": [p.as_dict() for p in report.problems],
        "rejects": str(report.rejects) if report.rejects else None,
        "replaced": list(report.replaced),
        "notices": list(report.notices),
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _closing(report: ImportReport) -> None:
    output.say(
        f"Currency {report.currency} (from {report.currency_from}), days in {report.timezone} "
        f"(from {report.timezone_from})."
    )
    for notice in report.notices:
        output.say(notice)
    if report.status == "would import":
        output.say(f"Dry run: nothing was stored. {report.rows} rows would be.")
        if report.rejects:
            output.say(f"{report.bad_rows} bad rows would go to {report.rejects}")
        return
    if report.rejects:
        output.say(f"{report.bad_rows} bad rows are in {report.rejects}")
    if report.status == "imported":
        output.say(f"To take it back: adlab import undo {report.import_id}")


def rejected(error: Any, as_json: bool) -> None:
    """Print why a file was refused: a table on stderr, or a JSON document on stdout."""
    if as_json:
        output.document(
            {
                "status": "rejected",
                "message": error.message,
                "remedy": error.remedy,
                "problems": [p.as_dict() for p in error.problems],
            }
        )
    elif error.problems:
        problem_table(error.problems, None)
    output.problem(str(error))


def problem_table(problems: Sequence[Problem], bad_rows: int | None) -> None:
    """List bad cells on stderr: line, column, value, reason."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold", box=None)
    for name in ("line", "column", "value", "reason"):
        table.add_column(name, justify="right" if name == "line" else "left", overflow="fold")
    for p in problems[:SHOWN_PROBLEMS]:
        table.add_row(*(Text(str(v)) for v in (p.line, p.column, repr(p.value), p.reason)))
    # Reason: in a log nobody folds lines by hand, and a folded reason cannot be searched for.
    width = None if sys.stderr.isatty() else 240
    Console(file=sys.stderr, width=width).print(table)
    more = len(problems) - SHOWN_PROBLEMS
    if more > 0:
        of = f" (bad rows: {bad_rows})" if bad_rows else ""
        output.say(f"… and {more} more{of}; --json lists up to 1,000.")


@app.command("list")
def list_(
    client: Annotated[str | None, typer.Option(help="Only this client's.")] = None,
    json: output.Json = False,
) -> None:
    """List imported files, newest first.

    Example: adlab import list --client acme-eu
    """
    from adlab import runtime
    from adlab.services.imports import list_imports

    columns = ["import_id", "client", "file", "level", "since", "until", "rows", "currency",
               "timezone", "imported_at", "state"]  # fmt: skip
    output.rows(list_imports(runtime.build().engine, client), columns, json)


@app.command()
def undo(
    import_id: Annotated[int, typer.Argument(help="Number of the import, from adlab import list.")],
    json: output.Json = False,
) -> None:
    """Take an import back: exactly its rows go.

    Example: adlab import undo 3
    """
    from adlab import runtime
    from adlab.services.imports import undo_import

    parts = runtime.build()
    done = undo_import(parts.engine, import_id, tell=parts.publisher.publish)
    if json:
        output.document(
            {"import_id": done.import_id, "client": done.client, "file": done.file,
             "rows": done.rows, "since": done.since, "until": done.until}
        )  # fmt: skip
    else:
        output.data(str(done.rows))
    output.say(f"Import {done.import_id} ({done.file}) is undone: {done.rows} rows removed.")
