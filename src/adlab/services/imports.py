"""Import files: read, check, store as a whole, take back as a whole.

A file is one transaction. The same file again changes nothing; a changed file of the same name
replaces its own rows; rows that are in the store already, from another file or synced from Meta,
are refused, so that no delivery is counted twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from adlab.core.entities import Level, imported_id, public_id
from adlab.core.errors import ConflictError, ImportRejectedError, UnknownObjectError
from adlab.core.periods import DateRange, check_timezone, months_back, today_in
from adlab.exports.currency import choose_currency
from adlab.exports.layout import Layout, read_layout
from adlab.exports.mapping import Mapping, load_mapping
from adlab.exports.objects import FileObjects
from adlab.exports.problems import Problem
from adlab.exports.rejects import Rejects
from adlab.exports.rows import Findings, read_rows
from adlab.storage import audit, imports
from adlab.storage.clients import ClientRow, load_client
from adlab.storage.engine import transaction
from adlab.storage.objects import store_objects
from adlab.storage.timescale import RETENTION_YEARS

log = logging.getLogger(__name__)

Tell = Callable[[int, dict[str, Any]], object]


@dataclass(frozen=True)
class ImportRequest:
    """What to import.

    Attributes:
        file: CSV or XLSX.
        client: Slug of the client.
        mapping: YAML file that says how to read it; None for an Ads Manager export.
        currency: Of the amounts; else the mapping's, the headers', the client's.
        timezone: Whose days they are; else the mapping's, the client's, UTC.
        level: Level of the rows; else the mapping's, or the deepest the columns allow.
        skip_bad: Leave bad rows out instead of refusing the file.
        dry_run: Do everything, and keep nothing.
    """

    file: Path
    client: str
    mapping: Path | None = None
    currency: str | None = None
    timezone: str | None = None
    level: Level | None = None
    skip_bad: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or would do.

    Attributes:
        status: `imported`, `already imported` or `would import`.
        import_id: Its number, for undoing; None for a dry run.
        account_id: Public id of the account the rows live in.
        read: Good rows of the file.
        rows: Rows stored: one an object and day.
        totals: Exact sums; money in micro units.
        currency_from: Where the currency was found: flag, mapping, file or client.
        timezone_from: Likewise; `default` is UTC.
        problems: Bad rows that were left out.
        notices: What a person should know.
    """

    status: str
    file: str
    client: str
    import_id: int | None
    account_id: str
    level: str
    read: int
    rows: int
    objects: int
    since: date | None
    until: date | None
    days: int
    currency: str
    currency_from: str
    timezone: str
    timezone_from: str
    totals: dict[str, int | float | None]
    bad_rows: int = 0
    problems: tuple[Problem, ...] = ()
    rejects: Path | None = None
    replaced: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class UndoReport:
    """What taking an import back removed."""

    import_id: int
    client: str
    file: str
    rows: int
    since: date
    until: date


class _Kept(Exception):
    """Carries the report out of a transaction that must not be kept."""

    def __init__(self, report: ImportReport) -> None:
        self.report = report


def import_file(
    engine: Engine,
    request: ImportRequest,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    tell: Tell = lambda client_id, event: None,
) -> ImportReport:
    """Bring a file into the store.

    Args:
        engine: The owner's engine.
        request: What to import, and how to read it.
        now: Current aware time.
        tell: Tells open pages that a client's data changed; called after the commit.

    Raises:
        ImportRejectedError: If the file cannot be read, has bad rows (in `problems`), or holds
            what the store has already. Nothing is stored then.
        UnknownObjectError: If there is no such client.
        ValueError: If currency or timezone is malformed.
    """
    mapping = load_mapping(request.mapping) if request.mapping else Mapping()
    layout = read_layout(request.file, mapping, request.level)
    with Rejects(request.file, layout.headers, layout.table.delimiter) as rejects:
        work = _Import(request, mapping, layout, rejects, now())
        try:
            with transaction(engine) as connection:
                report = work.run(connection)
                if report.bad_rows and report.status == "imported":
                    # Reason: inside the transaction, so that rows left out are never lost.
                    report = replace(report, rejects=rejects.save())
                if request.dry_run:
                    raise _Kept(report)
        except _Kept as kept:
            return kept.report
    if report.status == "imported":
        span = {"since": str(report.since), "until": str(report.until)}
        tell(work.client.client_id, {"kind": "insights", "level": report.level, **span})
    log.info("file_imported status=%s rows=%s client=%s", report.status, report.rows, report.client)
    return report


class _Import:
    """One import inside its transaction."""

    client: ClientRow

    def __init__(
        self,
        request: ImportRequest,
        mapping: Mapping,
        layout: Layout,
        rejects: Rejects,
        at: datetime,
    ) -> None:
        self.request, self.mapping, self.layout = request, mapping, layout
        self.rejects, self.at = rejects, at
        self.name = request.file.name
        self.findings = Findings()

    def run(self, connection: Connection) -> ImportReport:
        """Stage, check, store."""
        self.client = load_client(connection, self.request.client)
        self.currency, self.currency_from = choose_currency(
            self.request.currency, self.mapping, self.layout, self.client.currency
        )
        self.timezone, self.timezone_from = _timezone(self.request, self.mapping, self.client)
        self.account_id = imported_id(
            "account", self.client.client_id, self.currency, self.timezone
        )
        self.objects = FileObjects(self.account_id, self.layout.level)
        imports.lock(connection, self.client.client_id)
        fingerprint = self.layout.fingerprint()
        if (same := self._same(connection, fingerprint)) is not None:
            return same
        replaced = self._replace(connection)
        facts = imports.stage(connection, self._staged())
        self._refuse_bad(facts)
        self._refuse_doubles(connection)
        imports.store_imported_account(
            connection, self.client.client_id, self.account_id, self.currency, self.timezone
        )
        store_objects(
            connection, self.client.client_id, self.account_id, self.objects.found.values()
        )
        # Reason: a dry run stops short of the last step, which would only use up a number.
        import_id = None if self.request.dry_run else self._store(connection, facts, replaced)
        notices = self._notices(connection, facts, replaced)
        status = "would import" if import_id is None else "imported"
        return self._report(status, import_id, facts, replaced, notices)

    def _store(
        self,
        connection: Connection,
        facts: imports.StagedFacts,
        replaced: list[dict[str, Any]],
    ) -> int:
        import_id = imports.store_file(
            connection,
            client_id=self.client.client_id,
            account_id=self.account_id,
            level=self.layout.level,
            file_name=self.name,
            sha256=self.layout.table.sha256,
            mapping=self.layout.fingerprint(),
            facts=facts,
            bad_rows=self.findings.bad,
            fetched_at=self.at,
        )
        audit.record(
            connection,
            "import.file",
            client_id=self.client.client_id,
            import_id=import_id,
            file=self.name,
            rows=facts.rows,
            bad_rows=self.findings.bad,
            replaced=[r["import_id"] for r in replaced],
        )
        for account_id in {r["account_id"] for r in replaced}:
            imports.prune_objects(connection, account_id)
        return import_id

    def _same(self, connection: Connection, fingerprint: dict[str, Any]) -> ImportReport | None:
        """The report for a file that is in the store as it stands."""
        for found in imports.load_same_content(
            connection, self.client.client_id, self.layout.table.sha256, fingerprint
        ):
            if found["same_mapping"] and found["account_id"] == self.account_id:
                return ImportReport(
                    "already imported", self.name, self.client.slug, found["import_id"],
                    public_id(self.account_id), self.layout.level.word, found["rows"],
                    found["rows"], 0, found["since"], found["until"], 0, self.currency,
                    self.currency_from, self.timezone, self.timezone_from, {},
                    notices=(
                        f"This file is import {found['import_id']} ({found['file_name']}) "
                        "already; nothing was changed.",
                    ),
                )  # fmt: skip
            if found["file_name"] != self.name:
                raise ImportRejectedError(
                    f"The same content is in the store as import {found['import_id']} "
                    f"({found['file_name']}), read differently.",
                    f"Take that one back first: adlab import undo {found['import_id']}",
                )
        return None

    def _replace(self, connection: Connection) -> list[dict[str, Any]]:
        earlier = imports.load_earlier(connection, self.client.client_id, self.name)
        for found in earlier:
            imports.remove_file(connection, found, self.client.client_id)
        return earlier

    def _staged(self) -> Iterator[imports.StagedRow]:
        today = today_in(self.timezone, self.at)
        oldest = months_back(today, RETENTION_YEARS * 12) + timedelta(days=1)
        reject = self.rejects.add if self.request.skip_bad else lambda cells, line, reason: None
        for row in read_rows(self.layout, self.currency, oldest, today, self.findings, reject):
            if self.findings.bad and not self.request.skip_bad:
                # Reason: the file is refused anyway; only its remaining problems are of interest.
                continue
            object_id, campaign_id, ad_set_id = self.objects.place(row)
            yield (
                row.day.isoformat(), object_id, campaign_id, ad_set_id, row.account_id, row.digest,
                *row.values,
            )  # fmt: skip

    def _refuse_bad(self, facts: imports.StagedFacts) -> None:
        found = self.findings
        if found.bad and not self.request.skip_bad:
            total = found.good + found.bad
            raise ImportRejectedError(
                f"{found.bad} of {total} rows of {self.name} cannot be read; nothing was stored.",
                "Correct them, or leave them out with --skip-bad.", tuple(found.problems),
            )  # fmt: skip
        if facts.rows == 0:
            raise ImportRejectedError(
                f"None of the {found.bad} rows of {self.name} can be read; nothing was stored.",
                "Check the mapping against the file.", tuple(found.problems),
            )  # fmt: skip

    def _refuse_doubles(self, connection: Connection) -> None:
        for found in imports.load_taken(connection, self.account_id, self.layout.level):
            raise ImportRejectedError(
                f"{found['rows']} rows of {self.name} ({found['since']} to {found['until']}) are "
                f"in the store already, from {found['file_name']} (import {found['import_id']}); "
                "importing them again would count them twice.",
                f"Take the other one back first: adlab import undo {found['import_id']}",
            )
        for found in imports.load_synced(connection):
            raise ImportRejectedError(
                f"{self.name} holds objects of account act_{found['account_id']} (client "
                f"{found['client']!r}), which is synced from Meta for {found['days']} of the same "
                f"days ({found['since']} to {found['until']}); importing would count them twice.",
                "To compare the file with the store: adlab match FILE --client "
                f"{found['client']}. To import, export only days that are not synced.",
            )

    def _notices(
        self, connection: Connection, facts: imports.StagedFacts, replaced: list[dict[str, Any]]
    ) -> list[str]:
        out = []
        if self.layout.totals:
            lines = ", ".join(map(str, self.layout.totals))
            out.append(f"Line {lines} is a total of the other rows and was skipped.")
        if facts.added:
            out.append(
                f"{facts.added} rows share object and day with another row (a breakdown) and were "
                "added up; reach is unknown there."
            )
        if facts.repeated:
            out.append(
                f"{facts.repeated} rows equal another one in every cell and were added as well; "
                "check that the file does not hold them twice."
            )
        assert facts.since is not None
        assert facts.until is not None
        period = DateRange(facts.since, facts.until)
        for old in replaced:
            out.append(
                f"Import {old['import_id']}, an earlier content of {self.name}, was replaced: "
                f"{old['rows']} rows."
            )
            if old["since"] < period.since or old["until"] > period.until:
                out.append(
                    f"It held {old['since']} to {old['until']}, more days than this one; what is "
                    "not in the new file is gone. Files of different days need different names."
                )
        same = imports.load_same_names(
            connection, self.client.client_id, self.account_id, self.layout.level, period
        )
        if same:
            out.append(
                f"{', '.join(same)}: synced from Meta in these days under the same name. If they "
                "are the same, they count twice now: undo this import."
            )
        return out

    def _report(
        self,
        status: str,
        import_id: int | None,
        facts: imports.StagedFacts,
        replaced: list[dict[str, Any]],
        notices: list[str],
    ) -> ImportReport:
        found = self.findings
        return ImportReport(
            status=status,
            file=self.name,
            client=self.client.slug,
            import_id=import_id,
            account_id=public_id(self.account_id),
            level=self.layout.level.word,
            read=found.good,
            rows=facts.rows,
            objects=facts.objects,
            since=facts.since,
            until=facts.until,
            days=facts.days,
            currency=self.currency,
            currency_from=self.currency_from,
            timezone=self.timezone,
            timezone_from=self.timezone_from,
            totals=facts.totals,
            bad_rows=found.bad,
            problems=tuple(found.problems),
            rejects=self.rejects.target if found.bad else None,
            replaced=tuple(r["import_id"] for r in replaced),
            notices=tuple(notices),
        )


def _timezone(request: ImportRequest, mapping: Mapping, client: ClientRow) -> tuple[str, str]:
    if request.timezone:
        return check_timezone(request.timezone), "flag"
    if mapping.timezone:
        return mapping.timezone, "mapping"
    if client.timezone:
        return client.timezone, "client"
    return "UTC", "default"


def list_imports(engine: Engine, client: str | None = None) -> list[dict[str, Any]]:
    """Imports, newest first: import_id, client, file, level, days, rows, currency, state."""
    with transaction(engine) as connection:
        client_id = load_client(connection, client).client_id if client else None
        rows = imports.load_imports(connection, client_id)
    return [
        {
            "import_id": r["import_id"],
            "client": r["client"],
            "file": r["file_name"],
            "level": Level(r["level"]).word,
            "since": r["since"],
            "until": r["until"],
            "rows": r["rows"],
            "bad_rows": r["bad_rows"],
            "currency": r["currency"],
            "timezone": r["timezone"],
            "imported_at": r["imported_at"],
            "state": "undone" if r["undone_at"] else "live",
        }
        for r in rows
    ]


def undo_import(
    engine: Engine, import_id: int, *, tell: Tell = lambda client_id, event: None
) -> UndoReport:
    """Take an import back: exactly its rows go.

    Raises:
        UnknownObjectError: If there is no such import.
        ConflictError: If it was taken back, or replaced, before.
    """
    with transaction(engine) as connection:
        found = imports.load_import(connection, import_id)
        if found is None:
            raise UnknownObjectError(
                f"There is no import {import_id}.", "See the numbers: adlab import list"
            )
        imports.lock(connection, found["client_id"])
        # Reason: read again behind the lock, or two undos at once would both succeed.
        found = imports.load_import(connection, import_id) or found
        if found["undone_at"] is not None:
            raise ConflictError(
                f"Import {import_id} ({found['file_name']}) was undone or replaced on "
                f"{found['undone_at']:%Y-%m-%d %H:%M} UTC; none of its rows is left.",
                "Nothing needs doing.",
            )
        gone = imports.remove_file(connection, found, found["client_id"])
        imports.prune_objects(connection, found["account_id"])
        audit.record(
            connection, "import.undo", client_id=found["client_id"], import_id=import_id, rows=gone
        )
    level = Level(found["level"]).word
    tell(
        found["client_id"],
        {
            "kind": "insights",
            "level": level,
            "since": str(found["since"]),
            "until": str(found["until"]),
        },
    )
    return UndoReport(
        import_id, found["client"], found["file_name"], gone, found["since"], found["until"]
    )
