"""`adlab client …`: the agency's clients."""

from __future__ import annotations

from typing import Annotated

import typer

from adlab.cli import output

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
