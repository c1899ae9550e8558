"""`adlab account …`: ad accounts of clients."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from adlab.cli import output

app = typer.Typer(help="Ad accounts of clients.", no_args_is_help=True)


@app.command()
def connect(
    account: Annotated[str, typer.Argument(help="The ad account, such as act_1234567890.")],
    client: Annotated[str, typer.Option(help="Slug of the client.")],
    token_env: Annotated[
        str, typer.Option(help="Name of the variable that holds the access token.")
    ],
    json: output.Json = False,
) -> None:
    """Check a token, encrypt it, and connect an ad account to a client.

    The token is taken from a variable, so that it stands in no history and no process list.

    Example: adlab account connect act_1234567890 --client acme-eu --token-env META_TOKEN
    """
    from adlab import runtime
    from adlab.core.entities import parse_account_id
    from adlab.core.errors import SettingsError
    from adlab.services.access import connect_account

    parse_account_id(account)
    token = os.environ.get(token_env, "").strip()
    if not token:
        raise SettingsError(
            f"The variable {token_env} is empty or not set.",
            f"Set it to the access token: export {token_env}=…",
        )
    parts = runtime.build()
    done = connect_account(parts.engine, parts.vault, parts.meta, account, client, token)
    facts = done.token
    expires = f"{facts.expires_at:%Y-%m-%d}" if facts.expires_at else "never"
    if json:
        output.document(
            {
                "account_id": f"act_{done.account.account_id}",
                "name": done.account.name,
                "currency": done.account.currency,
                "timezone": done.account.timezone,
                "token_type": facts.token_type,
                "scopes": list(facts.scopes),
                "expires_at": facts.expires_at,
                "readable": [f"act_{a.account_id}" for a in done.readable],
            }
        )
    else:
        output.rows(
            [
                {
                    "account": f"act_{a.account_id}",
                    "name": a.name,
                    "currency": a.currency,
                    "timezone": a.timezone,
                    "connected": a.account_id == done.account.account_id,
                }
                for a in done.readable
            ],
            ["account", "name", "currency", "timezone", "connected"],
            False,
        )
    output.say(
        f"Connected act_{done.account.account_id} ({done.account.name}) to {client}. "
        f"Token: {facts.token_type or 'user'}, scopes {', '.join(facts.scopes)}, "
        f"expires {expires}. Next: adlab sync --client {client}"
    )


@app.command("list")
def list_(
    client: Annotated[str | None, typer.Option(help="Only this client's.")] = None,
    json: output.Json = False,
) -> None:
    """List connected ad accounts and the health of their connections.

    Example: adlab account list --client acme-eu
    """
    from adlab import runtime
    from adlab.storage.clients import load_client
    from adlab.storage.engine import transaction
    from adlab.storage.objects import load_accounts

    with transaction(runtime.build().engine) as connection:
        client_id = load_client(connection, client).client_id if client else None
        found = load_accounts(connection, client_id)
    output.rows(
        [
            {
                "account": f"act_{r['account_id']}",
                "client": r["slug"],
                "name": r["name"],
                "currency": r["currency"],
                "timezone": r["timezone"],
                "connection": r["connection_status"],
                "reason": r["status_reason"],
            }
            for r in found
        ],
        ["account", "client", "name", "currency", "timezone", "connection", "reason"],
        json,
    )
