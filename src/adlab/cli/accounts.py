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
                "connection": r["connection_status"] if not r["warning"] else "expiring",
                "reason": r["status_reason"] or r["warning"],
            }
            for r in found
        ],
        ["account", "client", "name", "currency", "timezone", "connection", "reason"],
        json,
    )


@app.command()
def invite(
    client: Annotated[str, typer.Option(help="Slug of the client.")],
    hours: Annotated[float, typer.Option(help="How long the link works, up to 720.")] = 168,
    write: Annotated[
        bool, typer.Option("--write", help="Also ask for the right to change ads.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Make a link with which a client connects its ad accounts by itself, through Facebook Login.

    It works once. Nobody here sees a password or token; the client needs no login here.

    Example: adlab account invite --client acme-eu --hours 48
    """
    from datetime import UTC, datetime

    from adlab import runtime
    from adlab.cli.users import public_address
    from adlab.local import running_instance
    from adlab.services.connections import ConnectionParts
    from adlab.services.connections_invite import invite as make
    from adlab.services.connections_login import require_app
    from adlab.vault import invite_signer, signing_keys

    parts = runtime.build()
    require_app(ConnectionParts(parts.engine, parts.vault, parts.meta))
    made = make(parts.engine, client, now=datetime.now(UTC), hours=hours, write=write)
    keys = signing_keys(parts.vault.derive_all("web session"))
    # Reason: behind the hub the web endpoints are one of its services.
    folder = "" if running_instance(parts.home, "hub") is None else "/services/web"
    url = f"{public_address(parts)}{folder}/invite/{invite_signer(keys).sign(made.nonce).decode()}"
    if json:
        output.document({"invite_id": made.invite_id, "client": client, "url": url,
                         "expires_at": made.expires_at})  # fmt: skip
    else:
        output.data(url)
    output.say(
        f"Invitation {made.invite_id} for {made.client}: works once, until "
        f"{made.expires_at:%Y-%m-%d %H:%M} UTC, while `adlab hub` runs. Send it to the client "
        f"alone. Revoke it: adlab account uninvite {made.invite_id}"
    )


@app.command()
def uninvite(
    number: Annotated[int, typer.Argument(help="Number of the invitation.")],
    json: output.Json = False,
) -> None:
    """Revoke an invitation that nobody has used; logins it began end with it.

    Example: adlab account uninvite 3
    """
    from datetime import UTC, datetime

    from adlab import runtime
    from adlab.services.connections_invite import revoke_invitation

    revoke_invitation(runtime.build().engine, number, now=datetime.now(UTC))
    if json:
        output.document({"revoked": number})
    output.say(f"Invitation {number} no longer works.")


@app.command()
def disconnect(
    account: Annotated[str | None, typer.Argument(help="An ad account, act_1234567890.")] = None,
    connection: Annotated[
        int | None, typer.Option(help="Or the number of a connection, with all its accounts.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Stop reading an ad account: revoke at Meta, delete the token, keep the data.

    A token that other accounts still use stays.

    Example: adlab account disconnect act_1234567890
    """
    from adlab import runtime
    from adlab.services.connections import ConnectionParts
    from adlab.services.connections_end import disconnect as end

    if (account is None) == (connection is None):
        raise ValueError("name an account, or --connection and its number")
    parts = runtime.build()
    done = end(
        ConnectionParts(parts.engine, parts.vault, parts.meta),
        account=account, connection_id=connection,
    )  # fmt: skip
    names = [f"act_{a}" for a in done.accounts]
    if json:
        output.document({"connection_id": done.connection_id, "client": done.client,
                         "accounts": names, "token_deleted": done.token_deleted,
                         "revocation": done.revocation})  # fmt: skip
    output.say(f"Disconnected {', '.join(names)} of {done.client}; data stays. {done.words}")
