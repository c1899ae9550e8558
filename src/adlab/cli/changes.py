"""`adlab change …`: change campaigns, ad sets and ads at Meta, and take changes back."""

from __future__ import annotations

import getpass
import json as json_module
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adlab.cli import output

if TYPE_CHECKING:
    from adlab.core.changes import Change
    from adlab.services.changes import Applied, DryRun
    from adlab.services.changes_recover import Settled

app = typer.Typer(
    help="Changes at Meta: written down first, read back, and undone on request.",
    no_args_is_help=True,
)

Account = Annotated[str, typer.Argument(help="The ad account, such as act_1234567890.")]
Object = Annotated[int, typer.Argument(help="Number of the campaign, ad set or ad.")]
Reason = Annotated[
    str | None, typer.Option(help="Why; kept in the journal, asked for if left out.")
]
Dry = Annotated[bool, typer.Option("--dry-run", help="Have it checked, here and by Meta, only.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
Amount = Annotated[str, typer.Argument(help="Amount in the account's currency, such as 60.50.")]
Currency = Annotated[
    str | None, typer.Option(help="Refuse unless the account is in this currency.")
]

_COLUMNS = ["change", "state", "kind", "object", "before", "after", "made", "remarks"]


def _money(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount; write it as 60.50") from None


@app.command()
def status(
    account: Account,
    object_id: Object,
    wanted: Annotated[str, typer.Argument(metavar="PAUSED|ACTIVE", help="What it is to be.")],
    reason: Reason = None,
    dry_run: Dry = False,
    yes: Yes = False,
    json: output.Json = False,
) -> None:
    """Pause or run a campaign, ad set or ad.

    Example: adlab change status act_1234567890 1301 PAUSED --reason "sold out"
    """
    from adlab.core.changes import SetStatus
    from adlab.core.entities import parse_account_id

    change = SetStatus(parse_account_id(account), object_id, wanted.upper())
    _change(change, reason, dry_run, yes, json)


@app.command()
def budget(
    account: Account,
    object_id: Object,
    amount: Amount,
    lifetime: Annotated[
        bool, typer.Option("--lifetime", help="The lifetime budget instead of the daily one.")
    ] = False,
    currency: Currency = None,
    reason: Reason = None,
    dry_run: Dry = False,
    yes: Yes = False,
    json: output.Json = False,
) -> None:
    """Set the budget of a campaign or ad set; a fifth change within an hour waits.

    Example: adlab change budget act_1234567890 1301 60.50 --reason "room in the month" --dry-run
    """
    from adlab.core.changes import SetBudget
    from adlab.core.entities import parse_account_id

    change = SetBudget(
        parse_account_id(account), object_id, _money(amount),
        "lifetime" if lifetime else "daily", currency.upper() if currency else None,
    )  # fmt: skip
    _change(change, reason, dry_run, yes, json)


@app.command()
def bid(
    account: Account,
    object_id: Object,
    amount: Annotated[str, typer.Argument(help="Amount in the account's currency, or none.")],
    strategy: Annotated[
        str | None, typer.Option(help="COST_CAP, LOWEST_COST_WITH_BID_CAP; with none: no bid.")
    ] = None,
    currency: Currency = None,
    reason: Reason = None,
    dry_run: Dry = False,
    yes: Yes = False,
    json: output.Json = False,
) -> None:
    """Set or take away the bid of an ad set.

    Example: adlab change bid act_1234567890 1301 1.20 --strategy COST_CAP --reason "CPA target"
    """
    from adlab.core.changes import NO_BID, SetBid
    from adlab.core.entities import parse_account_id

    none = amount.lower() == "none"
    change = SetBid(
        parse_account_id(account), object_id, None if none else _money(amount),
        strategy or (NO_BID if none else None), currency.upper() if currency else None,
    )  # fmt: skip
    _change(change, reason, dry_run, yes, json)


@app.command()
def rename(
    account: Account,
    object_id: Object,
    name: Annotated[str, typer.Argument(help="The new name.")],
    reason: Reason = None,
    dry_run: Dry = False,
    yes: Yes = False,
    json: output.Json = False,
) -> None:
    """Give a campaign, ad set or ad another name.

    Example: adlab change rename act_1234567890 1301 "Winter sale" --reason "naming scheme"
    """
    from adlab.core.changes import Rename
    from adlab.core.entities import parse_account_id

    _change(Rename(parse_account_id(account), object_id, name), reason, dry_run, yes, json)


@app.command()
def copy(
    account: Account,
    object_id: Object,
    deep: Annotated[bool, typer.Option("--deep", help="Copy what lies under it, too.")] = False,
    prefix: Annotated[str, typer.Option(help="Put before the copy's name.")] = "Copy of ",
    reason: Reason = None,
    dry_run: Dry = False,
    yes: Yes = False,
    json: output.Json = False,
) -> None:
    """Copy a campaign, ad set or ad; the copy is paused.

    Example: adlab change copy act_1234567890 1301 --deep --prefix "Test B: " --reason "split test"
    """
    from adlab.core.changes import Copy
    from adlab.core.entities import parse_account_id

    _change(Copy(parse_account_id(account), object_id, deep, prefix), reason, dry_run, yes, json)


@app.command("create-ad")
def create_ad(
    account: Account,
    ad_set: Annotated[int, typer.Argument(help="Number of the ad set.")],
    name: Annotated[str, typer.Option(help="Name of the new ad.")],
    creative: Annotated[int, typer.Option(help="Number of a creative that exists.")],
    reason: Reason = None,
    dry_run: Dry = False,
    yes: Yes = False,
    json: output.Json = False,
) -> None:
    """Make an ad with a creative that exists; it is paused.

    Example: adlab change create-ad act_1234567890 1301 --name "Blue" --creative 1501 --reason new
    """
    from adlab.core.changes import CreateAd
    from adlab.core.entities import parse_account_id

    change = CreateAd(parse_account_id(account), ad_set, name, creative)
    _change(change, reason, dry_run, yes, json)


def _change(change: Change, reason: str | None, dry: bool, yes: bool, as_json: bool) -> None:
    from adlab import runtime
    from adlab.services.changes import apply, dry_run

    parts = runtime.build().writes
    if dry or not yes:
        found = dry_run(parts, change)
        _show_check(found, as_json and dry)
        if dry:
            return
        typer.confirm("Do it?", abort=True, err=True)
    if reason is None:
        if yes:
            raise ValueError('with --yes a reason is needed: --reason "…"')
        reason = typer.prompt("Why", err=True)
    _show(apply(parts, change, actor=_me(), reason=reason), as_json)


def _me() -> str:
    """Who sits at the command line, for the journal."""
    try:
        return f"local owner ({getpass.getuser()})"
    except (KeyError, OSError):
        return "local owner"


def _show_check(found: DryRun, as_json: bool) -> None:
    if as_json:
        output.document({
            "object_id": str(found.object_id), "name": found.name, "currency": found.currency,
            "before": found.before, "wanted": found.wanted, "asked_meta": found.asked_meta,
            "is_so_already": found.is_so_already, "not_before": found.not_before,
        })  # fmt: skip
    else:
        output.say(f"{found.name} ({found.object_id})")
        for name, value in found.wanted.items():
            former = _value(name, found.before.get(name), found.currency)
            wanted = _value(name, value, found.currency)
            output.say(f"  {name.removesuffix('_minor')}: {former} → {wanted}")
    if found.is_so_already:
        output.say("It is so already: nothing would be sent.")
    elif not found.asked_meta:
        output.say("Checked here only: Meta offers no dry run of this.")
    if found.not_before:
        until = f"{found.not_before:%H:%M} UTC"
        output.say(f"Four budgets an hour are used up: it would wait until {until}.")


def _value(name: str, value: Any, currency: str) -> str:
    from adlab.core.money import format_money, meta_offset

    if value is None:
        return "–"
    if name.endswith("_minor"):
        return format_money(Decimal(value) / meta_offset(currency), currency)
    return str(value)


def _record(done: Applied) -> dict[str, Any]:
    return {
        "change": done.change_id, "state": done.state, "kind": done.kind,
        "object": str(done.object_id), "before": _words(done.before), "after": _words(done.after),
        "made": None if done.made_id is None else str(done.made_id),
        "difference": _words(done.difference), "remarks": list(done.remarks), "error": done.error,
        "not_before": done.not_before, "can_undo": done.can_undo,
    }  # fmt: skip


def _words(fields: dict[str, Any] | None) -> str | None:
    return None if not fields else json_module.dumps(fields, ensure_ascii=False)


def _show(done: Applied, as_json: bool) -> None:
    record = _record(done)
    if as_json:
        output.document(record)
    else:
        output.rows([record], _COLUMNS, False)
    if done.state == "waiting":
        output.say(f"Four budgets an hour are used up; the worker sends it at "
                   f"{done.not_before:%H:%M} UTC.")  # fmt: skip
    elif done.state == "verified":
        output.say(f"Done and read back. To take it back: adlab change undo {done.change_id}"
                   if done.can_undo else "Done and read back.")  # fmt: skip
    else:
        why = done.error or _words(done.difference) or ""
        output.problem(f"Change {done.change_id} is {done.state}: {why} See: adlab change recover")
        raise typer.Exit(1)


@app.command("list")
def list_(
    client: Annotated[str | None, typer.Option(help="Only this client's.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account's, act_….")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    json: output.Json = False,
) -> None:
    """List changes, newest first: what was wanted, what became of it, who and why.

    Example: adlab change list --client acme-eu
    """
    from adlab import runtime
    from adlab.services.changes import list_changes

    entries = list_changes(runtime.build().writes, client, account, limit=limit)
    output.rows(
        [
            {
                "change": e.change_id, "planned_at": e.planned_at, "client": e.slug,
                "account": f"act_{e.account_id}", "kind": e.kind, "object": str(e.object_id),
                "state": e.state, "before": _words(e.before), "wanted": _words(e.wanted),
                "after": _words(e.after), "made": None if e.made_id is None else str(e.made_id),
                "actor": e.actor, "reason": e.reason, "undoes": e.undoes,
                "not_before": e.not_before, "remarks": list(e.remarks), "error": e.error,
            }
            for e in entries
        ],
        ["change", "planned_at", "client", "kind", "object", "state", "wanted", "actor", "reason"],
        json,
    )  # fmt: skip


@app.command()
def undo(
    change_id: Annotated[int, typer.Argument(help="Number of the change, from adlab change list.")],
    reason: Reason = None,
    yes: Yes = False,
    json: output.Json = False,
) -> None:
    """Take a change back; refused when somebody changed the object since.

    Example: adlab change undo 12 --reason "wrong ad set"
    """
    from adlab import runtime
    from adlab.services.changes import undo as take_back

    parts = runtime.build().writes
    if not yes:
        typer.confirm(f"Take change {change_id} back?", abort=True, err=True)
    _show(take_back(parts, change_id, actor=_me(), reason=reason), json)


@app.command()
def recover(json: output.Json = False) -> None:
    """Settle changes that were interrupted by reading what is at Meta, and send what waited.

    Example: adlab change recover
    """
    from adlab import runtime
    from adlab.services.changes_recover import apply_waiting
    from adlab.services.changes_recover import recover as settle

    parts = runtime.build().writes
    _show_settled([settle(parts), apply_waiting(parts)], json)


def _show_settled(turns: list[Settled], as_json: bool) -> None:
    output.rows([_record(c) for t in turns for c in t.changes], _COLUMNS, as_json)
    busy = [n for t in turns for n in t.busy]
    if busy:
        output.say(f"Still open, being worked on or too young to be judged: "
                   f"{', '.join(map(str, busy))}")  # fmt: skip
    failures = [f for t in turns for f in t.failures]
    for number, why in failures:
        output.problem(f"Change {number}: {why}")
    if failures:
        raise typer.Exit(1)
