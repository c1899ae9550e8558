"""`adlab report …`: a client's report as a PDF, and the archive of published ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.services.reporting import Rendered

app = typer.Typer(help="Reports as PDF, and the archive of published ones.", no_args_is_help=True)


@app.command()
def render(
    template: Annotated[str, typer.Argument(help="Name of the report: monthly.")],
    client: Annotated[str, typer.Option(help="Slug of the client.")],
    period: Annotated[str, typer.Option(help="A month such as 2026-10, or last_month.")] = (
        "last_month"
    ),
    out: Annotated[
        Path | None, typer.Option(help="File to write; else SLUG_monthly_2026-10.pdf right here.")
    ] = None,
    pair: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Two campaigns to compare, control first: ids or unique names."),
    ] = None,
    publish: Annotated[
        bool,
        typer.Option("--publish", help="Put it into the archive its people can read."),
    ] = False,
    json: output.Json = False,
) -> None:
    """Render a report of one client to a PDF. A file of that name is replaced.

    The notebook behind it runs with a login that sees this one client and ends with the run.

    Example: adlab report render monthly --client acme-eu --period 2026-10 --out acme.pdf
    """
    from adlab import runtime
    from adlab.services.reporting import ReportRequest, render_report

    request = ReportRequest(template, client, period, pair, out, publish)
    done = render_report(runtime.build().engine, request)
    if json:
        output.document(record(done))
    else:
        output.data(str(done.path))
    took = ", ".join(f"{name} {seconds:g} s" for name, seconds in done.seconds.items())
    output.say(f"{done.pages} pages, {sum(done.seconds.values()):.1f} s ({took}).")
    for notice in done.notices:
        output.say(notice)
    if done.report_id is not None:
        output.say(f"Published as report {done.report_id}: the client's people can read it now.")


def record(done: Rendered) -> dict[str, Any]:
    """A finished report as JSON has it."""
    return {
        "path": str(done.path),
        "client": done.client,
        "template": done.template,
        "period": done.period,
        "pages": done.pages,
        "sha256": done.sha256,
        "as_of": done.as_of,
        "report_id": done.report_id,
        "notices": list(done.notices),
        "seconds": dict(done.seconds),
    }


@app.command("list")
def list_(
    client: Annotated[str | None, typer.Option(help="Only this client's.")] = None,
    json: output.Json = False,
) -> None:
    """List published reports, newest first.

    Example: adlab report list --client acme-eu
    """
    from adlab import runtime
    from adlab.services.reporting import list_reports

    columns = ["report_id", "client", "template", "period", "pages", "bytes", "rendered_at"]
    output.rows(list_reports(runtime.build().engine, client), columns, json)
