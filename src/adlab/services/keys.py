"""The ring of master keys at work: which are in use, changing to a new one, forgetting old ones.

A rotation wraps every client's key anew, and in one transaction what is still sealed by a master
key itself; tokens are not touched. Interrupted at any point, every token still opens: the new key
is kept before it is used, and the old one until somebody retires it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from adlab.core.errors import ConflictError, SettingsError
from adlab.storage import audit
from adlab.storage.client_keys import load_destroyed
from adlab.storage.connections import load_sealed, store_rewrapped
from adlab.storage.engine import transaction
from adlab.vault import ClientKeys, Vault

log = logging.getLogger(__name__)

UNREADABLE = "unreadable"


@dataclass(frozen=True)
class KeyUse:
    """A key and what it seals.

    Attributes:
        key_id: Its short name; `unreadable` for tokens nobody can tell the key of.
        tokens: How many sealed tokens need it.
        newest: Whether new tokens are sealed with it.
        known: Whether this ring holds it; where not, its tokens cannot be opened.
        client_keys: How many clients' keys it wraps.
    """

    key_id: str
    tokens: int
    newest: bool
    known: bool
    client_keys: int = 0


@dataclass(frozen=True)
class Rotation:
    """What a rotation did.

    Attributes:
        newest: Short name of the key that seals everything now.
        is_new: Whether that key was made by this rotation.
        tokens: Tokens wrapped anew, directly or with their client's key.
        lost: Tokens and clients' keys that open with no key of the ring; left as they are.
        retirable: Keys nothing needs any more.
    """

    newest: str
    is_new: bool
    tokens: int
    lost: int
    retirable: tuple[str, ...]


def list_keys(engine: Engine, vault: Vault) -> list[KeyUse]:
    """Every key of the ring, newest first, then keys that tokens name and the ring lacks."""
    vault.refresh()
    with transaction(engine) as connection:
        used = _used(connection, vault)
    ring, wraps = vault.key_ids, _wraps(vault)
    return [
        KeyUse(name, used.pop(name, 0), i == 0, True, wraps[name]) for i, name in enumerate(ring)
    ] + [KeyUse(name, count, False, False, wraps[name]) for name, count in sorted(used.items())]


def rotate(engine: Engine, vault: Vault, add: Callable[[], str] | None = None) -> Rotation:
    """Wrap every token's data key with the newest key.

    Args:
        engine: The owner's engine.
        vault: The ring.
        add: Makes a new key in front of the others; None where keys come from outside. Not called
            when an earlier rotation was interrupted: that one is finished first.

    Raises:
        SettingsError: If keys come from outside and there is only one.
    """
    vault.refresh()
    if add is None and len(vault.key_ids) < 2:
        raise SettingsError(
            "ADLAB_SECRET_KEY holds one key only.",
            "Put a new one in front, with a comma between, and keep the old: "
            'python -c "import secrets; print(secrets.token_hex(32))"',
        )
    with transaction(engine) as connection:
        sealed = load_sealed(connection, lock=True)
        ring = vault.key_ids
        needed = {vault.key_of(s["token_sealed"], s["client_id"]) for s in sealed}
        older = (needed | set(_wraps(vault))) & set(ring[1:])
        is_new = add is not None and not older
        if is_new and add is not None:
            add()
            vault.refresh()
        moved = lost = 0
        stale = [r for r in sealed if not _is_of_newest(vault, r)]
        if vault.clients is not None:
            _, lost = vault.rewrap_clients()
        for row in stale:
            try:
                anew = vault.rewrap(bytes(row["token_sealed"]), row["client_id"])
            except SettingsError:
                lost += 1
                continue
            store_rewrapped(connection, row["place"], row["id"], anew)
            moved += 1
        newest = vault.key_ids[0]
        audit.record(connection, "key.rotate", key=newest, tokens=moved, lost=lost)
    log.info("key_rotated key=%s tokens=%d lost=%d", newest, moved, lost)
    retirable = tuple(k.key_id for k in list_keys(engine, vault) if _is_retirable(k))
    return Rotation(newest, is_new, moved, lost, retirable)


def retire(engine: Engine, vault: Vault, drop: Callable[[Sequence[str]], None]) -> tuple[str, ...]:
    """Forget older keys that nothing needs any more; what they were.

    Reason: tokens cannot be written meanwhile, so none can come to need a key that goes.

    Args:
        engine: The owner's engine.
        vault: The ring.
        drop: Forgets keys by their short names.

    Raises:
        ConflictError: If an older key still seals tokens.
    """
    with transaction(engine) as connection:
        load_sealed(connection, lock=True)
        vault.refresh()
        used = _used(connection, vault)
        older = vault.key_ids[1:]
        needed = [name for name in older if used.get(name)]
        if vault.clients is not None and (_wraps(vault).keys() & set(older)):
            raise ConflictError(
                "An older key still wraps clients' keys.", "Run adlab key rotate first."
            )
        if needed:
            raise ConflictError(
                f"Key {', '.join(needed)} still seals {sum(used[n] for n in needed)} token(s).",
                "Run adlab key rotate first.",
            )
        if older:
            drop(older)
            vault.refresh()
            audit.record(connection, "key.retire", keys=list(older))
    return older


def reseal(engine: Engine, vault: Vault) -> int:
    """Seal with its client's key what is still sealed by a master key itself; how much that was.

    What opens with no key is left as it is.
    """
    if vault.clients is None:
        return 0
    moved = 0
    with transaction(engine) as connection:
        # Reason: the lock only when there is work; others write tokens meanwhile.
        if all(vault.is_newest(bytes(r["token_sealed"])) for r in load_sealed(connection)):
            return 0
        for row in load_sealed(connection, lock=True):
            sealed = bytes(row["token_sealed"])
            try:
                anew = vault.rewrap(sealed, row["client_id"])
            except SettingsError:
                continue
            if anew != sealed:
                store_rewrapped(connection, row["place"], row["id"], anew)
                moved += 1
        if moved:
            audit.record(connection, "key.reseal", tokens=moved)
    return moved


def export_keys(engine: Engine, vault: Vault) -> tuple[str, int]:
    """Every client's key, still wrapped by the master key, as one text; and how many.

    Raises:
        SettingsError: If this vault has no clients' keys.
    """
    clients = _clients(vault)
    text, count = clients.export(), len(clients.names())
    with transaction(engine) as connection:
        audit.record(connection, "key.export", keys=count)
    return text, count


def import_keys(engine: Engine, vault: Vault, text: str) -> tuple[int, int]:
    """Bring exported keys back; how many came in, and how many are destroyed and stayed out.

    Raises:
        ValueError: If it is no export.
        ConflictError: If another key of the same name is here.
    """
    clients = _clients(vault)
    with transaction(engine) as connection:
        taken, refused = clients.take_in(text, load_destroyed(connection))
        audit.record(connection, "key.import", keys=taken, destroyed=refused)
    return taken, refused


def _clients(vault: Vault) -> ClientKeys:
    if vault.clients is None:
        raise SettingsError("There are no clients' keys here.", "Run it where adlab is set up.")
    return vault.clients


def _used(connection: Connection, vault: Vault) -> Counter[str]:
    return Counter(
        vault.key_of(s["token_sealed"], s["client_id"]) or UNREADABLE
        for s in load_sealed(connection)
    )


def _wraps(vault: Vault) -> Counter[str]:
    """Per master key how many clients' keys it wraps."""
    return vault.clients.masters() if vault.clients is not None else Counter()


def _is_of_newest(vault: Vault, row: Mapping[str, Any]) -> bool:
    sealed = bytes(row["token_sealed"])
    return vault.is_newest(sealed) and vault.key_of(sealed, row["client_id"]) == vault.key_ids[0]


def _is_retirable(key: KeyUse) -> bool:
    return key.known and not key.newest and not key.tokens and not key.client_keys
