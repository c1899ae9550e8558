"""The promise about old backups, on a real one: what was sealed for a client that left stays shut."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from adlab.core.errors import SettingsError
from adlab.local import backup, reset_data, restore
from adlab.runtime import Runtime
from adlab.services.connections import ConnectionParts
from adlab.services.offboarding import OffboardingParts, offboard
from adlab.settings import Settings
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction

SECRET = "not a token, but as good as one"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    reset_data(tmp_path / "home")


def _opened(runtime: Runtime, slug: str) -> str:
    with transaction(runtime.engine) as c:
        row = c.execute(
            text("SELECT n.client_id, n.token_sealed FROM sec.connection n JOIN app.client c"
                 " USING (client_id) WHERE c.slug = :slug"), {"slug": slug},
        ).one()  # fmt: skip
    return runtime.vault.open(bytes(row.token_sealed), row.client_id)


def test_an_old_backup_with_the_master_key_opens_others_and_not_who_left(
    home: Path, tmp_path: Path
) -> None:
    runtime = Runtime(Settings(home=home))
    for slug in ("leaves", "stays"):
        with transaction(runtime.engine) as c:
            client = store_client(c, slug, slug).client_id
        sealed = runtime.vault.seal(SECRET, client)
        with transaction(runtime.engine) as c:
            c.execute(
                text("INSERT INTO sec.connection (client_id, token_sealed) VALUES (:c, :s)"),
                {"c": client, "s": sealed},
            )
    archive = tmp_path / "old.adlab"
    report = backup(home, archive, include_key=True)
    assert "secret.key" in report.parts
    with tarfile.open(archive) as tar:
        assert {m.name for m in tar} == {"manifest.json", "database.dump", "roles.sql",
                                         "secret.key"}  # fmt: skip
    names = [p.stem for p in (home / "keys").glob("*.key")]
    assert len(names) == 2
    kept_apart = [(home / "keys" / f"{n}.key").read_bytes() for n in names]
    assert not any(k in archive.read_bytes() for k in kept_apart)

    parts = OffboardingParts(ConnectionParts(runtime.engine, runtime.vault, runtime.meta))
    offboard(parts, "leaves", tmp_path / "export")
    runtime.close()
    restore(home, archive, force=True)

    back = Runtime(Settings(home=home))
    assert _opened(back, "stays") == SECRET
    with pytest.raises(SettingsError, match="destroyed"):
        _opened(back, "leaves")
    with transaction(back.engine) as c:
        client = c.scalar(text("SELECT client_id FROM app.client WHERE slug = 'leaves'"))
    with pytest.raises(SettingsError, match="destroyed"):
        back.vault.seal("anew", client)
    back.close()
