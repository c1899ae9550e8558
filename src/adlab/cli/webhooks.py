"""`adlab webhooks …`: be told by Meta what changed, and see what followed."""

from __future__ import annotations

import json as json_text
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.services.inbox_subscriptions import Subscribed

app = typer.Typer(help="Be told by Meta what changed, and see what followed.", no_args_is_help=True)

PORT = 8603
REFUSAL_DAYS = 30
Client = Annotated[str | None, typer.Option(help="Slug of a client; all when omitted.")]
Account = Annotated[str | None, typer.Option(help="An ad account, act_…; all when omitted.")]
Address = Annotated[
    str | None, typer.Option(help="The public address; ADLAB_WEB__PUBLIC_URL when omitted.")
]


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = PORT,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Receive webhooks until Ctrl-C; `adlab worker` processes what comes in.

    The process that listens holds the app's secret and a login that can only hand updates over.
    Lead /meta/webhooks of the public address to it.

    Example: adlab webhooks serve --port 8603
    """
    import sys
    import threading

    from adlab import runtime as wiring
    from adlab.cli.process import clean_environment, listen_to_signals
    from adlab.core.errors import ConflictError, SettingsError
    from adlab.local import Supervisor
    from adlab.local.ports import is_free, port_holder
    from adlab.local.tending import Tender
    from adlab.meta.signatures import PATH

    listen_to_signals()
    if not is_free(port, host):
        raise ConflictError(
            f"Port {port} is taken by {port_holder(port) or 'another program'}.",
            "Choose another with --port.",
        )
    runtime = wiring.build()
    environment = runtime.hooks_environment()
    if environment is None:
        raise SettingsError(
            "ADLAB_META__APP_SECRET must be set: it proves that webhooks are Meta's.",
            "It stands in the app's settings at developers.facebook.com.",
        )
    public = runtime.settings.web.address
    runtime.close()
    environment |= clean_environment()
    with Supervisor() as parts:
        parts.start(
            "webhooks",
            [sys.executable, "-m", "adlab.web.hooks", "--port", str(port), "--host", host],
            log=runtime.home / "logs" / "webhooks.log", environment=environment,
            ready_url=f"http://{host}:{port}/alive",
        )  # fmt: skip
        output.data(f"adlab webhooks: http://{host}:{port}{PATH}")
        output.say(f"Meta delivers to {public}{PATH}; lead that path here. Ctrl-C stops it.")
        stop = threading.Event()
        try:
            Tender(parts, output.say).watch(stop)
        except KeyboardInterrupt:
            output.say("Stopping; what was acknowledged is stored …")
        finally:
            stop.set()


@app.command()
def subscribe(
    client: Client = None,
    account: Account = None,
    address: Address = None,
    json: output.Json = False,
) -> None:
    """Have Meta deliver webhooks for the connected accounts; the receiver must be running.

    Tokens need ads_management. Repeating it does no harm, and puts back what Meta ended.

    Example: adlab webhooks subscribe --client acme
    """
    from adlab import runtime as wiring
    from adlab.services import inbox_subscriptions as service

    found = service.subscribe(_parts(wiring.build(), address), client, account)
    _print(found, json)
    if not found.complete:
        raise typer.Exit(1)


@app.command()
def unsubscribe(
    account: Annotated[str, typer.Argument(help="The ad account, act_….")],
) -> None:
    """Have Meta deliver nothing more of an account.

    Example: adlab webhooks unsubscribe act_1001
    """
    from adlab import runtime as wiring
    from adlab.core.entities import parse_account_id
    from adlab.core.errors import ConflictError
    from adlab.services import inbox_subscriptions as service

    number = parse_account_id(account)
    problem = service.unsubscribe(_parts(wiring.build(), None), number)
    if problem is not None:
        raise ConflictError(f"act_{number} is still subscribed: {problem}")
    output.say(f"Meta tells nothing more of act_{number}.")


@app.command()
def status(
    client: Client = None,
    account: Account = None,
    address: Address = None,
    local: Annotated[
        bool, typer.Option("--local", help="Do not ask Meta what is subscribed.")
    ] = False,
    verify_token: Annotated[
        bool, typer.Option("--verify-token", help="Only print the verify token.")
    ] = False,
    json: output.Json = False,
) -> None:
    """What is subscribed, what came in by topic, and what was refused in 30 days.

    Example: adlab webhooks status
    """
    from adlab import runtime as wiring
    from adlab.services import inbox_subscriptions as service
    from adlab.storage import inbox
    from adlab.storage.engine import transaction

    runtime = wiring.build()
    if verify_token:
        output.data(runtime.verify_tokens[0])
        return
    found = None if local else service.look(_parts(runtime, address), client, account)
    with transaction(runtime.engine) as connection:
        topics = inbox.load_counts(connection)
        since = (datetime.now(UTC) - timedelta(days=REFUSAL_DAYS)).date()
        refused = inbox.load_refusals(connection, since)
    if json:
        output.document(
            {
                **({} if found is None else _record(found)),
                "topics": _plain(topics),
                "refused": _plain(refused),
            }
        )
        return
    if found is not None:
        _print(found, False)
    columns = ["topic", "kept", "waiting", "done", "ignored", "failed", "strangers", "repeats",
               "last_received_at"]  # fmt: skip
    output.rows(topics, columns, False, "Received and kept")
    output.rows(refused, ["reason", "refused", "last_at"], False, "Refused in 30 days")


@app.command()
def events(
    client: Client = None,
    account: Account = None,
    topic: Annotated[str | None, typer.Option(help="Such as effective_status.")] = None,
    state: Annotated[str | None, typer.Option(help="new, done, ignored or failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    json: output.Json = False,
) -> None:
    """The newest updates Meta sent, and what followed from each.

    Example: adlab webhooks events --client acme --topic creative_fatigue
    """
    from adlab import runtime as wiring
    from adlab.core.entities import parse_account_id
    from adlab.storage import inbox
    from adlab.storage.clients import load_client
    from adlab.storage.engine import transaction

    states = ("new", "done", "ignored", "failed")
    if state is not None and state not in states:
        raise ValueError(f"--state {state!r} is none of {', '.join(states)}")
    account_id = parse_account_id(account) if account else None
    with transaction(wiring.build().engine) as connection:
        found = inbox.list_updates(
            connection,
            client_id=load_client(connection, client).client_id if client else None,
            account_id=account_id, topic=topic, state=state, most=limit,
        )  # fmt: skip
    if json:
        output.data(json_text.dumps(_plain(found), indent=2))
        return
    rows = [
        {**f, "account": f"act_{f['account_id']}", "topic": f["topic"] or f["field"],
         "object": str(f["object_id"] or ""), "followed": _followed(f)}
        for f in found
    ]  # fmt: skip
    columns = ["received_at", "client", "account", "topic", "object", "state", "followed"]
    output.rows(rows, columns, False)


def _followed(row: dict[str, Any]) -> str:
    """What followed from an update, in a few words."""
    outcome = row["outcome"] or {}
    said = [
        f"{o['level']} {o['object_id']} {o['effective_status'] or ''} "
        f"{'changed' if o['changed'] else 'as known'} since {o['valid_from'][:19]}"
        for o in outcome.get("objects", ())
    ]
    if "job" in outcome:
        said.append(f"job {outcome['job'].get('job_id', '')} {outcome['job']['key']}")
    if "catalogue" in outcome:
        said.append(f"{outcome['rows']} {outcome['catalogue']} read, {outcome['changed']} new")
    if "signal" in outcome:
        said.append(f"{outcome['signal']} {outcome['level']}")
    return "; ".join(said) or str(row["error"] or "")


def _parts(runtime: Any, address: str | None) -> Any:
    return runtime.subscriptions(address.rstrip("/") if address else None)


def _record(found: Subscribed) -> dict[str, Any]:
    return {
        "callback_url": found.callback_url,
        "app": found.app,
        "app_problem": found.app_problem,
        "complete": found.complete,
        "accounts": [
            {"account": f"act_{a.account_id}", "client": a.client, "state": a.state,
             "problem": a.problem}
            for a in found.accounts
        ],
    }  # fmt: skip


def _print(found: Subscribed, as_json: bool) -> None:
    record = _record(found)
    if as_json:
        output.document(record)
        return
    output.rows(record["accounts"], ["account", "client", "state", "problem"], False)
    problem = f" ({found.app_problem})" if found.app_problem else ""
    output.data(f"app: {found.app}{problem}, delivering to {found.callback_url}")


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()} for row in rows
    ]
