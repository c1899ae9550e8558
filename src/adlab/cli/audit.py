"""`adlab audit …`: who did what, and the proof that nobody changed it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.runtime import Runtime

app = typer.Typer(help="Who did what, and the proof that nobody changed it.", no_args_is_help=True)

Since = Annotated[str | None, typer.Option(help="First day, as 2026-11-01, or 7d (UTC).")]
Until = Annotated[str | None, typer.Option(help="Last day, as 2026-11-30 (UTC).")]
ClientSlug = Annotated[str | None, typer.Option("--client", help="Only what concerns it.")]


@app.command()
def verify(json: output.Json = False) -> None:
    """Check the chain: every entry, its order, its end and its signatures. Exit 1 if one differs.

    Example: adlab audit verify
    """
    from adlab.services import audit

    house = _collected()
    found = audit.verify(house.engine, house.vault)
    if found.ok:
        audit.sign(house.engine, house.vault)
    if json:
        output.document(
            {
                "ok": found.ok, "entries": found.entries, "head": found.head,
                "newest": found.newest, "signatures": found.anchors,
                "problems": [str(p) for p in found.problems],
            }
        )  # fmt: skip
    else:
        output.data(found.head)
    for problem in found.problems:
        output.problem(str(problem))
    if not found.ok:
        raise typer.Exit(1)
    output.say(
        f"{found.entries:,} entries are as they were written, {found.anchors:,} signatures fit. "
        "Keep the hash above somewhere else: it proves this state later."
    )


@app.command()
def search(
    words: Annotated[str | None, typer.Argument(help="Text in the details.")] = None,
    actor: Annotated[str | None, typer.Option(help="The person, in full.")] = None,
    action: Annotated[
        str | None, typer.Option(help="An action, or its beginning: user. or change.sent")
    ] = None,
    client: ClientSlug = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(help="At most so many, newest first.", min=1)] = 50,
    json: output.Json = False,
) -> None:
    """Search the log, newest first.

    Example: adlab audit search --action user. --client acme-eu --since 30d
    """
    import json as texts

    from adlab.storage import audit
    from adlab.storage.clients import load_client
    from adlab.storage.engine import transaction

    house = _collected()
    with transaction(house.engine) as connection:
        found = audit.search(
            connection, actor=actor, action=action, words=words, since=_moment(since, "--since"),
            until=_moment(until, "--until", end=True), limit=limit,
            client_id=load_client(connection, client).client_id if client else None,
        )  # fmt: skip
    output.rows(
        [
            {
                "at": e.at, "actor": e.actor, "action": e.action, "client": e.client,
                "details": e.details if json else texts.dumps(e.details, ensure_ascii=False),
            }
            for e in found
        ],
        ["at", "actor", "action", "client", "details"],
        json,
    )  # fmt: skip


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The file to write, JSON lines; must not exist.")],
    client: ClientSlug = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write entries with their hashes to a file that can be checked without adlab.

    Example: adlab audit export --out audit-2026-11.jsonl --since 2026-11-01 --until 2026-11-30
    """
    from adlab.services import audit

    house = _collected()
    try:
        count = audit.export(
            house.engine, out, client=client, since=_moment(since, "--since"),
            until=_moment(until, "--until", end=True),
        )  # fmt: skip
    except FileExistsError:
        raise ValueError(f"{out} exists; name another file") from None
    output.data(str(out))
    output.say(
        f"{count:,} entries. Of each line: hash = SHA-256 of the 32 bytes `previous` and the text "
        "`text` in UTF-8."
    )


def _collected() -> Runtime:
    """The house, after notebooks' latest statements were moved into the log."""
    from adlab import runtime
    from adlab.storage import query_log
    from adlab.storage.engine import transaction

    house = runtime.build()
    with transaction(house.engine) as connection:
        if not query_log.is_on(connection):
            output.say(f"Raw SQL of notebooks is not recorded. {query_log.REMEDY}")
        query_log.collect(connection)
    return house


def _moment(given: str | None, option: str, *, end: bool = False) -> datetime | None:
    if given is None:
        return None
    try:
        if given.endswith("d") and given[:-1].isdigit() and not end:
            return datetime.now(UTC) - timedelta(days=int(given[:-1]))
        day = date.fromisoformat(given) + timedelta(days=1 if end else 0)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{option} {given!r} is no day; write 2026-11-30" + ("" if end else " or 30d")
        ) from None
    return datetime.combine(day, time(), UTC)
