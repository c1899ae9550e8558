"""What keeps secrets: sealing with clients' keys under master keys; signatures of links, cookies.

Master keys live outside the database (a 0600 file, or a variable), and so do clients' keys (a
folder), so the database alone gives nobody a token, and a backup nothing of a client whose key was
destroyed.
"""

from adlab.vault.client_keys import ClientKeys, KeyEntry
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
    "ClientKeys",
    "KeyEntry",
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
