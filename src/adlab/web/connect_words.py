"""A connection to Meta in words, for the page of a client's connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from adlab.services.connections import SYSTEM_USER


@dataclass(frozen=True)
class Link:
    """A connection, for people.

    Attributes:
        name: Whose login it is.
        words: How it stands.
        tone: `plain`, `warn` or `bad`.
        kind: Chooses the mark.
        detail: What is wrong and who must do what, or "".
        accounts: Number and name of each account.
        facts: Who connected it, what it may do, until when.
    """

    name: str
    words: str
    tone: Literal["plain", "warn", "bad"]
    kind: str
    detail: str
    accounts: tuple[tuple[str, str], ...]
    facts: str


def link_of(row: Mapping[str, Any], names: Mapping[str, str]) -> Link:
    """Build from what the desk says of a connection, and names of accounts."""
    tone: Literal["plain", "warn", "bad"]
    if row["status"] == "ok":
        tone, words = ("warn", "Ends soon") if row["warning"] else ("plain", "Connected")
    else:
        tone = "bad"
        words = "Revoked at Facebook" if row["status"] == "revoked" else "Must be connected again"
    system = row["token_type"] == SYSTEM_USER
    who = row["meta_user_name"] or (
        f"Meta user {row['meta_user_id']}" if row["meta_user_id"] else "Connection to Meta"
    )
    facts = [f"connected by {row['connected_by']}"] if row["connected_by"] else []
    facts.append("may change ads" if "ads_management" in row["scopes"] else "reads only")
    if row["status"] == "ok":
        facts.append(f"works until {until(row['expires_at'])}" if row["expires_at"] else "no end")
    text = ", ".join(facts)
    return Link(
        f"{who} (system user)" if system else who, words, tone,
        "connected" if tone == "plain" else "attention",
        row["status_reason"] or row["warning"] or "",
        tuple((a, names.get(a, "")) for a in row["accounts"]), f"{text[:1].upper()}{text[1:]}.",
    )  # fmt: skip


def until(moment: str) -> str:
    """A day and time in words: `28 Nov 2026, 10:00 UTC`."""
    return f"{datetime.fromisoformat(moment):%d %b %Y, %H:%M} UTC"
