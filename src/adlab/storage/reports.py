"""The archive of published reports, and the short-lived logins that write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from adlab.core.errors import StorageError, UnknownObjectError
from adlab.storage.statements import statement
from adlab.storage.tenancy import Reader


def store_report(connection: Connection, **values: Any) -> int:
    """Add a report to the archive; earlier ones of the same client and month stay.

    Args:
        connection: An operator's transaction.
        **values: client_id, template, period, since, until, title, as_of, sha256, pages, pdf.

    Returns:
        Its number.
    """
    report_id: int | None = connection.scalar(statement("report_insert"), values)
    if report_id is None:
        raise StorageError("The report was not stored.", "Run adlab doctor for a check.")
    return report_id


def all_reports(connection: Connection, client_id: int | None = None) -> list[dict[str, Any]]:
    """Every published report (of one client), newest first, for operators; without the files."""
    rows = connection.execute(statement("report_list"), {"client_id": client_id}).mappings()
    return [dict(r) for r in rows]


def load_reports(reader: Reader, client_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Published reports a reader may see, newest first.

    Returns:
        report_id, client_id, template, period, since, until, title, as_of, rendered_at, sha256,
        pages, bytes; never the file.
    """
    return reader.rows("read_reports", client_ids=list(client_ids))


def load_report_file(reader: Reader, report_id: int) -> tuple[str, bytes]:
    """File name and PDF of a published report; that it was taken is written down.

    Raises:
        UnknownObjectError: If there is none that this reader may see; both read the same.
    """
    rows = reader.rows("read_report_file", report_id=report_id)
    if not rows:
        raise UnknownObjectError(
            f"There is no report {report_id} that you may see.",
            "Look again in the list of reports.",
        )
    reader.note("report.view", [rows[0]["slug"]], report_id=report_id)
    return rows[0]["file_name"], bytes(rows[0]["pdf"])


def lock_writer(connection: Connection, client_id: int) -> None:
    """Wait until nobody else makes this client's report writer."""
    connection.execute(statement("report_writer_lock"), {"client_id": client_id})


def granted_clients(connection: Connection, person_id: int) -> list[str]:
    """Slugs of the clients whose data a person is granted now."""
    return list(connection.scalars(statement("report_writer_clients"), {"person_id": person_id}))
