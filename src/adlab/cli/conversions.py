"""`adlab conversions …`: events from files to Meta's Conversions API."""

from __future__ import annotations

import csv
import json as json_module
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.services.conversions import Accepted

app = typer.Typer(help="Conversion events for Meta (Conversions API).", no_args_is_help=True)

SHOWN_PROBLEMS = 50
_TOP = ("event_name", "event_time", "event_id", "action_source", "event_source_url",
        "referrer_url")  # fmt: skip


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="JSON lines, or CSV with a heading.")],
    dataset: Annotated[str, typer.Option(help="Number of the dataset (pixel).")],
    client: Annotated[str, typer.Option(help="Slug of the client.")],
    test_code: Annotated[
        str | None,
        typer.Option(help="Show them under Test Events; Meta counts them all the same."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only.")] = False,
    json: output.Json = False,
) -> None:
    """Check events, keep the good ones, and send them; customer data is hashed on the way.

    CSV columns are Meta's keys: event_name, event_time, event_id, action_source, then those of
    user_data (em, ph, … or email, phone, first_name, …) and, with custom_data. in front or not,
    those of custom_data (value, currency, order_id, …). Whatever happens, a second run sends
    nothing twice.

    Example: adlab conversions send orders.csv --dataset 1234567890 --client acme-eu --dry-run
    """
    from adlab import runtime
    from adlab.services.conversions import accept
    from adlab.services.conversions_send import send_due

    read = list(_read(file))
    lines, events = [line for line, _ in read], [event for _, event in read]
    parts = runtime.build().writes
    done = accept(parts, dataset, client, events, test_code=test_code, dry_run=dry_run)
    record: dict[str, Any] = {
        "status": "checked" if dry_run else "accepted", "events": len(events),
        "queued": done.queued, "duplicate": done.duplicate, "rejected": len(done.rejected),
        "test_code": test_code,
    }  # fmt: skip
    problems = _problems(done, lines)
    if test_code and not dry_run:
        output.say(f"Test code {test_code}: Meta shows them under Test Events AND counts them.")
    failures: list[str] = []
    if not dry_run:
        report = send_due(parts, client=client, dataset=dataset)
        record |= {
            "sent": report.sent, "failed": report.failed, "later": report.later,
            "expired": report.expired, "unknown": report.unknown,
        }  # fmt: skip
        failures = [why for _, why in report.failures]
    if json:
        output.document({**record, "problems": problems, "failures": failures})
    else:
        output.rows([record], [k for k in record if k != "test_code"], False)
        for p in problems[:SHOWN_PROBLEMS]:
            output.say(f"line {p['line']}: {p['field']} {p['problem']}")
        if len(problems) > SHOWN_PROBLEMS:
            output.say(f"… and {len(problems) - SHOWN_PROBLEMS} more; --json lists all.")
    for why in failures:
        output.problem(f"Kept, and sent again later: {why}")
    if problems or failures or record.get("failed"):
        raise typer.Exit(1)


def _problems(done: Accepted, lines: list[int]) -> list[dict[str, Any]]:
    return [
        {"line": lines[place], "field": p.field, "problem": p.text}
        for place, why in done.rejected
        for p in why
    ]


def _read(file: Path) -> Iterator[tuple[int, Any]]:
    """Line and event of each row.

    Raises:
        ValueError: If the file cannot be read as it stands; no value of it is repeated.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8") from None
    if file.suffix.lower() == ".csv":
        reader = csv.DictReader(text.splitlines())
        for row in reader:
            yield reader.line_num, _nested(row)
        return
    for line, part in enumerate(text.splitlines(), 1):
        if not part.strip():
            continue
        try:
            yield line, json_module.loads(part)
        except json_module.JSONDecodeError:
            raise ValueError(f"{file}, line {line}: it is no JSON object") from None


def _nested(row: dict[str | None, Any]) -> dict[str, Any]:
    """A flat row of a CSV as an event."""
    from adlab.meta.conversions_person import PERSON_KEYS

    event: dict[str, Any] = {}
    for key, value in row.items():
        if key is None or value in (None, ""):
            continue
        name = key.strip()
        group, dot, inner = name.partition(".")
        if name in _TOP:
            event[name] = value
        elif dot and group in ("user_data", "custom_data"):
            event.setdefault(group, {})[inner] = value
        else:
            place = "user_data" if name in PERSON_KEYS else "custom_data"
            event.setdefault(place, {})[name] = value
    return event


@app.command()
def status(
    client: Annotated[str | None, typer.Option(help="Only this client's.")] = None,
    json: output.Json = False,
) -> None:
    """Count events by client, dataset, name and state: queued, sent, failed, expired, unknown.

    Example: adlab conversions status --client acme-eu
    """
    from adlab import runtime
    from adlab.services.conversions import status as count

    rows = [
        {**r, "dataset": str(r["dataset_id"]), "client": r["slug"]}
        for r in count(runtime.build().writes, client)
    ]
    columns = ["client", "dataset", "event_name", "state", "events", "test_events", "oldest_at",
               "newest_at", "error"]  # fmt: skip
    output.rows([{c: r[c] for c in columns} for r in rows], columns, json)
