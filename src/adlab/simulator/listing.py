"""Pages and fields of objects that are plain rows: audiences, pixels, studies, rules, labels."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from adlab.simulator.errors import bad_cursor, invalid_parameter
from adlab.simulator.expansion import Wanted, parse_fields
from adlab.simulator.wire import GraphRequest, read_cursor, write_cursor

Row = dict[str, Any]


def project(row: Row, wanted: tuple[Wanted, ...], known: Collection[str], kind: str) -> Row:
    """Give the wanted fields of a row, always with its id; without any, only the id.

    Raises:
        GraphError: If a field does not exist.
    """
    found: Row = {}
    for item in wanted or (Wanted("id"),):
        if item.name not in known:
            raise invalid_parameter(
                f"Tried accessing nonexisting field ({item.name}) on node type ({kind})"
            )
        value = row.get(item.name)
        if value is None:
            continue
        if item.children and isinstance(value, dict):
            names = {child.name for child in item.children}
            value = {name: inner for name, inner in value.items() if name in names}
        found[item.name] = value
    if "id" in row:
        found.setdefault("id", row["id"])
    return found


def page_of(
    rows: list[Row],
    request: GraphRequest,
    known: Collection[str],
    kind: str,
    *,
    default: str = "id",
) -> Row:
    """Give a page of an edge, with cursors and, when asked, the total count.

    Raises:
        GraphError: If a field or a cursor is wrong.
    """
    wanted = parse_fields(request.params.get("fields") or default)
    for item in wanted:
        project({}, (item,), known, kind)
    limit = min(max(request.integer("limit", 25), 1), 5000)
    names = [str(row.get("id", place)) for place, row in enumerate(rows)]
    start = 0
    cursor = request.params.get("after")
    if cursor:
        named, last = read_cursor(cursor, 2)
        if named != kind or last not in names:
            raise bad_cursor()
        start = names.index(last) + 1
    chosen = rows[start : start + limit]
    answer: Row = {"data": [project(row, wanted, known, kind) for row in chosen]}
    if chosen:
        after = write_cursor((kind, names[start + len(chosen) - 1]))
        answer["paging"] = {
            "cursors": {"before": write_cursor((kind, names[start])), "after": after}
        }
        if start + limit < len(rows):
            answer["paging"]["next"] = request.page_url(after)
    if request.flag("summary") or request.params.get("summary") == "total_count":
        answer["summary"] = {"total_count": len(rows)}
    return answer
