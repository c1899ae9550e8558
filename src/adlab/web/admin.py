"""`admin`: people and grants, connections, jobs, the audit log, isolation; by right, read-only.

Every row comes through the person's own database role, so what they may not see is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from adlab.core.roles import Right, has_right
from adlab.services.freshness import load_freshness
from adlab.storage.tenancy import Reader
from adlab.ui import admin as words
from adlab.ui import admin_grids as grids
from adlab.ui.formats import ago
from adlab.web import pages
from adlab.web.pages import Caller

ENTRIES_A_PAGE = 100
JOBS_SHOWN = 40
# Reason: above this many entries the chain is checked when somebody asks, not with every look.
CHECKED_AT_ONCE = 20_000
_FILTERS = ("who", "what", "client", "since", "words", "before")


@dataclass(frozen=True)
class Section:
    """A heading with its table.

    Attributes:
        title: The heading.
        grid: The table.
        note: A sentence below the heading.
    """

    title: str
    grid: grids.Grid
    note: str = ""


def add_admin_pages(app: FastAPI) -> None:
    """`admin?view=…`."""

    @app.get("/admin")
    def admin(request: Request) -> Response:
        return pages.answer_to(request, _admin)


def _admin(caller: Caller) -> Response:
    open_ = words.views_of(caller.viewer.role)
    asked = caller.request.query_params.get("view", "attention")
    if asked not in dict(open_):
        # Reason: the same answer for what does not exist and for what is not theirs.
        raise HTTPException(404)
    now = datetime.now(UTC)
    shown = _SHOWN[asked](caller, now)
    tabs = [(n, w, f"?view={n}", n == asked) for n, w in open_]
    return pages.draw(
        caller, "admin", f"Administration: {dict(open_)[asked]}", here="admin", tabs=tabs,
        **{"headline": "", "needs": None, "sections": (), "search": None, "facts": (), **shown},
    )  # fmt: skip


def _attention(caller: Caller, now: datetime) -> dict[str, Any]:
    reader, role = caller.reader, caller.viewer.role
    needs = words.Needs()
    if has_right(role, Right.GRANT) or has_right(role, Right.SEE_AUDIT):
        words.people_needs(needs, reader.rows("read_people"), reader.rows("read_grants"), now)
    if has_right(role, Right.OPERATE):
        connections = reader.rows("read_all_connections")
        words.connection_needs(needs, connections, _accounts(reader, now), now)
        words.job_needs(needs, _one(reader, "read_job_counts"), reader.rows("read_workers"),
                        bool(connections), now)  # fmt: skip
    if has_right(role, Right.SEE_AUDIT):
        state = _one(reader, "read_audit_state")
        if state["entries"] <= CHECKED_AT_ONCE:
            for r in reader.rows("read_audit_check"):
                needs.add("bad", f"The audit log was changed: {r['problem']}.",
                          "Compare with a backup: adlab audit verify", "audit")  # fmt: skip
    _isolation_needs(needs, _isolation_runs(reader), now)
    return {"headline": needs.headline, "needs": needs.in_order}


def _people(caller: Caller, now: datetime) -> dict[str, Any]:
    people, granted = caller.reader.rows("read_people"), caller.reader.rows("read_grants")
    active = sum(p["disabled_at"] is None for p in people)
    ending = sum(
        1 for g in granted
        if g["expires_at"] is not None and now < g["expires_at"] < now + grids.ENDS_SOON
    )  # fmt: skip
    said = "One person" if active == 1 else f"{active:,} people"
    return {
        "headline": f"{said}; {grids.many(ending, 'grant')} {'ends' if ending == 1 else 'end'} "
                    "within two weeks." if ending else f"{said}.",
        "sections": (
            Section("People", grids.people_grid(people, granted, now)),
            Section("Grants", grids.grants_grid(people, granted, now),
                    "For the access review: adlab user review --csv"),
        ),
    }  # fmt: skip


def _connections(caller: Caller, now: datetime) -> dict[str, Any]:
    rows = caller.reader.rows("read_all_connections")
    accounts = _accounts(caller.reader, now)
    fresh = sum(a["status"] == "fresh" for a in accounts)
    bad = sum(r["status"] != "ok" for r in rows)
    said = (
        f"{fresh:,} of {grids.many(len(accounts), 'account')} {'is' if fresh == 1 else 'are'} fresh"
    )
    return {
        "headline": f"{said}, {grids.many(bad, 'connection')} must be made again." if bad
                    else f"{said}." if accounts else "No ad account is connected to Meta.",
        "sections": (
            Section("Connections and tokens", grids.connections_grid(rows, now)),
            Section("Accounts", grids.accounts_grid(accounts, now),
                    "Promised is how long a reading may take to be repeated."),
        ),
    }  # fmt: skip


def _jobs(caller: Caller, now: datetime) -> dict[str, Any]:
    counts = _one(caller.reader, "read_job_counts")
    said = [f"{counts['running']:,} running", f"{counts['waiting']:,} waiting",
            f"{counts['failed']:,} failed within a day"]  # fmt: skip
    return {
        "headline": f"{grids.many(counts['done'], 'job')} done within a day: {', '.join(said)}.",
        "sections": (
            Section("Workers", grids.workers_grid(caller.reader.rows("read_workers"), now)),
            Section("Jobs", grids.jobs_grid(
                caller.reader.rows("read_agency_jobs", limit=JOBS_SHOWN), now)),
        ),
    }  # fmt: skip


def _audit(caller: Caller, now: datetime) -> dict[str, Any]:
    given = {n: caller.request.query_params.get(n, "").strip()[:80] for n in _FILTERS}
    since, wrong = _day(given["since"])
    clients = {r["slug"]: r["client_id"] for r in caller.reader.rows("read_clients")}
    client_id = clients.get(given["client"], -1) if given["client"] else None
    before = given["before"] if given["before"].isdecimal() and len(given["before"]) < 19 else ""
    rows = caller.reader.rows(
        "read_audit", actor=_text(given["who"]), action=_text(given["what"]), client_id=client_id,
        since=since, words=_text(given["words"]), before=int(before) if before else None,
        limit=ENTRIES_A_PAGE + 1,
    )  # fmt: skip
    shown = rows[:ENTRIES_A_PAGE]
    older = ""
    if len(rows) > ENTRIES_A_PAGE:
        asked = {n: v for n, v in given.items() if v and n != "before"}
        older = "?" + urlencode({"view": "audit", **asked, "before": shown[-1]["audit_id"]})
    state = _one(caller.reader, "read_audit_state")
    facts, headline = _chain(caller, state, now)
    return {
        "headline": headline, "facts": facts,
        "search": {"given": given, "wrong": wrong, "clients": sorted(clients), "older": older},
        "sections": (Section("Entries", grids.audit_grid(shown)),),
    }  # fmt: skip


def _chain(
    caller: Caller, state: Mapping[str, Any], now: datetime
) -> tuple[tuple[tuple[str, str, str], ...], str]:
    """Facts on the chain as (label, text, tone), and the sentence on top."""
    entries = grids.many(state["entries"], "entry").replace("entrys", "entries")
    signed = ago(state["signed_at"], now) if state["signed_at"] else "not yet: adlab worker does it"
    facts = [("Entries", f"{state['entries']:,}", "plain"), ("Signed", signed, "plain"),
             ("End of the chain", state["head"][:16] + "…", "soft")]  # fmt: skip
    asked = "check" in caller.request.query_params
    if state["entries"] > CHECKED_AT_ONCE and not asked:
        return tuple(facts), f"{entries}; the chain was not checked just now."
    broken = caller.reader.rows("read_audit_check")
    for r in broken:
        where = f"entry {r['audit_id']}" if r["audit_id"] else f"place {r['chain_no']}"
        facts.append(("Problem", f"{where}: {r['problem']}", "bad"))
    if broken:
        return tuple(facts), "The audit log is not as it was written."
    return tuple(facts), f"{entries}, each as it was written."


def _isolation(caller: Caller, now: datetime) -> dict[str, Any]:
    runs = _isolation_runs(caller.reader)
    if not runs:
        return {
            "headline": "Isolation was never checked on this installation.",
            "sections": (Section("Checks", grids.isolation_grid(runs, now)),),
        }
    newest = runs[0]
    leaks = newest["leaks"]
    said = (
        f"{grids.many(leaks, 'leak')} in {newest['tried']:,} attempts." if leaks
        else f"No leak in {newest['tried']:,} attempts, {ago(newest['finished_at'], now)}."
    )  # fmt: skip
    return {
        "headline": said,
        "sections": (Section("Checks", grids.isolation_grid(runs, now),
                             "Each attack is tried as each role, on this very store."),),
    }  # fmt: skip


def _roles(caller: Caller, now: datetime) -> dict[str, Any]:
    return {
        "headline": "What each role may do.",
        "sections": (Section("Roles", grids.roles_grid(),
                             "The same table makes the hub's scopes and the database's rights."),),
    }  # fmt: skip


_SHOWN = {
    "attention": _attention, "people": _people, "connections": _connections, "jobs": _jobs,
    "audit": _audit, "isolation": _isolation, "roles": _roles,
}  # fmt: skip


def _accounts(reader: Reader, now: datetime) -> list[dict[str, Any]]:
    """Every account with its freshness, those in trouble first."""
    slugs = {r["client_id"]: r["slug"] for r in reader.rows("read_clients")}
    frame = load_freshness(reader, slugs, now).reset_index()
    rows: list[dict[str, Any]] = [
        {str(k): None if v is grids.NOTHING or v != v else v for k, v in r.items()}
        for r in frame.to_dict("records")
    ]
    return sorted(rows, key=lambda r: (r["status"] == "fresh", r["account_name"].casefold()))


def _isolation_runs(reader: Reader) -> list[dict[str, Any]]:
    return reader.rows("read_isolation_runs")


def _isolation_needs(needs: words.Needs, runs: list[dict[str, Any]], now: datetime) -> None:
    if runs and runs[0]["leaks"]:
        leaks = grids.many(runs[0]["leaks"], "leak")
        needs.add("bad", f"The last check of isolation found {leaks}.",
                  "Close the boards and notebooks until it is mended.", "isolation")  # fmt: skip
    elif not runs or now - runs[0]["finished_at"] > words.CHECKED_AFTER:
        since = "for a month" if runs else "yet"
        needs.add("warn", f"Isolation was not checked on this store {since}.",
                  "Check it: adlab isolation check", "isolation")  # fmt: skip


def _one(reader: Reader, query: str) -> dict[str, Any]:
    found = reader.rows(query)
    if not found:
        raise HTTPException(404)
    return found[0]


def _text(given: str) -> str | None:
    # Reason: PostgreSQL takes no NUL in a text.
    return given.replace("\x00", "") or None


def _day(given: str) -> tuple[datetime | None, str]:
    if not given:
        return None, ""
    try:
        return datetime.combine(date.fromisoformat(given), time(), UTC), ""
    except ValueError:
        return None, "This is no day; write 2026-11-30."
