"""`adlab match`: compare an Ads Manager export with the store."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from adlab.cli import output


def match(
    file: Annotated[Path, typer.Argument(help="Ads Manager export, CSV or XLSX, by day.")],
    client: Annotated[str, typer.Option(help="Slug of the client.")],
    map_: Annotated[
        Path | None, typer.Option("--map", help="YAML file that says which header is what.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Only this account, act_…; else those with its objects.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Name every difference between a file and the store; exit 0 when there is none.

    Spend, impressions, clicks, link clicks, purchases, revenue and daily reach are compared per
    object and day, by id or else by name.

    Example: adlab match export.csv --client acme-eu
    """
    from adlab import runtime
    from adlab.cli.imports import rejected
    from adlab.core.errors import ImportRejectedError
    from adlab.services.matching import match_file

    try:
        report = match_file(runtime.build().engine, file, client, map_, account)
    except ImportRejectedError as error:
        rejected(error, json)
        raise typer.Exit(1) from None
    records = [
        {
            "kind": d.kind,
            "object": d.object,
            "object_id": d.object_id,
            "day": d.day,
            "metric": d.metric,
            "file": _shown(d.file),
            "store": _shown(d.store),
            "difference": _shown(d.difference),
        }
        for d in report.differences
    ]
    if json:
        output.document(
            {
                "equal": report.equal,
                "file": report.file,
                "client": report.client,
                "accounts": list(report.accounts),
                "level": report.level,
                "since": report.since,
                "until": report.until,
                "currency": report.currency,
                "metrics": list(report.metrics),
                "matched_by": report.by,
                "compared": report.compared,
                "differing": report.differing,
                "only_in_file": report.only_in_file,
                "only_in_store": report.only_in_store,
                "differences": [
                    {k: v.isoformat() if k == "day" else v for k, v in r.items()} for r in records
                ],
                "notices": list(report.notices),
            }
        )
    elif records:
        output.rows(records, list(records[0]), False)
    for notice in report.notices:
        output.say(notice)
    output.say(report.summary())
    if not report.equal:
        raise typer.Exit(1)


def _shown(value: Any) -> Any:
    """Amounts as exact text, counts as numbers."""
    if isinstance(value, Decimal):
        return f"{value:.2f}" if value == round(value, 2) else f"{value.normalize():f}"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
