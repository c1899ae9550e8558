"""The certificate of an off-boarding: what was taken out, when, by whom, and the key that is gone.

It is signed with a secret of the master key, so that this installation can tell its own later.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adlab.core.privacy import BACKUP_DAYS
from adlab.storage.offboarding import Offboarding
from adlab.vault import Vault

PURPOSE = "offboarding certificate"


def make_certificate(
    of: Offboarding, vault: Vault, head: tuple[int, str], now: datetime, actor: str
) -> dict[str, Any]:
    """The certificate, signed.

    Args:
        of: The off-boarding, with everything done.
        vault: Signs.
        head: Length and last hash of the audit chain, with the off-boarding in it.
        now: Current aware time.
        actor: Who finished it.
    """
    said: dict[str, Any] = {
        "certificate": "adlab off-boarding 1",
        "client": of.slug, "name": of.name, "client_id": of.client_id,
        "accounts": [f"act_{a}" for a in of.accounts],
        "begun_at": of.begun_at.isoformat(), "begun_by": of.actor,
        "done_at": now.isoformat(), "done_by": actor,
        "export": {"folder": of.folder, "manifest_sha256": of.manifest_sha256,
                   "rows": of.exported},
        "access_ended": of.revoked,
        "rows_deleted": of.purged, "rows_deleted_in_all": sum(of.purged.values()),
        "key": {"name": of.key_name, "fingerprint": of.key_fingerprint, "destroyed": True},
        "kept": ["audit log of this client: it is chained, and the proof of this",
                 "this certificate; the short name stays taken"],
        "backups": f"What is sealed is unreadable in every backup from now on; the rest ages out "
                   f"with backups older than {BACKUP_DAYS} days.",
        "audit_head": {"entries": head[0], "hash": head[1]},
    }  # fmt: skip
    return {**said, "signature": _sign(said, vault.derive(PURPOSE))}


def is_genuine(certificate: Mapping[str, Any], vault: Vault) -> bool:
    """Whether a certificate is this installation's and unchanged."""
    said = {k: v for k, v in certificate.items() if k != "signature"}
    given = str(certificate.get("signature", ""))
    return any(
        hmac.compare_digest(_sign(said, secret), given)
        for secret in vault.derive_all(PURPOSE).split(",")
    )


def _sign(said: Mapping[str, Any], secret: str) -> str:
    written = json.dumps(said, sort_keys=True, separators=(",", ":"), default=str)
    return hmac.new(bytes.fromhex(secret), written.encode(), hashlib.sha256).hexdigest()


def to_typst(certificate: Mapping[str, Any]) -> str:
    """The certificate as a document; every text in it is data, never read as Typst."""
    rows = [
        ("Client", f"{certificate['name']} ({certificate['client']})"),
        ("Ad accounts", ", ".join(certificate["accounts"]) or "none"),
        ("Begun", f"{certificate['begun_at']} by {certificate['begun_by']}"),
        ("Done", f"{certificate['done_at']} by {certificate['done_by']}"),
        ("Export, SHA-256 of its manifest", certificate["export"]["manifest_sha256"]),
        ("Rows deleted", f"{certificate['rows_deleted_in_all']:,}"),
        ("Key destroyed", certificate["key"]["fingerprint"] or "none was ever made"),
        ("Audit log", f"{certificate['audit_head']['entries']:,} entries, "
                      f"ends with {certificate['audit_head']['hash']}"),
        ("Kept", "; ".join(certificate["kept"])),
        ("Backups", certificate["backups"]),
        ("Signature", certificate["signature"]),
    ]  # fmt: skip
    tables = [[t, f"{n:,}"] for t, n in sorted(certificate["rows_deleted"].items())]
    return f"""#let said = json(bytes({_text(json.dumps({"rows": rows, "tables": tables}))}))
#set document(title: "Certificate of deletion")
#set page(paper: "a4", margin: 2cm, footer: text(size: 8pt)[
  Made by adlab. Not affiliated with Meta.])
#set text(font: ("Inter", "DejaVu Sans", "IPAexGothic"), size: 9pt)
#text(size: 16pt, weight: 600)[Certificate of deletion]
#v(4mm)
#table(columns: (4cm, 1fr), stroke: 0.4pt + luma(200), inset: 5pt,
  ..said.rows.map(r => (text(weight: 600, r.at(0)), text(r.at(1)))).flatten())
#v(4mm)
#text(weight: 600)[Rows deleted, by table]
#table(columns: (1fr, 4cm), stroke: 0.4pt + luma(200), inset: 4pt,
  ..said.tables.map(r => (text(r.at(0)), align(right, text(r.at(1))))).flatten())
"""


def _text(value: str) -> str:
    r"""A Typst string: quotes and backslashes escaped, no line break left."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
