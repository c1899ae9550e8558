"""`adlab doctor` and the commands about the installation itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Adlab, Done


def findings(done: Done) -> dict[str, dict[str, Any]]:
    return {f["name"]: f for f in done.json}


def test_a_healthy_installation_is_code_0(adlab: Adlab, acme: str) -> None:
    done = adlab("doctor", "--json")
    found = findings(done)
    assert [f for f in found.values() if f["ok"] is False] == []
    assert done.code == 0
    assert found["database"]["detail"].startswith("PostgreSQL")
    assert found["schema"]["ok"] is True
    assert found["isolation"]["ok"] is True
    assert found["secret key"]["detail"] == "set"
    assert done.err == ""


def test_the_table_says_ok_note_or_broken(adlab: Adlab, acme: str) -> None:
    lines = adlab("doctor").out.splitlines()
    assert lines[0].split() == ["check", "seen", "remedy"]
    assert {line.split()[0] for line in lines[1:] if line[:1].strip()} <= {"ok", "note", "BROKEN"}


def test_a_store_that_is_not_there_is_code_1_and_the_rest_is_still_checked(
    adlab: Adlab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLAB_DATABASE__URL", "postgresql://u:hunter2@127.0.0.1:1/db")
    done = adlab("doctor", "--json")
    found = findings(done)
    assert done.code == 1
    assert found["database"]["ok"] is False
    assert "cannot be reached" in found["database"]["detail"]
    assert {"versions", "meta", "port"} <= set(found)
    assert "hunter2" not in done.out + done.err
    assert "BROKEN" in adlab("doctor").out


@pytest.mark.parametrize(
    ("variable", "value", "check", "told"),
    [
        ("ADLAB_SECRET_KEY", None, "secret key", "not set, and the database is external"),
        ("ADLAB_REDIS__URL", "redis://:hunter2@127.0.0.1:1/0", "redis", "no answer"),
        ("ADLAB_META__APP_ID", "555", "meta", "app 555 without a secret"),
    ],
)
def test_each_broken_part_is_code_1_with_a_remedy(
    adlab: Adlab, acme: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None,
    check: str, told: str,
) -> None:  # fmt: skip
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    done = adlab("doctor", "--json")
    found = findings(done)[check]
    assert (done.code, found["ok"]) == (1, False)
    assert told in found["detail"]
    assert found["remedy"]
    assert "hunter2" not in done.out + done.err


def test_a_version_near_its_end_is_a_note(
    adlab: Adlab, acme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADLAB_META__API_VERSION", "v25.0")
    done = adlab("doctor", "--json")
    assert (done.code, findings(done)["meta"]["ok"]) == (0, None)


@pytest.fixture
def empty_home(adlab: Adlab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A home in which nothing was ever started; whatever a test starts there ends with it."""
    from adlab.local import reset_data

    monkeypatch.setenv("ADLAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ADLAB_DATABASE__URL")
    monkeypatch.delenv("ADLAB_REDIS__URL", raising=False)
    yield tmp_path / "home"
    reset_data(tmp_path / "home")


def test_stopping_what_never_ran_is_fine(adlab: Adlab, empty_home: Path) -> None:
    done = adlab("stop")
    assert (done.code, done.out, done.err) == (0, "", "Nothing was running.\n")
    assert adlab("stop", "--json").json == {"stopped": []}


def test_reset_asks_to_be_meant(adlab: Adlab, empty_home: Path) -> None:
    done = adlab("reset")
    assert (done.code, done.out) == (2, "")
    assert f"this deletes all data of {empty_home}; add --yes" in done.err


def test_reset_leaves_nobody_elses_work_to_a_later_person(adlab: Adlab, empty_home: Path) -> None:
    for name in ("hub/people/ann", "logs", "reports"):
        (empty_home / name).mkdir(parents=True)
    (empty_home / "hub/people/ann/mine.ipynb").write_text("numbers of a client")
    (empty_home / "secret.key").write_text("kept, because a backup may need it")
    assert adlab("reset", "--yes").code == 0
    assert sorted(p.name for p in empty_home.iterdir() if p.name != "run") == ["secret.key"]


def test_reset_of_nothing_is_fine(adlab: Adlab, empty_home: Path) -> None:
    assert adlab("reset", "--yes", "--json").json == {"deleted": str(empty_home)}


def test_a_backup_over_a_file_there_is_is_refused(
    adlab: Adlab, empty_home: Path, tmp_path: Path
) -> None:
    target = tmp_path / "there.tar"
    target.write_text("precious")
    done = adlab("backup", str(target))
    assert done.code in (1, 2)
    assert target.read_text() == "precious"


def test_restoring_what_is_no_backup_is_refused(
    adlab: Adlab, empty_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "no.tar").write_text("no tar at all")
    for source in ("no.tar", "missing.tar"):
        done = adlab("restore", str(tmp_path / source))
        assert done.code in (1, 2)
        assert done.err.startswith("adlab: ")
        assert "Unexpected" not in done.err
