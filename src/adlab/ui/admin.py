"""Administration: which pages there are for whom, and what needs somebody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adlab.core.roles import Right, has_right
from adlab.ui.admin_grids import (
    ENDS_SOON,
    QUIET_AFTER,
    WORKER_GONE,
    Tone,
    connection_words,
    many,
    token_end,
)

# What each page shows, and the rights of which one opens it.
VIEWS: dict[str, tuple[str, tuple[Right, ...]]] = {
    "attention": ("Attention", (Right.OPERATE, Right.GRANT, Right.SEE_AUDIT)),
    "people": ("People", (Right.GRANT, Right.SEE_AUDIT)),
    "connections": ("Connections", (Right.OPERATE,)),
    "jobs": ("Jobs", (Right.OPERATE,)),
    "audit": ("Audit log", (Right.SEE_AUDIT,)),
    "isolation": ("Isolation", (Right.OPERATE, Right.SEE_AUDIT)),
    "roles": ("Roles", (Right.GRANT, Right.SEE_AUDIT)),
}
CHECKED_AFTER = timedelta(days=30)


def views_of(role: str) -> list[tuple[str, str]]:
    """Pages open to a role, as (name, words)."""
    return [(n, w) for n, (w, rights) in VIEWS.items() if any(has_right(role, r) for r in rights)]


@dataclass(frozen=True)
class Need:
    """Something that needs somebody.

    Attributes:
        tone: `bad` or `warn`.
        text: What it is.
        remedy: What to do about it.
        view: The page that says more.
    """

    tone: Tone
    text: str
    remedy: str = ""
    view: str = ""


@dataclass
class Needs:
    """All of them, the worst first."""

    found: list[Need] = field(default_factory=list)

    def add(self, tone: Tone, text: str, remedy: str = "", view: str = "") -> None:
        """One more."""
        self.found.append(Need(tone, text, remedy, view))

    @property
    def in_order(self) -> list[Need]:
        """The worst first."""
        return sorted(self.found, key=lambda n: n.tone != "bad")

    @property
    def headline(self) -> str:
        """One sentence."""
        count = len(self.found)
        if not count:
            return "Nothing needs anybody."
        return "One thing needs somebody." if count == 1 else f"{count} things need somebody."


def people_needs(
    needs: Needs, people: Sequence[Mapping[str, Any]], grants: Sequence[Mapping[str, Any]],
    now: datetime,
) -> None:  # fmt: skip
    """Open break-glass grants, and people who keep grants they do not use."""
    names = {p["person_id"]: p["name"] for p in people}
    for g in grants:
        if g["break_glass"] and g["expires_at"] > now:
            needs.add(
                "warn",
                f"{names.get(g['person_id'])} sees {g['client_name']} by break-glass: "
                f"{g['reason']}",
                f"It ends {g['expires_at']:%d %b %H:%M} UTC.",
                "people",
            )
    holders = {g["person_id"] for g in grants}
    quiet = [p["name"] for p in people if p["person_id"] in holders and p["disabled_at"] is None
             and now - (p["active_at"] or p["created_at"]) > QUIET_AFTER]  # fmt: skip
    if quiet:
        who = ", ".join(quiet[:3]) + (f" and {len(quiet) - 3} more" if len(quiet) > 3 else "")
        verb = "has" if len(quiet) == 1 else "have"
        needs.add(
            "warn",
            f"{who} {verb} not been active for 90 days and can still log in.",
            "Disable whom you no longer expect: adlab user disable NAME",
            "people",
        )


def connection_needs(
    needs: Needs, connections: Sequence[Mapping[str, Any]], accounts: Iterable[Mapping[str, Any]],
    now: datetime,
) -> None:  # fmt: skip
    """Connections that ended or end soon, accounts that are not fresh."""
    for r in connections:
        if r["status"] != "ok":
            why = f" {r['status_reason']}" if r["status_reason"] else ""
            needs.add(
                "bad",
                f"{r['client_name']}: {connection_words(r).text}.{why}",
                "Connect it again on the client's page.",
                "connections",
            )
        elif r["expires_at"] is not None and r["expires_at"] - now < ENDS_SOON:
            needs.add(
                "warn",
                f"{r['client_name']}: its token ends {token_end(r['expires_at'], now, '').text}.",
                "Connect it again before then.",
                "connections",
            )
    late: dict[str, list[str]] = {}
    for a in accounts:
        if a["status"] in ("late", "failing", "never read"):
            late.setdefault(a["status"], []).append(a["account_name"])
    for status, names in late.items():
        words = {"late": "read too late", "failing": "failing", "never read": "never read"}[status]
        verb = "account is" if len(names) == 1 else "accounts are"
        shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        needs.add("bad" if status == "failing" else "warn",
                  f"{len(names):,} {verb} {words}: {shown}",
                  "Each says why beside it. Does adlab worker run?", "connections")  # fmt: skip


def job_needs(
    needs: Needs, counts: Mapping[str, Any], workers: Sequence[Mapping[str, Any]], meta: bool,
    now: datetime,
) -> None:  # fmt: skip
    """Failures of a day, and nobody to do the work."""
    if counts["failed"]:
        needs.add(
            "bad",
            f"{many(counts['failed'], 'job')} failed within a day.",
            "Each says why.",
            "jobs",
        )
    if meta and not any(now - w["beat_at"] < WORKER_GONE for w in workers):
        needs.add(
            "warn",
            "No worker runs, so nothing is read by itself.",
            "Start one: adlab worker",
            "jobs",
        )
