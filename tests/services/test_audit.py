"""The chain's service: what is found, what signatures add, and exports that check themselves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text

from adlab.core.errors import UnknownObjectError
from adlab.services import audit as chain
from adlab.storage import audit
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.vault import Vault

KEY, NEWER = b"\x07" * 32, b"\x08" * 32


@pytest.fixture
def log(owner_engine: Engine) -> Engine:
    """A log of some entries, two of them about clients."""
    with transaction(owner_engine) as c:
        acme = store_client(c, "Acme", "acme").client_id
        beta = store_client(c, "Beta", "beta").client_id
        audit.record(c, "test.acme", client_id=acme, words="schöne Wörter")
        audit.record(c, "test.both", clients=[acme, beta])
        audit.record(c, "test.none")
    return owner_engine


def _tamper(url: str, *statements: str) -> None:
    with psycopg.connect(url) as c:
        c.execute("SET session_replication_role = replica")
        for one in statements:
            c.execute(one)  # type: ignore[call-overload]


def test_an_untouched_log_is_fine_and_its_end_is_named(log: Engine) -> None:
    found = chain.verify(log, Vault(KEY))
    assert found.ok
    assert found.entries >= 5
    assert len(found.head) == 64
    assert found.newest is not None


def test_a_changed_entry_is_named_with_its_place(log: Engine, database_url: str) -> None:
    _tamper(database_url, "UPDATE sec.audit SET actor = 'Eve' WHERE action = 'test.acme'")
    (problem,) = chain.verify(log, Vault(KEY)).problems
    assert "changed" in str(problem)
    assert problem.audit_id is not None
    assert str(problem.audit_id) in str(problem)


def test_a_chain_that_was_computed_anew_no_longer_fits_its_signature(
    log: Engine, database_url: str
) -> None:
    vault = Vault(KEY)
    assert chain.sign(log, vault) > 0
    assert chain.sign(log, vault) == 0
    assert chain.verify(log, vault).anchors == 1
    _tamper(
        database_url,
        "UPDATE sec.audit SET actor = 'Eve' WHERE action = 'test.acme'",
        "DELETE FROM sec.audit_chain",
        "UPDATE sec.audit_head SET chain_no = 0, hash = sha256('adlab audit')",
        "DO $$ DECLARE e sec.audit; BEGIN FOR e IN SELECT * FROM sec.audit ORDER BY audit_id LOOP "
        "PERFORM sec.audit_link(e); END LOOP; END $$",
    )
    assert chain.verify(log, None).ok
    (problem,) = chain.verify(log, vault).problems
    assert "written anew" in str(problem)


def test_a_forged_signature_is_found(log: Engine, database_url: str) -> None:
    _tamper(
        database_url,
        "INSERT INTO sec.audit_anchor (chain_no, hash, signature) "
        "SELECT chain_no, hash, sha256('guess') FROM sec.audit_head",
    )
    (problem,) = chain.verify(log, Vault(KEY)).problems
    assert "does not fit the key ring" in str(problem)


def test_signatures_stay_good_when_the_key_changes(log: Engine) -> None:
    chain.sign(log, Vault(KEY))
    found = chain.verify(log, Vault(NEWER, KEY))
    assert (found.ok, found.anchors) == (True, 1)


def test_an_export_can_be_checked_without_adlab(log: Engine, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    count = chain.export(log, path)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == count
    before = hashlib.sha256(b"adlab audit").hexdigest()
    for number, line in enumerate(lines, 1):
        assert line["chain_no"] == number
        assert line["previous"] == before
        text_of = bytes.fromhex(line["previous"]) + line["text"].encode()
        before = line["hash"] = hashlib.sha256(text_of).hexdigest()
    assert before == chain.verify(log, None).head
    assert "schöne Wörter" in path.read_text(encoding="utf-8")


def test_an_export_of_one_client_holds_what_concerns_it(log: Engine, tmp_path: Path) -> None:
    path = tmp_path / "beta.jsonl"
    chain.export(log, path, client="beta")
    actions = [json.loads(line)["entry"][4] for line in path.read_text().splitlines()]
    assert actions == ["client.add", "test.both"]
    with pytest.raises(FileExistsError):
        chain.export(log, path)
    with pytest.raises(UnknownObjectError):
        chain.export(log, tmp_path / "other.jsonl", client="nobody")


def test_search_filters_together(log: Engine) -> None:
    with transaction(log) as c:
        beta = c.scalar(text("SELECT client_id FROM app.client WHERE slug = 'beta'"))
        assert [e.action for e in audit.search(c, client_id=beta, action="test.")] == ["test.both"]
        assert [e.action for e in audit.search(c, words="WÖRTER".lower())] == ["test.acme"]
        assert audit.search(c, actor="nobody") == []
        assert len(audit.search(c, limit=2)) == 2
