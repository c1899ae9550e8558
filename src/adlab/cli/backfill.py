"""`adlab backfill …`: an account's whole history, planned before it starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from adlab.cli import output

app = typer.Typer(
    help="An account's whole history, planned before it starts.", no_args_is_help=True
)

Client = Annotated[str | None, typer.Option(help="Slug of a client; all when omitted.")]
Account = Annotated[str | None, typer.Option(help="An ad account, act_…; all when omitted.")]


@app.command()
def start(
    client: Client = None,
    account: Account = None,
    months: Annotated[int, typer.Option(help="How far back; Meta serves 37 months.")] = 37,
    yes: Annotated[bool, typer.Option("--yes", help="Start without asking.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show the plan and stop.")] = False,
    json: output.Json = False,
) -> None:
    """Show what loading the history costs of Meta's quota, then have the workers load it.

    Newest days come first, and it goes on where it was after any interruption.

    Example: adlab backfill start --client acme --months 37
    """
    from adlab import runtime as wiring
    from adlab.services import backfill

    runtime = wiring.build()
    now = datetime.now(UTC)
    planned = backfill.plan(
        runtime.engine, now, client, account, months, runtime.settings.meta.page_size
    )
    rows = [
        {"account": f"act_{p.account_id}", "client": p.slug, "since": p.period.since,
         "until": p.period.until, "tier": p.tier, "calls": p.calls, "eta": _span(p.eta)}
        for p in planned
    ]  # fmt: skip
    output.rows(rows, ["account", "client", "since", "until", "tier", "calls", "eta"], json)
    stuck = [p for p in planned if p.eta is None]
    if stuck:
        output.say(
            f"{len(stuck)} of them leave no room for it in their tier: it waits for quiet hours, "
            "or read less often (lab.quota.plan says what)."
        )
    if plan:
        return
    if not yes and not typer.confirm("Load it?", err=True):
        output.say("Nothing was started.")
        raise typer.Exit(1)
    backfill.begin(runtime.engine, planned, now)
    output.say("Queued. It is read while `adlab worker` runs; see: adlab backfill status")


@app.command()
def status(json: output.Json = False) -> None:
    """How far each load is, and how long it still takes.

    Example: adlab backfill status
    """
    from adlab import runtime as wiring
    from adlab.services import backfill
    from adlab.storage.engine import transaction
    from adlab.storage.jobs import load_backfills

    with transaction(wiring.build().engine) as connection:
        loads = [backfill.progress(b) for b in load_backfills(connection)]
    columns = ["account", "client", "since", "until", "reached", "share", "rows", "calls", "eta"]
    output.rows(
        [
            {"account": f"act_{p.backfill.account_id}", "client": p.backfill.slug,
             "since": p.backfill.since, "until": p.backfill.until, "reached": p.backfill.reached,
             "share": f"{p.share:.0%}", "rows": p.backfill.rows, "calls": p.backfill.calls,
             "eta": _span(p.eta)}
            for p in loads
        ],
        columns, json,
    )  # fmt: skip
    if not loads and not json:
        output.say("No history was asked for. Ask: adlab backfill start")


@app.command()
def stop(account: Annotated[str, typer.Argument(help="The ad account, act_….")]) -> None:
    """End a load; what is in stays.

    Example: adlab backfill stop act_1001
    """
    from adlab import runtime as wiring
    from adlab.core.entities import parse_account_id
    from adlab.core.errors import UnknownObjectError
    from adlab.storage.engine import transaction
    from adlab.storage.jobs import cancel_backfill

    with transaction(wiring.build().engine) as connection:
        if not cancel_backfill(connection, parse_account_id(account)):
            raise UnknownObjectError(
                f"No history of {account} is being loaded.", "See: adlab backfill status"
            )
    output.say("Stopped. What is loaded stays.")


def _span(value: timedelta | None) -> str:
    if value is None:
        return "unknown"
    minutes = round(value.total_seconds() / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"
