"""`adlab epoch …`: days on which numbers changed their meaning; comparisons across them say so."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from adlab.cli import output

app = typer.Typer(
    help="Days on which numbers changed their meaning; comparisons across them say so.",
    no_args_is_help=True,
)


@app.command()
def add(
    title: Annotated[str, typer.Argument(help="The change in a few words.")],
    on: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day of it.")],
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day of a roll-out.")
    ] = None,
    detail: Annotated[str, typer.Option(help="The change in a sentence.")] = "",
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric it concerns; repeat. None: all of them.")
    ] = None,
    source: Annotated[str, typer.Option(help="Who says so.")] = "the agency",
) -> None:
    """Add a change, such as a new pixel; every comparison that crosses it then names it.

    Example: adlab epoch add "New pixel" --on 2026-11-18 --metric purchases --metric revenue
    """
    from adlab import runtime
    from adlab.core.periods import Epoch
    from adlab.storage.engine import transaction
    from adlab.storage.epochs import store_epoch

    last = until.date() if until else None
    epoch = Epoch(on.date(), title, detail or title, last, tuple(metric or ()), source)
    with transaction(runtime.build().engine) as connection:
        store_epoch(connection, epoch)
    output.say(f"Noted. Comparisons across {epoch.starts_on} now name it.")


@app.command("list")
def list_(json: output.Json = False) -> None:
    """List the changes known, oldest first.

    Example: adlab epoch list
    """
    from adlab import runtime
    from adlab.storage.engine import transaction
    from adlab.storage.epochs import list_epochs

    with transaction(runtime.build().engine) as connection:
        found = list_epochs(connection)
    columns = ["starts_on", "ends_on", "title", "metrics", "source"]
    output.rows(
        [
            {"starts_on": e.starts_on, "ends_on": e.ends_on, "title": e.title,
             "metrics": ", ".join(e.metrics) or "all", "source": e.source}
            for e in found
        ],
        columns, json,
    )  # fmt: skip
