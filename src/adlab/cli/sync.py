"""`adlab sync`: bring the store up to date with Meta."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, cast

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.core.entities import LevelName
    from adlab.services.ingest import SliceDone, SyncReport

ALL_LEVELS = "account,campaign,adset,ad"


def sync(
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account, act_….")] = None,
    since: Annotated[str | None, typer.Option(help="First day, 2026-11-01, account-local.")] = None,
    until: Annotated[
        str | None, typer.Option(help="Last day; the account's today if left out.")
    ] = None,
    levels: Annotated[str, typer.Option(help="Which levels, separated by commas.")] = ALL_LEVELS,
    json: output.Json = False,
) -> None:
    """Read accounts, objects and daily insights from Meta; exit 0 only when all is committed.

    Without --since, days already loaded are read again back to 28 days before the newest one,
    because Meta restates that long; a new account starts with 90 days.

    Example: adlab sync --client acme-eu --since 2026-10-01 --levels account,campaign
    """
    from adlab import runtime
    from adlab.services.ingest import SyncRequest, refresh

    request = SyncRequest(
        client=client,
        account=account,
        since=_day(since, "--since"),
        until=_day(until, "--until"),
        levels=parse_levels(levels),
    )
    if request.since and request.until and request.since > request.until:
        raise ValueError(f"--since {since} is after --until {until}")
    parts = runtime.build()
    with Progress("sync") as progress:
        report = refresh(parts.ingest, request, progress.advance, progress.plan)
    closing(report, json)
    if not report.complete:
        raise typer.Exit(1)


def parse_levels(text: str) -> tuple[LevelName, ...]:
    """Read `account,campaign,…`, deepest last, without repeats.

    Raises:
        ValueError: If a level is unknown or none is given.
    """
    from adlab.core.entities import INSIGHT_LEVELS, Level

    wanted = {Level.parse(part) for part in text.split(",") if part.strip()}
    if not wanted:
        raise ValueError(f"--levels is empty; choose from {ALL_LEVELS}")
    if wanted - set(INSIGHT_LEVELS):
        raise ValueError(f"--levels {text!r}: insights have {ALL_LEVELS} only")
    return tuple(cast("LevelName", level.word) for level in INSIGHT_LEVELS if level in wanted)


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{option} {text!r} is not a day; write it as 2026-11-03") from None


class Progress:
    """A progress bar on stderr where a person looks; silent elsewhere."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=None)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def plan(self, slices: int) -> None:
        """The number of slices to come."""
        self._bar.update(self._task, total=slices)

    def advance(self, done: SliceDone) -> None:
        """One slice is committed."""
        self._bar.update(
            self._task, advance=1, description=f"{done.client} {done.level} {done.period}"
        )


def closing(report: SyncReport, as_json: bool) -> None:
    """The closing table of a run, and what failed."""
    record = {
        "accounts": report.accounts,
        "rows": report.rows,
        "changed": report.changed,
        "objects": report.objects,
        "slices": report.slices,
        "skipped": report.skipped,
        "calls": report.calls,
        "seconds": round(report.seconds, 2),
        "quota_percent": round(report.quota_percent, 1),
    }
    failures = [{"account": a, "problem": p} for a, p in report.failures]
    if as_json:
        output.document({**record, "complete": report.complete, "failures": failures,
                         "warnings": report.warnings})  # fmt: skip
    else:
        output.rows([record], list(record), False)
    for warning in report.warnings:
        output.say(warning)
    for failure in failures:
        output.problem(f"{failure['account']}: {failure['problem']}")
