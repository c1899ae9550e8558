"""`adlab privacy` and `adlab key export`: what people may ask for, from the command line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from adlab.core.privacy import DATA_MAP

from .conftest import Adlab


def test_the_map_is_printed_whole(adlab: Adlab) -> None:
    done = adlab("privacy", "map", "--json")
    assert [r["place"] for r in done.json] == [h.place for h in DATA_MAP]
    assert "35 days" in done.err


def test_a_person_gets_a_private_file_and_is_erased(
    adlab: Adlab, acme: str, tmp_path: Path
) -> None:
    assert adlab("user", "add", "Ann Lee", "--role", "analyst", "--username", "ann").code == 0
    assert adlab("user", "grant", "ann", "--client", acme, "--role", "analyst").code == 0
    out = tmp_path / "ann.json"
    assert adlab("privacy", "export", "ann", "--out", str(out)).code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "sec.access" in json.loads(out.read_text())["held"]
    assert adlab("privacy", "export", "ann", "--out", str(out)).code == 1
    asked = adlab("privacy", "erase", "ann")
    assert asked.code == 2
    assert "add --yes" in asked.err
    counted = adlab("privacy", "erase", "ann", "--dry-run", "--json").json
    done = adlab("privacy", "erase", "ann", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json["counts"] == counted["counts"]
    assert f"Receipt {done.json['reference']}" in done.err
    gone = adlab("privacy", "erase", "ann", "--yes")
    assert (gone.code, gone.out) == (1, "")


@pytest.mark.parametrize("who", ["nobody", "  "])
def test_nobody_is_refused_and_no_file_written(adlab: Adlab, tmp_path: Path, who: str) -> None:
    out = tmp_path / "x.json"
    assert adlab("privacy", "export", who, "--out", str(out)).code in (1, 2)
    assert not out.exists()


def test_retention_counts_first(adlab: Adlab, acme: str) -> None:
    done = adlab("privacy", "retention", "--dry-run", "--json")
    assert done.json == []
    assert "0 rows would go" in done.err
    assert adlab("privacy", "retention", "--client", "nobody").code == 1


def test_clients_keys_are_written_to_a_private_file_and_read_back(
    adlab: Adlab, connected: object, tmp_path: Path
) -> None:
    out = tmp_path / "keys.json"
    done = adlab("key", "export", "--out", str(out))
    assert done.code == 0, done.err
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert adlab("key", "export", "--out", str(out)).code == 1
    assert adlab("key", "import", str(out), "--json").json["imported"] == 0
    out.write_text("{}")
    assert adlab("key", "import", str(out)).code == 2
    assert adlab("key", "import", str(tmp_path / "none")).code == 2
