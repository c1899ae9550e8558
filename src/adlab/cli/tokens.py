"""`adlab token …`: access tokens of the REST API."""

from __future__ import annotations

from typing import Annotated

import typer

from adlab.cli import output

app = typer.Typer(help="Access tokens of the REST API.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The person or service it acts for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, propose, connect, audit; repeat it, or write commas."),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(help="Slug of a client it is narrowed to; repeat it. Else all of theirs."),
    ] = None,
    days: Annotated[int, typer.Option(help="How long it works.", min=1, max=366)] = 30,
    label: Annotated[str, typer.Option(help="What it is for.")] = "token",
    json: output.Json = False,
) -> None:
    """Make an access token and print it, once; nothing else on stdout.

    Example: adlab token create "Nightly export" --scope read --client acme-eu --days 30
    """
    from datetime import UTC, datetime, timedelta

    from adlab import runtime
    from adlab.storage.engine import transaction
    from adlab.storage.tokens import store_token
    from adlab.vault import signing_keys
    from adlab.web.api.tokens import MOST_CLIENTS, Claims, TokenSigner, parse_scopes

    scopes = parse_scopes(" ".join(scope or ["read"]))
    if client and len(set(client)) > MOST_CLIENTS:
        raise ValueError(f"a token is narrowed to at most {MOST_CLIENTS} clients; leave it open")
    house, now = runtime.build(), datetime.now(UTC)
    with transaction(house.engine) as connection:
        made = store_token(
            connection, name, name=label, scopes=scopes, clients=client or None,
            expires_at=now + timedelta(days=days),
        )  # fmt: skip
    signer = TokenSigner(signing_keys(house.vault.derive_all("web session")))
    token = signer.make(
        Claims(made.jti, made.person_id, frozenset(scopes), made.clients, made.expires_at), now
    )
    if json:
        output.document({
            "jti": made.jti, "person": made.person, "token": token, "scopes": list(scopes),
            "clients": list(made.clients) if made.clients else None,
            "expires_at": made.expires_at.isoformat(timespec="seconds"),
        })  # fmt: skip
    else:
        output.data(token)
    output.say(
        f"Token {made.jti} of {made.person}, until {made.expires_at:%Y-%m-%d}. It is shown once; "
        f"take it back with: adlab token revoke {made.jti}"
    )


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Option("--person", help="Only this person's.")] = None,
    json: output.Json = False,
) -> None:
    """List tokens: whose, what for, until when, when last used.

    Example: adlab token list --person "Nightly export"
    """
    from adlab import runtime
    from adlab.storage.engine import transaction
    from adlab.storage.tokens import load_tokens

    with transaction(runtime.build().engine) as connection:
        found = load_tokens(connection, name)
    output.rows(
        [
            {
                "jti": r["jti"], "person": r["person"], "label": r["name"],
                "scopes": list(r["scopes"]), "clients": r["clients"] or "all of theirs",
                "state": r["state"], "expires_at": r["expires_at"], "last_used": r["used_at"],
                "created_at": r["created_at"], "created_by": r["created_by"],
            }
            for r in found
        ],
        ["jti", "person", "label", "scopes", "clients", "state", "expires_at", "last_used"],
        json,
    )  # fmt: skip


@app.command()
def revoke(
    jti: Annotated[str, typer.Argument(help="Number of the token, as `adlab token list` tells.")],
    json: output.Json = False,
) -> None:
    """Take a token back; it stops working within seconds.

    Example: adlab token revoke 0f3c9a5be2d14c70aa61b9d2
    """
    from adlab import runtime
    from adlab.storage.engine import transaction
    from adlab.storage.tokens import revoke_token

    with transaction(runtime.build().engine) as connection:
        label = revoke_token(connection, jti)
    if json:
        output.document({"jti": jti, "label": label, "state": "revoked"})
    output.say(f"Revoked {jti} ({label}).")
