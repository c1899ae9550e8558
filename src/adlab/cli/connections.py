"""`adlab connection …`: connections to Meta, looked at and looked after."""

from __future__ import annotations

from typing import Annotated

import typer

from adlab.cli import output

app = typer.Typer(help="Connections to Meta.", no_args_is_help=True)


@app.command("list")
def list_(
    client: Annotated[str | None, typer.Option(help="Only this client's.")] = None,
    json: output.Json = False,
) -> None:
    """List connections: whose login, what it may do, until when; and open invitations.

    Example: adlab connection list --client acme-eu
    """
    from datetime import UTC, datetime

    from adlab import runtime
    from adlab.services.connections_invite import open_invitations
    from adlab.storage.clients import load_client
    from adlab.storage.connections import load_connections
    from adlab.storage.engine import transaction

    engine = runtime.build().engine
    with transaction(engine) as connection:
        client_id = load_client(connection, client).client_id if client else None
        found = load_connections(connection, client_id)
    output.rows(
        [
            {
                "connection": r["connection_id"],
                "client": r["slug"],
                "accounts": [f"act_{a}" for a in r["accounts"]],
                "status": "expiring" if r["warning"] and r["status"] == "ok" else r["status"],
                "login": r["meta_user_name"] or r["meta_user_id"],
                "type": r["token_type"],
                "scopes": list(r["scopes"]),
                "expires_at": r["expires_at"],
                "data_expires_at": r["data_expires_at"],
                "connected_by": r["connected_by"],
                "why": r["status_reason"] or r["warning"],
            }
            for r in found
        ],
        ["connection", "client", "accounts", "status", "login", "expires_at", "connected_by",
         "why"],
        json,
    )  # fmt: skip
    for i in open_invitations(engine, datetime.now(UTC), client):
        output.say(
            f"Invitation {i['invite_id']} for {i['slug']} is open until "
            f"{i['expires_at']:%Y-%m-%d %H:%M} UTC."
        )


@app.command()
def check(json: output.Json = False) -> None:
    """Ask Meta about every token now due, renew what ends soon; exit 1 when somebody must act.

    Each token is asked about at most once an hour.

    Example: adlab connection check
    """
    from datetime import UTC, datetime

    from adlab import runtime
    from adlab.services.connections import ConnectionParts, upkeep

    parts = runtime.build()
    found = upkeep(ConnectionParts(parts.engine, parts.vault, parts.meta), datetime.now(UTC))
    output.rows([vars(u) for u in found], ["connection_id", "client", "outcome", "detail"], json)
    if any(u.outcome == "reauth_required" for u in found):
        raise typer.Exit(1)
