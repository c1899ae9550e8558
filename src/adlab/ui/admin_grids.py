"""Tables of the administration: rows of the store in, cells of words out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import pandas as pd

from adlab.core.roles import ROLES, Right, Role, has_right
from adlab.ui.formats import ago, day
from adlab.ui.who import role_words

Tone = Literal["plain", "good", "warn", "bad", "soft"]

ENDS_SOON = timedelta(days=14)
QUIET_AFTER = timedelta(days=90)
WORKER_GONE = timedelta(minutes=2)
_INSTANT = re.compile(r"\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d):\d\d(?:\.\d+)?(?:\+00:00|Z)")
# What pandas puts where an instant is unknown.
NOTHING = pd.NaT


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: For people.
        tone: How it is shown.
        title: More words, on hover.
    """

    text: str
    tone: Tone = "plain"
    title: str = ""


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        heads: Names of the columns; the first names the row.
        rows: As many cells each.
        empty: What stands there without rows.
        right: Columns of numbers, by place.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str
    right: frozenset[int] = frozenset()


def many(count: int, one: str) -> str:
    """`1 job`, `3 jobs`."""
    return f"{count:,} {one if count == 1 else one + 's'}"


def people_grid(
    people: Sequence[Mapping[str, Any]], grants: Sequence[Mapping[str, Any]], now: datetime
) -> Grid:
    """Everybody with what they are granted."""
    mine: dict[int, list[Mapping[str, Any]]] = {}
    for g in grants:
        mine.setdefault(g["person_id"], []).append(g)
    rows = tuple(
        (
            Cell(p["name"], title=p["username"]),
            Cell(role_words(p["role"]), title=_purpose(p["role"])),
            _granted(p["role"], mine.get(p["person_id"], []), now),
            _active(p["active_at"], now),
            _login(p, now),
        )
        for p in people
    )
    return Grid(("Person", "Role", "Clients", "Last active", "Login"), rows, "Nobody is known.")


def _purpose(role: str) -> str:
    return ROLES[Role(role)].purpose if role in {r.value for r in ROLES} else ""


def _granted(role: str, grants: Sequence[Mapping[str, Any]], now: datetime) -> Cell:
    if any(g["implied"] for g in grants) or has_right(role, Right.SEE_ALL_CLIENTS):
        return Cell("all", "soft")
    standing = [g for g in grants if g["expires_at"] is None or g["expires_at"] > now]
    if not standing:
        return Cell("none", "soft")
    told = [
        f"{g['client_name']}: {role_words(g['role'])}{_until(g['expires_at'])}"
        f"{', break-glass' if g['break_glass'] else ''}" for g in standing
    ]  # fmt: skip
    names = ", ".join(g["client_name"] for g in standing[:3])
    more = f" and {len(standing) - 3} more" if len(standing) > 3 else ""
    tone: Tone = "warn" if any(g["break_glass"] for g in standing) else "plain"
    return Cell(names + more, tone, "\n".join(told))


def _until(end: datetime | None) -> str:
    return f" until {day(end.date(), year=True)}" if end is not None else ""


def _active(at: datetime | None, now: datetime) -> Cell:
    if at is None:
        return Cell("never", "soft")
    return Cell(
        ago(at, now), "warn" if now - at > QUIET_AFTER else "plain", f"{at:%Y-%m-%d %H:%M} UTC"
    )


def _login(person: Mapping[str, Any], now: datetime) -> Cell:
    if person["disabled_at"] is not None:
        return Cell("disabled", "soft", f"since {day(person['disabled_at'].date(), year=True)}")
    if person["locked_until"] is not None:
        return Cell("locked", "warn", f"until {person['locked_until']:%H:%M} UTC")
    open_ = person["notebook_logins"]
    words = "password" if person["has_password"] else "no password"
    return Cell(f"{words}, {many(open_, 'notebook login')}" if open_ else words,
                "plain" if person["has_password"] else "soft")  # fmt: skip


def grants_grid(
    people: Sequence[Mapping[str, Any]], grants: Sequence[Mapping[str, Any]], now: datetime
) -> Grid:
    """Every grant somebody gave, for the access review: what ends next comes first."""
    names = {p["person_id"]: p["name"] for p in people}
    given = [g for g in grants if not g["implied"]]
    far = now + timedelta(days=36_500)
    given.sort(key=lambda g: (g["expires_at"] or far, g["client_name"].casefold()))
    rows = tuple(
        (
            Cell(names.get(g["person_id"], "–")),
            Cell(g["client_name"], title=g["slug"]),
            Cell(role_words(g["role"])),
            _ends(g, now),
            Cell(g["granted_by"], title=f"{g['granted_at']:%Y-%m-%d %H:%M} UTC"),
            Cell(g["reason"], "soft" if g["reason"] == "none given" else "plain"),
        )
        for g in given
    )
    return Grid(("Person", "Client", "As", "Ends", "Given by", "Reason"), rows,
                "Nobody was granted a client by name.")  # fmt: skip


def _ends(grant: Mapping[str, Any], now: datetime) -> Cell:
    end = grant["expires_at"]
    if end is None:
        return Cell("no end", "soft")
    words = f"{day(end.date(), year=True)}{', break-glass' if grant['break_glass'] else ''}"
    if end <= now:
        return Cell(f"ended {words}", "soft")
    soon = grant["break_glass"] or end - now < ENDS_SOON
    return Cell(words, "warn" if soon else "plain", f"{end:%Y-%m-%d %H:%M} UTC")


def connections_grid(rows: Sequence[Mapping[str, Any]], now: datetime) -> Grid:
    """Every connection with the age of its token."""
    found = tuple(
        (
            Cell(r["client_name"], title=r["slug"]),
            connection_words(r),
            Cell(
                (r["token_type"] or "unknown").replace("_", " ").lower(),
                title=", ".join(r["scopes"]),
            ),
            token_end(r["expires_at"], now, "never"),
            token_end(r["data_expires_at"], now, "–"),
            Cell(ago(r["checked_at"], now), title=f"{r['checked_at']:%Y-%m-%d %H:%M} UTC"),
            Cell(r["connected_by"] or "–"),
        )
        for r in rows
    )
    heads = ("Client", "Connection", "Token", "Token ends", "Data access ends", "Checked", "By")
    return Grid(heads, found, "No ad account is connected to Meta.")


def connection_words(row: Mapping[str, Any]) -> Cell:
    """How a connection stands."""
    if row["status"] == "ok":
        return Cell(row["warning"] or "works", "warn" if row["warning"] else "plain")
    words = {"reauth_required": "must be connected again", "revoked": "revoked at Meta"}
    return Cell(words.get(row["status"], row["status"]), "bad", row["status_reason"] or "")


def token_end(end: datetime | None, now: datetime, none: str) -> Cell:
    """When a token ends."""
    if end is None:
        return Cell(none, "soft")
    days = (end - now).days
    if end <= now:
        return Cell("ended", "bad", f"{end:%Y-%m-%d}")
    return Cell(f"in {many(days, 'day')}" if days else "today",
                "warn" if end - now < ENDS_SOON else "plain", f"{end:%Y-%m-%d}")  # fmt: skip


def accounts_grid(rows: Iterable[Mapping[str, Any]], now: datetime) -> Grid:
    """Every account: how fresh, how much of Meta's quota is used, what is wrong."""
    found = tuple(
        (
            Cell(r["account_name"], title=f"{r['account_id']} · {r['client_id']}"),
            Cell(r["status"], "plain" if r["status"] == "fresh" else "bad", r["problem"]),
            Cell(ago(r["read_at"], now) if r["read_at"] else "never",
                 "plain" if r["read_at"] else "soft"),
            Cell(f"{r['due_minutes']:.0f} min" if r["due_minutes"] < 120
                 else f"{r['due_minutes'] / 60:.0f} h", "soft"),
            Cell(day(r["newest_day"]) if r["newest_day"] else "–"),
            _quota(r["quota_percent"]),
            Cell(r["problem"] or "", "soft"),
        )
        for r in rows
    )  # fmt: skip
    return Grid(("Account", "State", "Read", "Promised", "Numbers to", "Quota used", "Trouble"),
                found, "No ad account is connected to Meta.", frozenset({5}))  # fmt: skip


def _quota(percent: float | None) -> Cell:
    if percent is None or percent != percent:
        return Cell("–", "soft")
    return Cell(
        f"{percent:.0f} %", "bad" if percent >= 95 else "warn" if percent >= 75 else "plain"
    )


def jobs_grid(rows: Sequence[Mapping[str, Any]], now: datetime) -> Grid:
    """What runs, failed, waits and was done."""
    tones: dict[str, Tone] = {"failed": "bad", "running": "good", "queued": "plain", "done": "soft"}
    found = tuple(
        (
            Cell(r["kind"].replace("_", " "), title=f"job {r['job_id']}"),
            Cell(r["slug"] or "agency", "plain" if r["slug"] else "soft"),
            Cell(f"act_{r['account_id']}" if r["account_id"] else ""),
            Cell({"queued": "waits"}.get(r["state"], r["state"]), tones.get(r["state"], "plain")),
            Cell(_when(r, now)),
            Cell(f"{r['attempts']:,}"),
            Cell(f"{r['rows']:,}" if r["rows"] is not None else ""),
            Cell(_short(r["error"]), "bad", r["error"] or "") if r["error"] else Cell(""),
        )
        for r in rows
    )  # fmt: skip
    return Grid(("Job", "Client", "Account", "State", "When", "Tries", "Rows", "Problem"), found,
                "No job was ever queued; adlab worker does them.", frozenset({5, 6}))  # fmt: skip


def _when(job: Mapping[str, Any], now: datetime) -> str:
    at: datetime | None = job["finished_at"] or job["started_at"]
    if at is not None:
        return ago(at, now)
    due: datetime = job["due_at"]
    return f"due {ago(due, now)}" if due <= now else f"due at {due:%H:%M} UTC"


def _short(text: str | None, most: int = 80) -> str:
    text = text or ""
    return text if len(text) <= most else text[: most - 1] + "…"


def workers_grid(rows: Sequence[Mapping[str, Any]], now: datetime) -> Grid:
    """Who does the jobs."""
    found = tuple(
        (
            Cell(r["host"], title=r["worker_id"]),
            Cell(str(r["pid"])),
            Cell("leads" if r["leads"] else "works") if now - r["beat_at"] < WORKER_GONE
            else Cell("gone", "bad"),
            Cell(ago(r["started_at"], now)),
            Cell(ago(r["beat_at"], now)),
        )
        for r in rows
    )  # fmt: skip
    return Grid(
        ("Host", "Process", "State", "Started", "Last sign"), found, "No worker ran lately."
    )


def audit_grid(rows: Sequence[Mapping[str, Any]]) -> Grid:
    """Entries of the log, newest first."""
    found = tuple(
        (
            Cell(
                f"{day(r['at'].date())} {r['at']:%H:%M:%S}",
                title=f"{r['at']:%Y-%m-%d %H:%M:%S} UTC, entry {r['audit_id']}",
            ),
            Cell(r["actor"]),
            Cell(r["action"]),
            Cell(r["client_name"] or "", title=r["slug"] or ""),
            Cell(_details(r["details"]), "soft", json.dumps(r["details"], ensure_ascii=False)),
        )
        for r in rows
    )
    return Grid(("When (UTC)", "Who", "What", "Client", "Details"), found, "No entry fits.")


def _details(details: Mapping[str, Any]) -> str:
    told = []
    for key, value in details.items():
        if value in (None, "", "none given", [], {}):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        shown = _INSTANT.sub(r"\1 \2", shown)
        told.append(f"{key.replace('_', ' ')} {shown}")
    return _short(" · ".join(told), 160)


def isolation_grid(rows: Sequence[Mapping[str, Any]], now: datetime) -> Grid:
    """Checks of isolation, newest first."""
    found = tuple(
        (
            Cell(ago(r["finished_at"], now), title=f"{r['finished_at']:%Y-%m-%d %H:%M} UTC"),
            Cell(r["engine"]),
            Cell(f"{r['attacks']:,}"),
            Cell(f"{r['roles']:,}"),
            Cell(f"{r['tried']:,}"),
            Cell(f"{r['leaks']:,}", "bad" if r["leaks"] else "good"),
        )
        for r in rows
    )
    heads = ("Checked", "Store", "Attacks", "Roles", "Attempts", "Leaks")
    return Grid(heads, found, "Check it: adlab isolation check", frozenset({2, 3, 4, 5}))


def roles_grid() -> Grid:
    """The one table of roles, as the code has it."""
    names = {r: r.value.replace("_", " ") for r in Right}
    rows = tuple(
        (
            Cell(role_words(d.role.value), title=d.purpose),
            Cell(d.purpose),
            Cell(", ".join(names[r] for r in Right if r in d.rights) or "none"),
        )
        for d in ROLES.values()
    )
    return Grid(("Role", "What for", "May"), rows, "")
