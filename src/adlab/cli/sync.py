"""`adlab sync`: bring the store up to date with Meta."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.core.entities import LevelName
    from adlab.runtime import Runtime
    from adlab.services.breakdowns import BreakdownRequest
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
    breakdown: Annotated[
        list[str] | None,
        typer.Option(
            help="Also read a breakdown: age_gender, country, region, placement, device, hourly, "
            "image_asset, video_asset, body_asset, title_asset, or all. May be repeated."
        ),
    ] = None,
    breakdown_level: Annotated[
        str | None,
        typer.Option(help="Level of breakdowns; campaign, of assets ad, when left out."),
    ] = None,
    hourly: Annotated[bool, typer.Option("--hourly", help="Same as --breakdown hourly.")] = False,
    catalogue: Annotated[
        bool,
        typer.Option(
            "--catalogue",
            help="Also read creatives, audiences, change history, studies, advice and pixels, and "
            "deleted objects by their ids.",
        ),
    ] = False,
    json: output.Json = False,
) -> None:
    """Read accounts, objects and daily insights from Meta; exit 0 only when all is committed.

    Without --since, days already loaded are read again back to 28 days before the newest one,
    because Meta restates that long; a new account starts with 90 days. What Meta does not serve an
    account (a breakdown, an edge) is a warning.

    Example: adlab sync --client acme-eu --since 2026-10-01 --levels account,campaign

    Example: adlab sync --client acme-eu --breakdown age_gender --hourly --catalogue
    """
    from adlab import runtime
    from adlab.services.ingest import SyncRequest, refresh
    from adlab.services.reconciliation import spend_warnings

    extras = _breakdowns([*(breakdown or ()), *(["hourly"] if hourly else [])], breakdown_level)
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
    if extras is not None:
        asked = replace(
            extras, client=client, account=account, since=request.since, until=request.until
        )
        _add(report, _read_breakdowns(parts, asked))
    if catalogue:
        _read_catalogue(parts, client, account, report)
    report.warnings += spend_warnings(parts.engine, client, account, datetime.now(UTC))
    closing(report, json)
    if not report.complete:
        raise typer.Exit(1)


def _breakdowns(names: list[str], level: str | None) -> BreakdownRequest | None:
    """What breakdowns are asked for; refuses before anything is read.

    Raises:
        ValueError: If one does not exist, or Meta does not serve it at the level.
    """
    from adlab.core.breakdowns import breakdowns
    from adlab.core.entities import Level
    from adlab.services.breakdowns import BreakdownRequest

    if not names:
        if level is not None:
            raise ValueError("--breakdown-level needs --breakdown")
        return None
    depth = None if level is None else Level.parse(level)
    wanted = breakdowns(names)
    for kind in wanted:
        if depth is not None and depth not in kind.levels:
            words = ", ".join(lv.word for lv in kind.levels)
            raise ValueError(f"Meta serves {kind.kind} at {words}, not at {depth.word}")
    return BreakdownRequest(tuple(k.kind for k in wanted), level=depth)


def _read_breakdowns(parts: Runtime, asked: BreakdownRequest) -> SyncReport:
    from adlab.services.breakdowns import refresh_breakdowns

    with Progress("breakdowns") as progress:
        return refresh_breakdowns(parts.ingest, asked, progress.advance, progress.plan)


def _read_catalogue(
    parts: Runtime, client: str | None, account: str | None, report: SyncReport
) -> None:
    from adlab.services.catalogue import CatalogueRequest, refresh_catalogue, refresh_objects

    with Progress("catalogue"):
        _add(report, refresh_objects(parts.ingest, account, client=client))
        _add(report, refresh_catalogue(parts.ingest, CatalogueRequest(client, account)))


def _add(report: SyncReport, more: SyncReport) -> None:
    """Count a further part of the run in its report; accounts are the same ones."""
    for name in ("rows", "changed", "objects", "calls", "seconds", "slices", "skipped"):
        setattr(report, name, getattr(report, name) + getattr(more, name))
    report.quota_percent = max(report.quota_percent, more.quota_percent)
    report.failures += [f for f in more.failures if f not in report.failures]
    report.warnings += [w for w in more.warnings if w not in report.warnings]


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
