"""`adlab client …`: the agency's clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.runtime import Runtime
    from adlab.services.offboarding import OffboardingParts, Plan

app = typer.Typer(help="The agency's clients.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name people see, such as 'Acme Europe'.")],
    slug: Annotated[str, typer.Option(help="Short name for commands and addresses: acme-eu.")],
    currency: Annotated[str | None, typer.Option(help="Reporting currency, such as EUR.")] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA zone, such as Europe/Berlin.")] = None,
    json: output.Json = False,
) -> None:
    """Add a client.

    Example: adlab client add "Acme Europe" --slug acme-eu --currency EUR --timezone Europe/Berlin
    """
    from adlab import runtime
    from adlab.storage.clients import store_client
    from adlab.storage.engine import transaction

    with transaction(runtime.build().engine) as connection:
        client = store_client(connection, name, slug, currency, timezone)
    if json:
        output.document({"slug": client.slug, "name": client.name})
    else:
        output.data(client.slug)
    output.say(
        f"Added {client.name}. Next: adlab account connect act_… --client {slug} --token-env VAR"
    )


@app.command("list")
def list_(json: output.Json = False) -> None:
    """List clients.

    Example: adlab client list --json
    """
    from adlab import runtime
    from adlab.storage.clients import load_clients
    from adlab.storage.engine import transaction

    with transaction(runtime.build().engine) as connection:
        found = load_clients(connection)
    columns = ["slug", "name", "currency", "timezone", "status"]
    output.rows([{c: getattr(f, c) for c in columns} for f in found], columns, json)


@app.command()
def show(
    slug: Annotated[str, typer.Argument(help="The client.")],
    json: output.Json = False,
) -> None:
    """Show accounts, people, connections, retention and brand of a client.

    Of a client that left, its certificate.

    Example: adlab client show acme-eu
    """
    from datetime import UTC, datetime

    from adlab import runtime
    from adlab.services.clients import describe_client

    parts = runtime.build()
    found = describe_client(parts.engine, parts.vault, slug, datetime.now(UTC))
    if json:
        output.document(found)
        return
    if "certificate" in found:
        _show_certificate(found)
        return
    lists = {n: v for n, v in found.items() if isinstance(v, list)}
    one = {n: v for n, v in found.items() if not isinstance(v, list | dict)}
    for name in ("retention", "brand"):
        one |= {f"{name} {k}": v for k, v in (found.get(name) or {}).items()}
    output.rows(
        [{"what": n.replace("_", " "), "value": v} for n, v in one.items()], ["what", "value"],
        False,
    )  # fmt: skip
    for name, records in lists.items():
        if records:
            output.data("")
            output.rows(records, list(records[0]), False, title=name)


def _show_certificate(found: dict[str, Any]) -> None:
    made = found["certificate"]
    output.rows(
        [
            {"what": "client", "value": f"{made['name']} ({made['client']})"},
            {"what": "off-boarded", "value": f"{made['done_at']} by {made['done_by']}"},
            {"what": "rows deleted", "value": made["rows_deleted_in_all"]},
            {"what": "key destroyed", "value": made["key"]["fingerprint"]},
            {"what": "export", "value": made["export"]["folder"]},
            {"what": "manifest sha256", "value": made["export"]["manifest_sha256"]},
            {"what": "signature", "value": "genuine" if found["genuine"] else "NOT GENUINE"},
        ],
        ["what", "value"], False,
    )  # fmt: skip
    if not found["genuine"]:
        raise typer.Exit(1)


@app.command()
def brand(
    slug: Annotated[str, typer.Argument(help="The client.")],
    name: Annotated[str | None, typer.Option(help="Name people see.")] = None,
    color: Annotated[
        str | None, typer.Option("--color", "--colour", help="As #1a73e8; '' for the house's own.")
    ] = None,
    logo: Annotated[
        Path | None, typer.Option(help="PNG, JPEG, WebP or SVG, 200 kB at most.")
    ] = None,
    no_logo: Annotated[bool, typer.Option("--no-logo", help="Take the logo away.")] = False,
    json: output.Json = False,
) -> None:
    """Set a client's name, colour or logo on boards and reports.

    Example: adlab client brand acme-eu --logo acme.svg --color #1a73e8
    """
    from adlab import runtime
    from adlab.services.clients import set_brand

    done = set_brand(
        runtime.build().engine, slug, name=name, color=color, logo=logo, without_logo=no_logo
    )
    if json:
        output.document({"slug": slug, **done})
    output.say(f"Set {', '.join(done)} of {slug}.")


@app.command()
def retention(
    slug: Annotated[str, typer.Argument(help="The client.")],
    insights_months: Annotated[
        int | None, typer.Option(help="Daily numbers, 2 to 37 months; 0 for the default.")
    ] = None,
    raw_days: Annotated[
        int | None,
        typer.Option(help="Names in answers of Meta, settled events, 7 to 90 days; 0: default."),
    ] = None,
    webhooks_days: Annotated[
        int | None, typer.Option(help="What Meta told by itself, 1 to 30 days; 0: default.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Show or shorten how long a client's data are kept. The next night removes what is older.

    Example: adlab client retention acme-eu --insights-months 25 --raw-days 30
    """
    from adlab import runtime
    from adlab.core.privacy import LIMITS
    from adlab.services.privacy_retention import set_retention

    given = {
        "insights_months": insights_months, "raw_days": raw_days, "webhooks_days": webhooks_days,
    }  # fmt: skip
    wanted: dict[str, Any] = {n: v or None for n, v in given.items() if v is not None}
    now = set_retention(runtime.build().engine, slug, **wanted)
    told = [
        {"what": n.replace("_", " "), "kept": getattr(now, n) or most, "unit": unit,
         "default": most}
        for n, (_, most, unit) in LIMITS.items()
    ]  # fmt: skip
    output.rows(told, ["what", "kept", "unit", "default"], json)
    if wanted:
        output.say(f"What would go tonight: adlab privacy retention --client {slug} --dry-run")


@app.command()
def offboard(
    slug: Annotated[str, typer.Argument(help="The client that leaves.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the export; ./offboard-SLUG if omitted.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan only.")] = False,
    json: output.Json = False,
) -> None:
    """Let a client go: export everything, revoke, delete, destroy its key, certify.

    Nothing is deleted before the export was read back. Interrupted, run it again: it goes on. The
    audit log of the client stays, and its short name stays taken.

    Example: adlab client offboard acme-eu --out /media/safe/acme-eu
    """
    from adlab import runtime
    from adlab.services.offboarding import offboard as let_go
    from adlab.services.offboarding import plan

    built = runtime.build()
    parts = _offboarding_parts(built)
    planned = plan(parts, slug)
    _tell_plan(planned)
    if dry_run:
        if json:
            output.document({"client": slug, "rows": planned.rows, "people": planned.people,
                             "step": planned.step})  # fmt: skip
        return
    _ask(planned, yes)
    done = let_go(parts, slug, out or Path(f"offboard-{slug}"))
    assert done.certificate is not None
    pdf = _write_pdf(done.certificate, Path(done.folder))
    if json:
        output.document(done.certificate)
    output.say(f"{planned.name} is off-boarded. Certificate: {pdf or done.folder}")


def _offboarding_parts(built: Runtime) -> OffboardingParts:
    from adlab.realtime.forget import forget_accounts
    from adlab.services.connections import ConnectionParts
    from adlab.services.offboarding import OffboardingParts

    return OffboardingParts(
        ConnectionParts(built.engine, built.vault, built.meta),
        lambda client_id, accounts: forget_accounts(built.redis_url, accounts),
        output.say,
    )


def _tell_plan(planned: Plan) -> None:
    output.say(
        f"{planned.name} ({planned.client}): {sum(planned.rows.values()):,} rows in "
        f"{len(planned.rows)} tables, {len(planned.accounts)} ad account(s), "
        f"{planned.connections} connection(s), {len(planned.people)} people with access."
    )
    if planned.step:
        output.say(f"An earlier run finished the step {planned.step!r}; it goes on from there.")
    else:
        output.say(
            "1. stop its jobs  2. export everything  3. read the export back  4. end access and "
            "connections  5. delete every row  6. destroy its key  7. certify"
        )


def _ask(planned: Plan, yes: bool) -> None:
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        raise ValueError("this deletes a client for good; add --yes if that is meant")
    if typer.prompt(f"Type {planned.client} to go on", err=True).strip() != planned.client:
        raise ValueError("that is not its short name; nothing was done")


def _write_pdf(certificate: dict[str, Any], folder: Path) -> Path | None:
    """The certificate on paper; where typst is missing, the JSON beside it is the certificate."""
    from datetime import datetime

    from adlab.core.errors import DeliveryError
    from adlab.reports.pdf import compile_pdf
    from adlab.services.offboarding_certificate import to_typst

    target = folder / "certificate.pdf"
    try:
        made = compile_pdf(to_typst(certificate), datetime.fromisoformat(certificate["done_at"]))
        target.write_bytes(made)
    except (DeliveryError, OSError) as error:
        output.say(f"The certificate is in {folder / 'certificate.json'}; no PDF: {error}")
        return None
    return target
