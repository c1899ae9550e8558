"""`adlab user grant|revoke|break-glass|review`: who may see which client."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import typer

from adlab.cli import output

Name = Annotated[str, typer.Argument(help="The person, by name or username.")]


def grant(
    name: Name,
    client: Annotated[str, typer.Option(help="Slug of the client.")],
    role: Annotated[str, typer.Option(help="What they are for this client.")],
    until: Annotated[
        str | None, typer.Option(help="End, as 2026-12-31 (that day included, UTC) or 60d.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept for the access review.")] = None,
    json: output.Json = False,
) -> None:
    """Give a person a role on a client.

    Example: adlab user grant ann --client acme-eu --role analyst --until 60d --reason "Q4 audit"
    """
    from adlab import runtime
    from adlab.core.roles import parse_role
    from adlab.storage import access
    from adlab.storage.engine import transaction

    wanted, end = parse_role(role), parse_end(until)
    with transaction(runtime.build().engine) as connection:
        access.grant(connection, name, client, wanted, end, reason)
    told = {
        "name": name,
        "client": client,
        "role": wanted.value,
        "until": end.isoformat(timespec="seconds") if end else access.NONE_GIVEN,
        "reason": reason or access.NONE_GIVEN,
    }
    if json:
        output.document(told)
    else:
        output.rows([told], list(told), False)


def parse_end(text: str | None) -> datetime | None:
    """The end of a grant (aware UTC): a day to its end, a moment, or days from now as 60d.

    Raises:
        ValueError: If it is none of these.
    """
    if text is None:
        return None
    try:
        if text.endswith("d") and text[:-1].isdigit():
            return datetime.now(UTC) + timedelta(days=int(text[:-1]))
        if "T" not in text and " " not in text:
            # Reason: a day is included to its end, however it is spelt.
            following = date.fromisoformat(text) + timedelta(days=1)
            return datetime.combine(following, time(), UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(f"--until {text!r} is no date; write 2026-12-31 or 60d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def revoke(
    name: Name,
    client: Annotated[str | None, typer.Option(help="Slug of the client.")] = None,
    every: Annotated[bool, typer.Option("--all", help="On every client.")] = False,
    json: output.Json = False,
) -> None:
    """Take a person's grant on a client, at once: open sessions end.

    Example: adlab user revoke ann --client acme-eu
    """
    from adlab import runtime
    from adlab.services.people import revoke as take

    if (client is None) is not every:
        raise ValueError("say --client SLUG, or --all for every client")
    taken, ended = take(runtime.build().engine, name, client)
    if json:
        output.document(
            {"name": taken.name, "clients": list(taken.clients), "sessions_ended": ended}
        )
    else:
        for slug in taken.clients:
            output.data(slug)
    output.say(f"{taken.name} no longer sees {', '.join(taken.clients)}; {ended} sessions ended.")


def break_glass(
    name: Name,
    client: Annotated[str, typer.Option(help="Slug of the client.")],
    reason: Annotated[str, typer.Option(help="Why it cannot wait; in the audit log.")],
    hours: Annotated[float, typer.Option(help="How long, at most 24.")] = 4,
    role: Annotated[
        str | None, typer.Option(help="What they are there; their agency role if omitted.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Open a client to a person for a few hours; it ends by itself and leaves a record.

    Example: adlab user break-glass ann --client acme-eu --reason "tracking down, owner asleep"
    """
    from adlab import runtime
    from adlab.core.roles import parse_role
    from adlab.storage import access
    from adlab.storage.engine import transaction

    wanted = None if role is None else parse_role(role)
    with transaction(runtime.build().engine) as connection:
        until = access.break_glass(connection, name, client, reason, hours, wanted)
    if json:
        output.document({"name": name, "client": client, "until": until, "reason": reason})
    else:
        output.data(until.isoformat(timespec="seconds"))
    output.say(f"{name} sees {client} until {until:%Y-%m-%d %H:%M} UTC. This is in the audit log.")


def review(
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead.")] = None,
    json: output.Json = False,
) -> None:
    """Everybody and what they hold: role, rights, by whom, until when, why, last seen.

    Example: adlab user review --csv --out access-2026-Q4.csv
    """
    import json as encoder

    from adlab import runtime
    from adlab.services.people import REVIEW_COLUMNS, review_csv
    from adlab.services.reporting import write_atomically
    from adlab.storage import access, audit
    from adlab.storage.engine import transaction

    if as_csv and json:
        raise ValueError("--csv and --json exclude each other")
    with transaction(runtime.build().engine) as connection:
        rows = access.review(connection)
        audit.record(connection, "user.review", rows=len(rows))
    if out is not None:
        written = (
            encoder.dumps([{k: output.plain(v) for k, v in r.items()} for r in rows], indent=2)
            if json
            # Reason: a byte-order mark, by which spreadsheets know UTF-8.
            else "\ufeff" + review_csv(rows)
        )
        write_atomically(out, written.encode())
        output.say(f"Wrote {len(rows)} rows to {out}.")
    elif as_csv:
        typer.echo(review_csv(rows), nl=False)
    elif json:
        output.rows(rows, REVIEW_COLUMNS, True)
    else:
        shown = [c for c in REVIEW_COLUMNS if c not in ("username", "rights", "last_login_at")]
        output.rows(rows, shown, False)
