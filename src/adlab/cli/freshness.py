"""`adlab freshness`: how fresh every account is, and what keeps it from being fresher."""

from __future__ import annotations

from typing import Annotated

import typer

from adlab.cli import output


def freshness(
    client: Annotated[str | None, typer.Option(help="Slug of a client; all when omitted.")] = None,
    json: output.Json = False,
) -> None:
    """Show when each account was read last; exit 1 when one is late, failing or disconnected.

    Also names every gap between an account and the sum of its ads on settled days.

    Example: adlab freshness --client acme
    """
    from datetime import UTC, datetime

    from adlab import runtime as wiring
    from adlab.services.reconciliation import spend_warnings
    from adlab.storage.tenancy import LoginReader
    from adlab.workbench import Workbench

    runtime = wiring.build()
    engine = runtime.engine
    lab = Workbench(LoginReader(runtime.database_url))
    try:
        frame = lab.freshness(client)
    finally:
        lab.close()
    columns = ["account", "client", "status", "lag_minutes", "due_minutes", "newest_day", "problem"]
    rows = [
        {"account": f"act_{i}", "client": r["client_id"], "status": r["status"],
         "lag_minutes": r["lag_minutes"], "due_minutes": r["due_minutes"],
         "newest_day": r["newest_day"], "problem": r["problem"]}
        for i, r in frame.iterrows()
    ]  # fmt: skip
    output.rows(rows, columns, json)
    for warning in spend_warnings(engine, client, None, datetime.now(UTC)):
        output.say(warning)
    if not rows and not json:
        output.say("No account is connected: adlab account connect act_… --client SLUG")
    if any(r["status"] != "fresh" for r in rows):
        raise typer.Exit(1)
