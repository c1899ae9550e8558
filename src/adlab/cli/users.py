"""`adlab user …`: people, their grants and their logins."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import typer

from adlab.cli import output

app = typer.Typer(help="People, their grants and their logins.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The person.")],
    role: Annotated[
        str,
        typer.Option(help="owner, admin, account_manager, analyst, client_viewer, "
                     "client_approver, auditor or service."),
    ],
    json: output.Json = False,
) -> None:  # fmt: skip
    """Add a person.

    Example: adlab user add ann --role analyst
    """
    from adlab import runtime
    from adlab.core.roles import parse_role
    from adlab.storage.access import store_person
    from adlab.storage.engine import transaction

    wanted = parse_role(role)
    with transaction(runtime.build().engine) as connection:
        store_person(connection, name, wanted)
    if json:
        output.document({"name": name, "role": wanted.value})
    else:
        output.data(name)
    output.say(
        f"Added {name} as {wanted.value}. Next: adlab user grant {name} --client SLUG --role …"
    )


@app.command()
def grant(
    name: Annotated[str, typer.Argument(help="The person.")],
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

    wanted, end = parse_role(role), _end(until)
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


def _end(text: str | None) -> datetime | None:
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


@app.command()
def credential(
    name: Annotated[str, typer.Argument(help="The person.")],
    hours: Annotated[float, typer.Option(help="How long it works.", min=0.01, max=720)] = 12,
    json: output.Json = False,
) -> None:
    """Print a short-lived database URL that logs in as that person, and nothing else on stdout.

    Example: export ADLAB_DATABASE__URL="$(adlab user credential ann)"
    """
    from adlab import runtime
    from adlab.services.access import credential_url

    url = credential_url(runtime.build().engine, name, hours)
    if json:
        output.document({"name": name, "url": url, "hours": hours})
    else:
        output.data(url)
    output.say(f"A login of {name}, for {hours:g} hours. It is shown once.")


@app.command("list")
def list_(json: output.Json = False) -> None:
    """List people with their grants.

    Example: adlab user list --json
    """
    from adlab import runtime
    from adlab.storage.engine import transaction
    from adlab.storage.statements import statement

    with transaction(runtime.build().engine) as connection:
        found = [dict(r) for r in connection.execute(statement("person_list")).mappings()]
    output.rows(found, ["name", "role", "client", "client_role", "expires_at", "reason"], json)
