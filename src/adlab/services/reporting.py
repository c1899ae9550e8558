"""Render a client's report: a login of its own, a notebook run, a PDF, and perhaps the archive.

A report is written by a person of its own, `report writer (<slug>)`, who sees that one client and
nothing else. So whatever a notebook does, no number of another client can be on its paper.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from adlab.core.errors import ConflictError, DataError, TenantError, UnknownObjectError
from adlab.core.periods import DateRange, today_in
from adlab.core.roles import Role
from adlab.reports.catalog import Report, find_notebooks, find_report
from adlab.reports.glyphs import advice, undrawable
from adlab.reports.pdf import compile_pdf, page_count
from adlab.reports.render import TIME_LIMIT, run_notebook
from adlab.storage import access, audit, reports
from adlab.storage.clients import ClientRow, load_client
from adlab.storage.engine import libpq_url, transaction
from adlab.storage.tenancy import LoginReader, Reader

LOGIN_HOURS = 1.0
_MONTH = re.compile(r"^(\d{4})-(\d{2})$")


@dataclass(frozen=True)
class ReportRequest:
    """What to render.

    Attributes:
        template: Name of the report.
        client: Slug of the client.
        period: `2026-10` or `last_month`.
        pair: Two campaigns to compare, by id or name, or None.
        out: Where the PDF goes; None: `<slug>_<template>_<month>.pdf` in the current folder.
        publish: Whether to put it into the archive that the client's people can read.
        time_limit: Seconds the notebook may take.
    """

    template: str
    client: str
    period: str = "last_month"
    pair: tuple[str, str] | None = None
    out: Path | None = None
    publish: bool = False
    time_limit: float = TIME_LIMIT


@dataclass(frozen=True)
class Rendered:
    """A finished report.

    Attributes:
        path: Where it is.
        client: Slug.
        template: Name of the report.
        period: The month, such as `2026-10`.
        pages: How many.
        sha256: Of the file.
        as_of: What the numbers are as of (aware UTC).
        report_id: Its number in the archive, when published.
        seconds: What took how long.
        notices: What to know about the file.
    """

    path: Path
    client: str
    template: str
    period: str
    pages: int
    sha256: str
    as_of: datetime
    report_id: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def render_report(
    engine: Engine, request: ReportRequest, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Rendered:
    """Render a report to a PDF.

    Args:
        engine: The owner's engine.
        request: What to render.
        now: Current aware time; the same data and time give the same file, byte for byte.

    Raises:
        UnknownObjectError: If there is no such report or client.
        DataError: If nothing was delivered in that month.
        ReportFailedError: If the notebook fails.
        MissingRendererError: If pandoc, typst or a font is not installed.
        ValueError: If the period is malformed.
    """
    report = find_report(request.template)
    as_of = now().astimezone(UTC).replace(microsecond=0)
    clock = _Clock()
    with transaction(engine) as connection:
        client = load_client(connection, request.client)
    with report_login(engine, client) as url:
        reader = LoginReader(url)
        try:
            period = check_month(reader, client, request.period, as_of)
        finally:
            reader.close()
        month = f"{period.since:%Y-%m}"
        clock.lap("login")
        executed = run_notebook(
            find_notebooks() / report.notebook, _parameters(request, client.slug, month, as_of),
            {"ADLAB_DATABASE__URL": url}, request.time_limit,
        )  # fmt: skip
    clock.lap("notebook")
    pdf, notices = to_pdf(executed, report.notebook, as_of)
    pages = page_count(pdf)
    path = request.out or Path(f"{client.slug}_{report.name}_{month}.pdf")
    write_atomically(path, pdf)
    clock.lap("pdf")
    digest = hashlib.sha256(pdf).hexdigest()
    report_id = None
    if request.publish:
        title = f"{report.title}, {period.since:%B %Y}"
        report_id = _publish(engine, client, report, title, period, as_of, pdf, digest, pages)
        clock.lap("archive")
    return Rendered(
        path, client.slug, report.name, month, pages, digest, as_of, report_id, clock.seconds,
        notices,
    )  # fmt: skip


def _parameters(request: ReportRequest, slug: str, month: str, as_of: datetime) -> dict[str, Any]:
    given: dict[str, Any] = {"client": slug, "period": month, "as_of": as_of.isoformat()}
    if request.pair is not None:
        given |= {"arm_a": request.pair[0], "arm_b": request.pair[1]}
    return given


def to_pdf(
    executed: Mapping[str, Any], name: str, created: datetime
) -> tuple[bytes, tuple[str, ...]]:
    """The PDF of an executed notebook, and what to know about it.

    Args:
        executed: nbformat's JSON.
        name: The notebook's file name.
        created: Aware time for the PDF.
    """
    import nbformat

    from adlab.reports.typst_exporter import TypstExporter

    # Reason: files keep texts as lists of lines; reading joins them.
    node = nbformat.reads(json.dumps(executed), as_version=4)
    source, resources = TypstExporter().from_notebook_node(
        node, {"metadata": {"name": name.removesuffix(".ipynb")}}
    )
    signs = undrawable(resources["adlab_texts"])
    return compile_pdf(source, created), (advice(signs),) if signs else ()


def read_month(text: str, today: date) -> DateRange:
    """The days of a month that are complete.

    Args:
        text: `2026-10` or `last_month`.
        today: The client's current day.

    Raises:
        ValueError: If it is neither, or lies in the future.
        DataError: If the month has no complete day yet.
    """
    key = text.strip().lower().replace("-", "_")
    if key == "last_month":
        until = today.replace(day=1) - timedelta(days=1)
        return DateRange(until.replace(day=1), until)
    match = _MONTH.match(text.strip())
    if match is None or not 1 <= int(match[2]) <= 12 or int(match[1]) < 1:
        raise ValueError(f"--period {text!r} is no month; write 2026-10, or last_month")
    first = date(int(match[1]), int(match[2]), 1)
    if first > today:
        raise ValueError(f"--period {text} lies in the future; today is {today}")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    until = min(last, today - timedelta(days=1))
    if until < first:
        raise DataError(
            f"{text} has no complete day yet.", "Try again tomorrow, or a month before."
        )
    return DateRange(first, until)


def check_month(reader: Reader, client: ClientRow, text: str, now: datetime) -> DateRange:
    """The month's complete days, once it is sure that something was delivered in them.

    Raises:
        DataError: If nothing was; the message names the last month with delivery.
        ValueError: If the text is no month.
    """
    rows = reader.rows("read_accounts", client_ids=[client.client_id])
    zones = [r["timezone"] for r in rows] or [client.timezone or "UTC"]
    period = read_month(text, min(today_in(z, now) for z in zones))
    require_delivery(reader, client.client_id, client.name, period)
    return period


def require_delivery(reader: Reader, client_id: int, name: str, period: DateRange) -> None:
    """Refuse a month in which nothing was delivered.

    Raises:
        DataError: Naming the last month with delivery, if there is one.
    """
    months = [r["month"] for r in reader.rows("read_delivery_months", client_id=client_id)]
    month = f"{period.since:%Y-%m}"
    if month in months:
        return
    raise DataError(
        f"Nothing was delivered for {name} in {month}.",
        f"The last month with delivery is {months[-1]}: --period {months[-1]}" if months
        else "No day of this client is loaded yet: adlab sync, or adlab import.",
    )  # fmt: skip


@contextmanager
def report_login(engine: Engine, client: ClientRow) -> Iterator[str]:
    """A database URL that sees one client, until the end of the block.

    Raises:
        ConflictError: If a person took the writer's name.
        TenantError: If the writer sees anything but that client.
    """
    name = f"report writer ({client.slug})"
    with transaction(engine) as connection:
        _ensure_writer(connection, name, client)
        login, password = access.create_credential(connection, name, LOGIN_HOURS)
    url = libpq_url(engine.url.set(username=login, password=password))
    try:
        reader = LoginReader(url)
        try:
            seen = reader.identity().clients
        finally:
            reader.close()
        if seen != (client.slug,):
            raise TenantError(
                f"{name!r} sees {', '.join(seen) or 'no client'}, and must see {client.slug} only.",
                f"Take away what was granted to {name!r} beside it.",
            )
        yield url
    finally:
        with transaction(engine) as connection:
            access.drop_credential(connection, login)


def _ensure_writer(connection: Any, name: str, client: ClientRow) -> None:
    reports.lock_writer(connection, client.client_id)
    try:
        person = access.load_person(connection, name)
    except UnknownObjectError:
        access.store_person(connection, name, Role.SERVICE, f"report-writer-{client.client_id}")
    else:
        if person["role"] != Role.SERVICE.value or person["all_clients"]:
            raise ConflictError(
                f"A person with the role {person['role']} is named {name!r}.",
                "That name belongs to the service that writes reports; give the person another.",
            )
        if client.slug in reports.granted_clients(connection, person["person_id"]):
            return
    access.grant(connection, name, client.slug, Role.SERVICE, reason="writes reports")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a file of that name is replaced.

    Raises:
        ValueError: If the folder does not exist or cannot be written.
    """
    folder = path.parent
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}-", dir=folder)
    except OSError as error:
        raise ValueError(f"{folder} cannot be written to: {error.strerror}") from None
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        # Reason: mkstemp gives 0600; a report is as readable as any file its owner makes.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        part.replace(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _publish(
    engine: Engine, client: ClientRow, report: Report, title: str, period: DateRange,
    as_of: datetime, pdf: bytes, digest: str, pages: int,
) -> int:  # fmt: skip
    with transaction(engine) as connection:
        report_id = reports.store_report(
            connection, client_id=client.client_id, template=report.name,
            period=f"{period.since:%Y-%m}", since=period.since, until=period.until, title=title,
            as_of=as_of, sha256=digest, pages=pages, pdf=pdf,
        )  # fmt: skip
        audit.record(
            connection, "report.publish", client_id=client.client_id, report_id=report_id,
            template=report.name, period=f"{period.since:%Y-%m}", sha256=digest,
        )  # fmt: skip
    return report_id


def list_reports(engine: Engine, slug: str | None = None) -> list[dict[str, Any]]:
    """Published reports, newest first, without their files.

    Raises:
        UnknownObjectError: If there is no such client.
    """
    with transaction(engine) as connection:
        client_id = load_client(connection, slug).client_id if slug else None
        return reports.all_reports(connection, client_id)


def load_reports(reader: Reader, client_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Published reports this reader may see, newest first, without their files."""
    return reports.load_reports(reader, client_ids)


def load_report_file(reader: Reader, report_id: int) -> tuple[str, bytes]:
    """File name and PDF of a published report.

    Raises:
        UnknownObjectError: If there is none that this reader may see.
    """
    return reports.load_report_file(reader, report_id)


class _Clock:
    """What took how long."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._last, 2)
        self._last = now
