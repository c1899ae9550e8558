"""The ring of master keys at work: which are in use, changing to a new one, forgetting old ones.

A rotation wraps the data key of every token anew in one transaction; the tokens themselves are not
touched. Interrupted at any point, every token still opens: the new key is kept before it is used,
and the old one until somebody retires it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from adlab.core.errors import ConflictError, SettingsError
from adlab.storage import audit
from adlab.storage.connections import load_sealed, store_rewrapped
from adlab.storage.engine import transaction
from adlab.vault import Vault

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
    """

    key_id: str
    tokens: int
    newest: bool
    known: bool


@dataclass(frozen=True)
class Rotation:
    """What a rotation did.

    Attributes:
        newest: Short name of the key that seals everything now.
        is_new: Whether that key was made by this rotation.
        tokens: Tokens wrapped anew.
        lost: Tokens that open with no key of the ring; they were left as they are.
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
    ring = vault.key_ids
    return [KeyUse(name, used.pop(name, 0), i == 0, True) for i, name in enumerate(ring)] + [
        KeyUse(name, count, False, False) for name, count in sorted(used.items())
    ]


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
        older = {vault.key_of(s["token_sealed"], s["client_id"]) for s in sealed} & set(ring[1:])
        is_new = add is not None and not older
        if is_new and add is not None:
            add()
            vault.refresh()
        moved = lost = 0
        for row in sealed:
            if vault.key_of(row["token_sealed"], row["client_id"]) == vault.key_ids[0]:
                continue
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


def _used(connection: Connection, vault: Vault) -> Counter[str]:
    return Counter(
        vault.key_of(s["token_sealed"], s["client_id"]) or UNREADABLE
        for s in load_sealed(connection)
    )


def _is_retirable(key: KeyUse) -> bool:
    return key.known and not key.newest and not key.tokens
