"""Compare an Ads Manager export with the store, and name every difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from adlab.core.entities import Level, parse_account_id
from adlab.core.errors import ImportRejectedError, MixedCurrencyError, UnknownObjectError
from adlab.core.money import from_micro
from adlab.core.periods import DateRange
from adlab.exports.currency import choose_currency
from adlab.exports.headers import METRICS
from adlab.exports.layout import Layout, object_fields, read_layout
from adlab.exports.mapping import Mapping, load_mapping
from adlab.exports.rows import FileRow, Findings, read_rows
from adlab.storage import imports
from adlab.storage.clients import load_client
from adlab.storage.engine import transaction
from adlab.storage.objects import load_accounts

_PLACES = tuple(METRICS.index(m) for m in imports.MATCHED)
_MONEY = ("spend", "revenue")
_ROUNDED = ("purchases", "revenue")

Kind = Literal["differs", "only in file", "only in store"]


@dataclass(frozen=True)
class Difference:
    """One value that is not the same on both sides.

    Attributes:
        kind: Whether object and day are on both sides.
        object: Name of the object.
        object_id: Meta's id; None when matched by name.
        day: Day of the account's timezone.
        metric: Which metric.
        file: Value in the file; None when missing. Money in major units, exact.
        store: Value in the store; None when missing.
        difference: File minus store, a missing value counted as zero.
    """

    kind: Kind
    object: str
    object_id: str | None
    day: date
    metric: str
    file: Decimal | int | float | None
    store: Decimal | int | float | None
    difference: Decimal | int | float


@dataclass(frozen=True)
class MatchReport:
    """The comparison.

    Attributes:
        compared: Objects x days in the file.
        differing: Objects x days on both sides with another value.
        only_in_file: Objects x days that only the file has.
        only_in_store: Objects x days that only the store has.
        by: Whether objects were matched by `id` or `name`.
        accounts: Meta's accounts compared with.
    """

    file: str
    client: str
    level: str
    since: date
    until: date
    currency: str
    metrics: tuple[str, ...]
    by: str
    accounts: tuple[str, ...]
    compared: int
    differing: int
    only_in_file: int
    only_in_store: int
    differences: tuple[Difference, ...]
    notices: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether file and store say the same."""
        return not self.differences

    def summary(self) -> str:
        """One line for people."""
        same = self.compared - self.differing - self.only_in_file
        scope = f"{self.level}, {self.since} to {self.until}, {', '.join(self.metrics)}"
        return (
            f"{self.file} against {', '.join(self.accounts)} ({scope}): {same} rows equal, "
            f"{self.differing} differ, {self.only_in_file} only in the file, "
            f"{self.only_in_store} only in the store."
        )


def match_file(
    engine: Engine,
    file: Path,
    client: str,
    mapping: Path | None = None,
    account: str | None = None,
) -> MatchReport:
    """Compare a file with what was synced from Meta.

    Args:
        engine: The owner's engine; nothing is changed.
        file: CSV or XLSX, read as by an import.
        client: Slug of the client.
        mapping: How to read it; None for an Ads Manager export.
        account: Only this account; else the client's accounts that have the file's objects.

    Raises:
        ImportRejectedError: If the file cannot be read, or has nothing to compare.
        UnknownObjectError: If the client or account does not exist.
        MixedCurrencyError: If the file is in another currency than the account.
    """
    said = load_mapping(mapping) if mapping else Mapping()
    layout = read_layout(file, said)
    metrics = tuple(m for m in imports.MATCHED if m in layout.columns)
    if not metrics:
        raise ImportRejectedError(
            f"{file.name} has none of the metrics that are compared.",
            f"They are {', '.join(imports.MATCHED)}.",
        )
    with transaction(engine) as connection:
        tenant = load_client(connection, client)
        chosen = _accounts(connection, tenant.client_id, client, account)
        currency, chosen = _currency(said, layout, chosen)
        keys = _Keys(layout, [a["account_id"] for a in chosen])
        findings = Findings()
        rows = read_rows(layout, currency, date.min, date.max, findings)
        facts = imports.stage_match(connection, (keys(row) for row in rows))
        if findings.bad:
            raise ImportRejectedError(
                f"{findings.bad} rows of {file.name} cannot be read; nothing was compared.",
                "Correct them, or say in a mapping how to read them.", tuple(findings.problems),
            )  # fmt: skip
        period = DateRange(facts["since"], facts["until"])
        ids = [a["account_id"] for a in chosen]
        if layout.level is not Level.ACCOUNT:
            ids = imports.load_matching_accounts(connection, ids, layout.level, keys.by_id) or ids
        notices = []
        if not imports.count_rows(connection, ids, layout.level, period):
            notices.append(
                f"The store has no rows at level {layout.level.word} in these days. Sync them: "
                f"adlab sync --client {client} --since {period.since} --levels {layout.level.word}"
            )
        found = imports.load_differences(
            connection, ids, layout.level, period, by_id=keys.by_id, parents=keys.parents,
            metrics=metrics,
        )  # fmt: skip
    differences = [d for row in found for d in _differences(row, metrics, keys.by_id)]
    both = sum(1 for r in found if r["in_file"] and r["in_store"])
    return MatchReport(
        file=file.name,
        client=client,
        level=layout.level.word,
        since=period.since,
        until=period.until,
        currency=currency,
        metrics=metrics,
        by="id" if keys.by_id else "name",
        accounts=tuple(f"act_{i}" for i in ids),
        compared=facts["rows"],
        differing=both,
        only_in_file=sum(1 for r in found if not r["in_store"]),
        only_in_store=sum(1 for r in found if not r["in_file"]),
        differences=tuple(differences),
        notices=tuple(notices),
    )


def _accounts(
    connection: Connection, client_id: int, client: str, account: str | None
) -> list[dict[str, Any]]:
    wanted = parse_account_id(account) if account else None
    found = load_accounts(connection, client_id, wanted)
    if not found:
        what = f"Account act_{wanted} is" if wanted else "No account is"
        raise UnknownObjectError(
            f"{what} not connected for client {client!r}." if wanted
            else f"{what} connected for client {client!r}, so there is nothing to compare with.",
            "See what is: adlab account list",
        )  # fmt: skip
    return found


def _currency(
    said: Mapping, layout: Layout, accounts: list[dict[str, Any]]
) -> tuple[str, list[dict[str, Any]]]:
    """The file's currency, and the accounts that have it."""
    theirs = sorted({a["currency"] for a in accounts})
    fallback = theirs[0] if len(theirs) == 1 else None
    money = any(m in layout.columns for m in _MONEY)
    if not money:
        return fallback or theirs[0], accounts
    currency, _ = choose_currency(None, said, layout, fallback)
    same = [a for a in accounts if a["currency"] == currency]
    if not same:
        raise MixedCurrencyError(
            f"{layout.table.path.name} is in {currency}, and the store has {', '.join(theirs)}.",
            "Export it from the account you compare with, in that account's currency.",
        )
    return currency, same


class _Keys:
    """Turns rows of the file into staged rows with the key they are matched by."""

    def __init__(self, layout: Layout, account_ids: list[int]) -> None:
        fields = object_fields(layout.level)
        self._account: int | None = None
        self._place = 0
        self.parents = (False, False)
        if fields is None:
            self.by_id = True
            if "account_id" not in layout.columns:
                if len(account_ids) != 1:
                    raise UnknownObjectError(
                        "The file names no account, and the client has several.",
                        "Say which: --account act_…",
                    )
                self._account = account_ids[0]
            return
        self._place = int(layout.level) - int(Level.CAMPAIGN)
        self.by_id = fields[1] in layout.columns
        columns = layout.columns
        self.parents = (
            self._place > 0 and "campaign_name" in columns and not self.by_id,
            self._place > 1 and "adset_name" in columns and not self.by_id,
        )
        self._level = layout.level.word

    def __call__(self, row: FileRow) -> tuple[Any, ...]:
        values = [row.values[p] for p in _PLACES]
        if self._account is not None:
            key = name = str(self._account)
        elif self.parents == (False, False) and not any((*row.names, *row.ids)):
            key = name = str(row.account_id)
        elif self.by_id:
            number = row.ids[self._place]
            if number is None:
                raise ImportRejectedError(
                    f"Line {row.line} has no {self._level} id, and rows are matched by id.",
                    "Fill it in, or leave the id column out to match by name.",
                )
            key, name = str(number), row.names[self._place] or str(number)
        else:
            name = row.names[self._place] or ""
            above = [row.names[i] or "" for i, used in enumerate(self.parents) if used]
            key = " / ".join([*above, name])
        return (key, name if self.by_id else key, name, row.day, *values)


def _differences(
    row: dict[str, Any], metrics: tuple[str, ...], by_id: bool
) -> Iterator[Difference]:
    kind: Kind = "differs"
    if not (row["in_file"] and row["in_store"]):
        kind = "only in file" if row["in_file"] else "only in store"
    for metric in metrics:
        ours, theirs = row[f"file_{metric}"], row[f"store_{metric}"]
        gap = (ours or 0) - (theirs or 0)
        slack = 0.005 * row["parts"] * (1_000_000 if metric == "revenue" else 1)
        if abs(gap) <= (slack + 1e-9 if metric in _ROUNDED else 0):
            continue
        if metric == "reach" and row["parts"] > 1:
            continue
        if metric in _MONEY:
            ours, theirs = (None if v is None else from_micro(v) for v in (ours, theirs))
            gap = from_micro(gap)
        yield Difference(
            kind,
            row["label"],
            row["key"] if by_id else None,
            row["date"],
            metric,
            ours,
            theirs,
            gap,
        )
