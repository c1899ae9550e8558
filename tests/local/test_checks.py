from __future__ import annotations

import os
from pathlib import Path

from adlab.local import check, ensure_servers, stop_servers
from adlab.local.places import Places


def answers(home: Path) -> dict[str, bool | None]:
    return {line.name: line.ok for line in check(home)}


def test_an_unused_home_is_no_problem_and_stays_unused(home: Path) -> None:
    assert answers(home) == {"server programs": True, "disk": True, "data folder": None}
    assert not home.exists()


def test_running_and_stopped_servers_are_told_apart(home: Path) -> None:
    ensure_servers(home)
    # Reason: whose the data are is another question; its own test asks it.
    assert {ok for name, ok in answers(home).items() if name != "owners"} == {True}
    stop_servers(home)
    found = answers(home)
    assert found["port"] is True
    assert (found["PostgreSQL"], found["cache"], found["keeper"]) == (None, None, None)


def test_problems_come_with_a_remedy(home: Path, places: Places) -> None:
    ensure_servers(home)
    stop_servers(home)
    (places.secrets_dir / "owner").chmod(0o644)
    (places.data_dir / "PG_VERSION").write_text("15\n")
    bad = {line.name: line for line in check(home) if line.ok is False}
    assert set(bad) == {"data folder", "passwords"}
    assert "adlab restore" in bad["data folder"].remedy
    assert bad["passwords"].remedy.startswith("chmod 600")
    (places.secrets_dir / "owner").chmod(0o600)
    (places.secrets_dir / "admin").rename(home / "elsewhere")
    missing = {line.name: line for line in check(home)}["passwords"]
    assert missing.ok is False
    assert "admin" in missing.detail


def test_it_is_said_plainly_whose_data_and_passwords_are(home: Path, places: Places) -> None:
    ensure_servers(home)
    (found,) = [c for c in check(home) if c.name == "owners"]
    data = places.data_dir.stat()
    if os.geteuid() == 0:
        assert found.ok is True
        assert data.st_uid != 0, "root's servers run as an account of their own"
        assert "data belongs to adlab, passwords to root" in found.detail
        assert places.secrets_dir.stat().st_mode & 0o077 == 0
    else:
        assert found.ok is None
        assert "reads everything" in found.detail
        assert "run adlab as root" in found.remedy
    stop_servers(home)
