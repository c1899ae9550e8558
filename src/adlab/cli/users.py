"""`adlab user …`: people, their roles and their logins. Grants are in `cli.grants`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from adlab.cli import grants, output

if TYPE_CHECKING:
    from adlab.runtime import Runtime

app = typer.Typer(help="People, their grants and their logins.", no_args_is_help=True)
app.command("grant")(grants.grant)
app.command("revoke")(grants.revoke)
app.command("break-glass")(grants.break_glass)
app.command("review")(grants.review)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The person.")],
    role: Annotated[
        str,
        typer.Option(help="owner, admin, account_manager, analyst, client_viewer, "
                     "client_approver, auditor or service."),
    ],
    username: Annotated[
        str | None, typer.Option(help="What they log in with; made from the name if omitted.")
    ] = None,
    json: output.Json = False,
) -> None:  # fmt: skip
    """Add a person.

    Example: adlab user add "Ann Lee" --role analyst --username ann
    """
    from adlab import runtime
    from adlab.core.roles import parse_role
    from adlab.storage.access import load_person, store_person
    from adlab.storage.engine import transaction

    wanted = parse_role(role)
    with transaction(runtime.build().engine) as connection:
        store_person(connection, name, wanted, username)
        person = load_person(connection, name.strip())
    if json:
        output.document(
            {"name": person["name"], "role": wanted.value, "username": person["username"]}
        )
    else:
        output.data(person["name"])
    output.say(
        f"Added {name} as {wanted.value}; they log in as {person['username']}. Next: "
        f"adlab user grant {person['username']} --client SLUG --role …, adlab user password "
        f"{person['username']}"
    )


@app.command()
def credential(
    name: grants.Name,
    client: Annotated[
        str | None, typer.Option(help="Only this client, by slug; all of theirs if omitted.")
    ] = None,
    hours: Annotated[float, typer.Option(help="How long it works.", min=0.01, max=720)] = 12,
    json: output.Json = False,
) -> None:
    """Print a short-lived database URL that logs in as that person, and nothing else on stdout.

    Example: export ADLAB_DATABASE__URL="$(adlab user credential ann)"
    """
    from adlab import runtime
    from adlab.services.access import credential_url

    url = credential_url(runtime.build().engine, name, hours, client)
    if json:
        output.document({"name": name, "client": client, "url": url, "hours": hours})
    else:
        output.data(url)
    where = "" if client is None else f" for client {client} alone"
    output.say(f"A login of {name}{where}, for {hours:g} hours. It is shown once.")


@app.command()
def password(
    name: Annotated[str, typer.Argument(help="The person, by name or username.")],
    env: Annotated[
        str | None, typer.Option("--env", help="Variable that holds the new password.")
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Print a link with which they choose one themselves.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Set or reset a password; without options a strong one is made and printed once.

    Example: adlab user password ann
    """
    import os
    import secrets

    from adlab import runtime
    from adlab.storage.access import load_person
    from adlab.storage.engine import transaction
    from adlab.storage.passwords import set_password

    if env is not None and link:
        raise ValueError("--env and --link exclude each other")
    house = runtime.build()
    if link:
        with transaction(house.engine) as connection:
            person = load_person(connection, name)
        _print_link(house, person["name"], person["username"], 72, json)
        return
    chosen = os.environ.get(env, "") if env is not None else secrets.token_urlsafe(15)
    if env is not None and not chosen:
        raise ValueError(f"the variable {env} is empty or not set")
    with transaction(house.engine) as connection:
        known = set_password(connection, name, chosen)
    shown = {} if env is not None else {"password": chosen}
    if json:
        output.document({"name": known.name, "username": known.username, **shown})
    elif shown:
        output.data(chosen)
    output.say(
        f"{known.name} logs in as {known.username}"
        + (" with the password above, shown once." if shown else " with the new password.")
    )


@app.command()
def invite(
    name: Annotated[str, typer.Argument(help="The person; added when unknown.")],
    client: Annotated[str, typer.Option(help="Slug of the client whose numbers they may see.")],
    role: Annotated[str, typer.Option(help="What they are for this client.")] = "client_viewer",
    until: Annotated[
        str | None, typer.Option(help="End of the grant, as 2026-12-31 or 60d.")
    ] = None,
    hours: Annotated[float, typer.Option(help="How long the link works.", min=1, max=168)] = 72,
    json: output.Json = False,
) -> None:
    """Invite somebody by link: they choose a password and see that client's boards.

    Example: adlab user invite "Carla Rossi" --client acme-eu
    """
    from adlab import runtime
    from adlab.core.errors import UnknownObjectError
    from adlab.core.roles import parse_role
    from adlab.storage import access
    from adlab.storage.engine import transaction

    wanted, end = parse_role(role), grants.parse_end(until)
    house = runtime.build()
    with transaction(house.engine) as connection:
        try:
            person = access.load_person(connection, name)
        except UnknownObjectError:
            access.store_person(connection, name, wanted)
            person = access.load_person(connection, name.strip())
        access.grant(connection, person["name"], client, wanted, end, "invited")
    _print_link(house, person["name"], person["username"], hours, json)


def _print_link(house: Runtime, name: str, username: str, hours: float, json: bool) -> None:
    from adlab.storage.access import create_login_link
    from adlab.storage.engine import transaction
    from adlab.web.sessions import Sessions

    with transaction(house.engine) as connection:
        token = create_login_link(connection, name, hours, "password")
    signed = Sessions(house.vault.derive_all("web session")).sign_link(token)
    url = f"{public_address(house)}/hub/welcome/{signed}"
    if json:
        output.document({"name": name, "username": username, "url": url, "hours": hours})
    else:
        output.data(url)
    output.say(
        f"A link for {name} ({username}): it works once, within {hours:g} hours, while `adlab hub` "
        "runs. Whoever opens it chooses the password, so send it to them alone."
    )


def public_address(house: Runtime) -> str:
    """Where people log in: the address that is set, else that of the house that runs now."""
    from adlab.local import running_instance

    if house.settings.web.public_url is None:
        for name in ("hub", "demo"):
            running = running_instance(house.home, name)
            if running is not None and running.url:
                return running.url
    return house.settings.web.address


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
    output.rows(
        found, ["name", "username", "role", "client", "client_role", "expires_at", "reason"], json
    )


@app.command()
def roles(json: output.Json = False) -> None:
    """List the roles: what each is for, its rights and its limits.

    Example: adlab user roles
    """
    from adlab.core.roles import role_table

    found = role_table()
    output.rows(found, list(found[0]), json)


@app.command()
def role(
    name: grants.Name,
    to: Annotated[str, typer.Argument(metavar="ROLE", help="Their new role in the agency.")],
    json: output.Json = False,
) -> None:
    """Change a person's role in the agency; what it implies follows at once.

    Example: adlab user role ann account_manager
    """
    from adlab import runtime
    from adlab.core.roles import parse_role
    from adlab.services.people import set_role

    wanted = parse_role(to)
    changed, ended = set_role(runtime.build().engine, name, wanted)
    _told(changed.name, {"role": wanted.value}, ended, json, f"is {wanted.value} now")


@app.command()
def disable(name: grants.Name, json: output.Json = False) -> None:
    """Shut a person out of everything at once; their grants stay for when they come back.

    Example: adlab user disable ann
    """
    from adlab import runtime
    from adlab.services.people import disable as shut_out

    changed, ended = shut_out(runtime.build().engine, name)
    _told(changed.name, {"disabled": True}, ended, json, "is shut out")


@app.command()
def enable(name: grants.Name, json: output.Json = False) -> None:
    """Let a disabled person in again.

    Example: adlab user enable ann
    """
    from adlab import runtime
    from adlab.storage import access
    from adlab.storage.engine import transaction

    with transaction(runtime.build().engine) as connection:
        known = access.enable(connection, name)
    if json:
        output.document({"name": known, "disabled": False})
    else:
        output.data(known)
    output.say(f"{known} may log in again.")


def _told(name: str, what: dict[str, object], ended: int, json: bool, talk: str) -> None:
    if json:
        output.document({"name": name, **what, "sessions_ended": ended})
    else:
        output.data(name)
    output.say(f"{name} {talk}; {ended} sessions ended.")
