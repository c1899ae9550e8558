"""What keeps secrets: tokens sealed by a ring of master keys, and signatures of links and cookies.

Master keys live outside the database (a 0600 file, or a variable), so the database alone gives
nobody a token.
"""

from adlab.vault.ring import (
    add_local_key,
    drop_local_keys,
    key_id,
    local_keys,
    parse_keys,
    parse_ring,
)
from adlab.vault.sealing import Vault, fingerprint
from adlab.vault.signing import (
    INVITE_SECONDS,
    LINK_SECONDS,
    Signer,
    invite_signer,
    link_signer,
    read_link,
    signing_keys,
)

__all__ = [
    "INVITE_SECONDS",
    "LINK_SECONDS",
    "Signer",
    "Vault",
    "add_local_key",
    "drop_local_keys",
    "fingerprint",
    "invite_signer",
    "key_id",
    "link_signer",
    "local_keys",
    "parse_keys",
    "parse_ring",
    "read_link",
    "signing_keys",
]
