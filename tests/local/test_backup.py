from __future__ import annotations

import tarfile
from pathlib import Path

import psycopg
import pytest

from adlab.core.errors import ConflictError, EmbeddedServerError
from adlab.local import Servers, backup, ensure_servers, reset_data, restore, stop_servers
from adlab.local.restore import read_manifest


def as_person(servers: Servers, user: str, password: str) -> str:
    return servers.database_url.replace(
        servers.database_url.split("@")[0], f"postgresql://{user}:{password}"
    )


def fill(servers: Servers) -> None:
    with psycopg.connect(servers.database_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE readers NOLOGIN")
        owner.execute("CREATE ROLE ann LOGIN PASSWORD 'pw-ann' CONNECTION LIMIT 5")
        owner.execute("CREATE ROLE \"o'neil\" LOGIN PASSWORD 'pw-neil'")
        owner.execute("GRANT readers TO ann")
        owner.execute("ALTER ROLE ann SET statement_timeout = '7s'")
        owner.execute("ALTER ROLE ann IN DATABASE adlab SET work_mem = '7MB'")
        owner.execute("REVOKE CONNECT ON DATABASE adlab FROM PUBLIC")
        owner.execute("GRANT CONNECT ON DATABASE adlab TO readers")
        owner.execute("CREATE SCHEMA app")
        owner.execute("GRANT USAGE ON SCHEMA app TO readers")
        owner.execute("CREATE TABLE app.spend (on_day date, amount numeric)")
        owner.execute("INSERT INTO app.spend VALUES ('2026-01-01', 12.50), ('2026-01-02', 8)")
        owner.execute("GRANT SELECT ON app.spend TO readers")


def amounts(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT amount::text FROM app.spend ORDER BY on_day").fetchall()
    return [row[0] for row in rows]


def test_a_backup_comes_back_with_its_logins(home: Path, tmp_path: Path) -> None:
    fill(ensure_servers(home))
    target = tmp_path / "copies" / "monday.adlab"
    report = backup(home, target)
    assert report.parts == ("database.dump", "roles.sql")
    assert report.size_bytes == target.stat().st_size
    assert target.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in target.parent.iterdir()] == ["monday.adlab"]
    assert read_manifest(target).postgres_major == 18
    with pytest.raises(ConflictError, match="exists already"):
        backup(home, target)

    reset_data(home)
    done = restore(home, target)  # into a new server with new passwords
    assert done.roles_created == ("ann", "o'neil", "readers")
    assert not done.replaced
    servers = ensure_servers(home)
    assert amounts(servers.database_url) == ["12.50", "8"]
    ann = as_person(servers, "ann", "pw-ann")
    assert amounts(ann) == ["12.50", "8"]
    with psycopg.connect(ann) as person:
        assert person.execute("SHOW statement_timeout").fetchone() == ("7s",)
        assert person.execute("SHOW work_mem").fetchone() == ("7MB",)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(as_person(servers, "o'neil", "pw-neil"))
    with psycopg.connect(servers.admin_url) as admin:
        names = admin.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
        assert names == [("adlab",), ("postgres",), ("template0",), ("template1",)]
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'adlab'"
        assert admin.execute(owner).fetchone() == ("adlab_owner",)


def test_existing_data_is_replaced_only_by_force(home: Path, tmp_path: Path) -> None:
    servers = ensure_servers(home)
    fill(servers)
    target = tmp_path / "copy"
    backup(home, target)
    client = psycopg.connect(servers.database_url, autocommit=True)  # in use meanwhile
    client.execute("INSERT INTO app.spend VALUES ('2026-01-03', 99)")
    with pytest.raises(ConflictError, match="holds tables already"):
        restore(home, target)
    assert amounts(servers.database_url) == ["12.50", "8", "99"]
    done = restore(home, target, force=True)
    assert done.replaced
    assert done.roles_created == ()
    assert amounts(servers.database_url) == ["12.50", "8"]
    with pytest.raises(psycopg.OperationalError):
        client.execute("SELECT 1")


def repack(source: Path, target: Path, *, change: str) -> None:
    """Copy a backup with one byte in the middle of a part changed."""
    target.write_bytes(source.read_bytes())
    with tarfile.open(source) as archive:
        member = archive.getmember(change)
    with target.open("r+b") as stream:
        stream.seek(member.offset_data + member.size // 2)
        old = stream.read(1)
        stream.seek(-1, 1)
        stream.write(bytes([old[0] ^ 1]))


def test_a_damaged_file_is_refused_and_the_old_data_kept(home: Path, tmp_path: Path) -> None:
    servers = ensure_servers(home)
    fill(servers)
    good = tmp_path / "good"
    backup(home, good)
    for part in ("database.dump", "roles.sql"):
        bad = tmp_path / f"bad-{part}"
        repack(good, bad, change=part)
        with pytest.raises(EmbeddedServerError, match=f"checksum of {part} is wrong"):
            restore(home, bad, force=True)
    short = tmp_path / "short"
    short.write_bytes(good.read_bytes()[:4000])
    with pytest.raises(EmbeddedServerError, match="cannot be restored"):
        restore(home, short, force=True)
    with pytest.raises(EmbeddedServerError, match="no adlab backup"):
        restore(home, Path(__file__), force=True)
    with pytest.raises(EmbeddedServerError, match="There is no file"):
        restore(home, tmp_path / "missing", force=True)
    assert amounts(servers.database_url) == ["12.50", "8"]
    assert list((home / "run").glob("restore-*")) == []


def test_a_load_that_fails_keeps_the_old_data(home: Path, tmp_path: Path) -> None:
    servers = ensure_servers(home)
    fill(servers)
    with psycopg.connect(servers.admin_url) as admin:
        # A check that holds for the finished table, and for no row of a table still being loaded.
        admin.execute(
            "CREATE FUNCTION app.positive(n numeric) RETURNS bool LANGUAGE sql"
            " IMMUTABLE AS 'SELECT coalesce($1 >= (SELECT min(amount) FROM app.spend), false)'"
        )
        admin.execute("ALTER TABLE app.spend ADD CHECK (app.positive(amount))")
    target = tmp_path / "copy"
    backup(home, target)
    with pytest.raises(EmbeddedServerError, match="pg_restore failed"):
        restore(home, target, force=True)
    assert amounts(servers.database_url) == ["12.50", "8"]


def test_the_key_travels_only_when_asked(home: Path, tmp_path: Path) -> None:
    ensure_servers(home)
    with pytest.raises(EmbeddedServerError, match=r"no .*secret\.key"):
        backup(home, tmp_path / "none", include_key=True)
    (home / "secret.key").write_text("old-key\n")
    backup(home, tmp_path / "without")
    backup(home, tmp_path / "with", include_key=True)
    assert b"old-key" not in (tmp_path / "without").read_bytes()

    (home / "secret.key").write_text("other-key\n")
    with pytest.raises(ConflictError, match="differs from the key"):
        restore(home, tmp_path / "with")
    assert restore(home, tmp_path / "with", force=True).key_restored
    assert (home / "secret.key").read_text() == "old-key\n"
    assert [file.read_text() for file in home.glob("secret.key.before-*")] == ["other-key\n"]
    # A ring that holds the backup's key opens all of it and stays; a larger one is brought back.
    (home / "secret.key").write_text("newer-key\nold-key\n")
    assert not restore(home, tmp_path / "with", force=True).key_restored
    assert (home / "secret.key").read_text() == "newer-key\nold-key\n"
    backup(home, tmp_path / "ring", include_key=True)
    (home / "secret.key").write_text("old-key\n")
    assert restore(home, tmp_path / "ring", force=True).key_restored
    assert (home / "secret.key").read_text() == "newer-key\nold-key\n"
    stop_servers(home)
