"""A client leaves: nothing of it is left in any table, and nothing was deleted unread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text
from tests.conftest import Simulator

from adlab.core.errors import ConflictError, SettingsError, UnknownObjectError
from adlab.core.roles import Role
from adlab.services.connections import ConnectionParts
from adlab.services.offboarding import OffboardingParts, offboard, plan
from adlab.services.offboarding_certificate import is_genuine, to_typst
from adlab.storage import offboarding as store
from adlab.storage.access import create_credential, grant, store_person
from adlab.storage.client_keys import KeyRegister
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.storage.reports import store_report
from adlab.vault import ClientKeys, Vault

from .test_ingest import MOMENT, Agency

HOSTILE = 'Ann "<script>" \\ # $x$'


class Leaving:
    """Two connected clients with numbers, people, reports; `berlin` leaves."""

    def __init__(self, engine: Engine, simulator: Simulator, home: Path) -> None:
        self.engine, self.home = engine, home
        self.agency = Agency(engine, simulator)
        self.agency.sync()
        self.keys = ClientKeys(home / "keys", KeyRegister(lambda: engine))
        self.vault = Vault(b"\x07" * 32, clients=self.keys)
        ((self.berlin,), (self.tokyo,)) = self.rows("SELECT client_id FROM app.client ORDER BY 1")
        self.sealed = {c: self.vault.seal("secret", c) for c in (self.berlin, self.tokyo)}
        self.forgotten: list[tuple[int, tuple[int, ...]]] = []
        with transaction(engine) as c:
            store_person(c, HOSTILE, Role.CLIENT_VIEWER, "cv")
            store_person(c, "Both", Role.ANALYST, "both")
            grant(c, "cv", "berlin", Role.CLIENT_VIEWER)
            grant(c, "both", "berlin", Role.ANALYST)
            grant(c, "both", "tokyo", Role.ANALYST)
            self.login, _ = create_credential(c, "both", client="berlin")
            self.fill(c)

    def fill(self, c: Any) -> None:
        """A row of `berlin` in tables that nothing else of these tests fills."""
        pdf = b"%PDF-1.7 report"
        import hashlib

        store_report(
            c, client_id=self.berlin, template="monthly", period="2026-10", since="2026-10-01",
            until="2026-10-31", title="October", as_of=MOMENT,
            sha256=hashlib.sha256(pdf).hexdigest(), pages=1, pdf=pdf,
        )  # fmt: skip
        for sql in (
            "INSERT INTO app.budget (client_id, since, until, currency, amount_micro, set_by)"
            " VALUES (:c, '2026-01-01', '2026-01-31', 'EUR', 1, 'x')",
            "INSERT INTO app.goal (client_id, metric, target, set_by) VALUES (:c, 'roas', 2, 'x')",
            "INSERT INTO app.job (kind, key, client_id, priority, due_at, not_before)"
            " VALUES ('today', 'k', :c, 0, now(), now())",
            "INSERT INTO app.webhook_event (received_at, sent_at, account_id, client_id, field,"
            " value, digest, value_digest, not_before)"
            " VALUES (now(), now(), 1001, NULL, 'f', '{}', 'd', 'd', now())",
            "INSERT INTO sec.connect_invite (client_id, nonce_hash, write, created_by, expires_at)"
            " VALUES (:c, 'n', false, 'x', now())",
            "INSERT INTO sec.api_token (jti, person_id, name, scopes, client_ids, created_by,"
            " expires_at) SELECT repeat('a', 24), person_id, 't', '{read}', ARRAY[:c, :c], 'x',"
            " now() FROM sec.person WHERE username = 'both'",
            "INSERT INTO sec.api_token (jti, person_id, name, scopes, client_ids, created_by,"
            " expires_at) SELECT repeat('b', 24), person_id, 't', '{read}', ARRAY[:c, :o], 'x',"
            " now() FROM sec.person WHERE username = 'both'",
        ):
            c.execute(text(sql.replace(":c", str(self.berlin)).replace(":o", str(self.tokyo))))

    def rows(self, sql: str) -> list[Any]:
        with transaction(self.engine) as c:
            return [tuple(r) for r in c.execute(text(sql))]

    def parts(self, **changes: Any) -> OffboardingParts:
        def forget(client_id: int, accounts: Sequence[int]) -> int:
            self.forgotten.append((client_id, tuple(accounts)))
            return 3

        # Reason: tokens of `Agency` were sealed without clients' keys; this vault opens both.
        at = ConnectionParts(self.engine, self.vault, self.agency.meta)
        made = OffboardingParts(at, forget, now=lambda: MOMENT, sleep=lambda _: None)
        return replace(made, **changes)

    @property
    def out(self) -> Path:
        return self.home / "export"

    def left(self) -> dict[str, int]:
        with transaction(self.engine) as c:
            return store.count_rows(c, {"client_id": self.berlin, "accounts": [1001]})


@pytest.fixture
def leaving(any_engine: Engine, simulator: Simulator, tmp_path: Path) -> Leaving:
    return Leaving(any_engine, simulator, tmp_path)


@pytest.fixture
def plain_leaving(owner_engine: Engine, simulator: Simulator, tmp_path: Path) -> Leaving:
    return Leaving(owner_engine, simulator, tmp_path)


def _every_row_naming(leaving: Leaving, client_id: int) -> dict[str, int]:
    """Rows with a client's number in any column that holds such, straight from the catalog."""
    found = {}
    for table, column, is_list in leaving.rows(
        "SELECT n.nspname || '.' || t.relname, a.attname, a.attndims > 0 OR y.typcategory = 'A'"
        " FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_type y ON y.oid = a.atttypid"
        " WHERE n.nspname IN ('app', 'sec') AND t.relkind IN ('r', 'p') AND a.attnum > 0"
        " AND NOT a.attisdropped AND a.attname IN ('client_id', 'client_ids', 'clients')"
    ):
        test = f"{client_id} = ANY ({column})" if is_list else f"{column} = {client_id}"
        ((count,),) = leaving.rows(f"SELECT count(*) FROM {table} WHERE {test}")
        if count:
            found[f"{table}.{column}"] = count
    return found


def test_nothing_of_the_client_is_left_and_the_other_is_untouched(leaving: Leaving) -> None:
    before = _every_row_naming(leaving, leaving.tokyo)
    done = offboard(leaving.parts(), "berlin", leaving.out)
    assert done.step == "done"
    assert set(_every_row_naming(leaving, leaving.berlin)) == {
        "sec.audit.client_id", "app.offboarding.client_id",
    }  # fmt: skip
    assert leaving.left() == {}
    assert leaving.rows("SELECT 1 FROM app.webhook_event WHERE account_id = 1001") == []
    assert _every_row_naming(leaving, leaving.tokyo) == before
    assert leaving.vault.open(leaving.sealed[leaving.tokyo], leaving.tokyo) == "secret"


def test_what_was_sealed_for_it_opens_nowhere_any_more(plain_leaving: Leaving) -> None:
    copy = plain_leaving.keys.export()
    done = offboard(plain_leaving.parts(), "berlin", plain_leaving.out)
    with pytest.raises(SettingsError, match="destroyed"):
        plain_leaving.vault.open(plain_leaving.sealed[plain_leaving.berlin], plain_leaving.berlin)
    assert plain_leaving.keys.take_in(copy) == (0, 1)
    assert done.certificate is not None
    assert done.certificate["key"]["fingerprint"]
    assert plain_leaving.forgotten == [(plain_leaving.berlin, (1001,))]


def test_the_export_holds_every_row_and_no_secret(plain_leaving: Leaving) -> None:
    ((spend, rows),) = plain_leaving.rows(
        "SELECT sum(spend_micro)::bigint, count(*) FROM app.insights_daily WHERE account_id = 1001"
    )
    offboard(plain_leaving.parts(), "berlin", plain_leaving.out)
    table = pq.read_table(plain_leaving.out / "app.insights_daily.parquet")
    assert (sum(table["spend_micro"].to_pylist()), table.num_rows) == (spend, rows)
    assert (plain_leaving.out / "reports" / "1.pdf").read_bytes() == b"%PDF-1.7 report"
    people = json.loads((plain_leaving.out / "people.json").read_text())
    assert {p["name"] for p in people} >= {HOSTILE, "Both"}
    manifest = json.loads((plain_leaving.out / "MANIFEST.json").read_text())
    assert {"sec.client_key", "sec.login", "sec.connect_attempt"} <= set(manifest["left_out"])
    for file in plain_leaving.out.glob("*.parquet"):
        names = set(pq.read_schema(file).names)
        assert not names & {"token_sealed", "nonce_hash", "payload", "payload_sealed"}, file


def test_people_of_that_client_alone_are_forgotten_and_others_lose_the_grant(
    plain_leaving: Leaving,
) -> None:
    done = offboard(plain_leaving.parts(), "berlin", plain_leaving.out)
    assert plain_leaving.rows("SELECT username FROM sec.person ORDER BY 1") == [
        ("both",), ("local-owner",),
    ]  # fmt: skip
    assert (
        plain_leaving.rows(f"SELECT 1 FROM pg_roles WHERE rolname = '{plain_leaving.login}'") == []
    )
    assert plain_leaving.rows("SELECT jti, client_ids FROM sec.api_token") == [
        ("b" * 24, [plain_leaving.tokyo])
    ]  # fmt: skip
    told = {n: done.revoked[n] for n in ("grants", "logins", "people_forgotten", "invitations",
                                         "api_tokens", "narrowed_tokens", "connections")}  # fmt: skip
    assert told == {"grants": 2, "logins": 1, "people_forgotten": 1, "invitations": 1,
                    "api_tokens": 1, "narrowed_tokens": 1, "connections": 1}  # fmt: skip


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", store.STEPS[:-1])
def test_killed_after_any_step_it_goes_on_and_ends_the_same(
    plain_leaving: Leaving, step: str
) -> None:
    def after(done: str) -> None:
        if done == step:
            raise Killed

    with pytest.raises(Killed):
        offboard(plain_leaving.parts(after=after), "berlin", plain_leaving.out)
    assert plan(plain_leaving.parts(), "berlin").step == step
    done = offboard(plain_leaving.parts(), "berlin", plain_leaving.out)
    assert done.step == "done"
    assert plain_leaving.left() == {}
    assert done.purged["app.insights_daily"] == done.exported["app.insights_daily"]
    assert done.certificate is not None
    assert is_genuine(done.certificate, plain_leaving.vault)


def test_an_export_that_was_changed_stops_everything_before_a_row_is_gone(
    plain_leaving: Leaving,
) -> None:
    def after(done: str) -> None:
        if done == "revoked":
            raise Killed

    with pytest.raises(Killed):
        offboard(plain_leaving.parts(after=after), "berlin", plain_leaving.out)
    before = plain_leaving.left()
    file = plain_leaving.out / "app.insights_daily.parquet"
    good = file.read_bytes()
    file.write_bytes(good[:-1] + b"X")
    with pytest.raises(ConflictError, match=r"app\.insights_daily\.parquet was changed"):
        offboard(plain_leaving.parts(), "berlin", plain_leaving.out)
    file.unlink()
    with pytest.raises(ConflictError, match="is missing"):
        offboard(plain_leaving.parts(), "berlin", plain_leaving.out)
    assert plain_leaving.left() == before
    file.write_bytes(good)
    assert offboard(plain_leaving.parts(), "berlin", plain_leaving.out).step == "done"


def test_rows_that_came_after_the_export_make_it_be_written_anew(plain_leaving: Leaving) -> None:
    def after(done: str) -> None:
        if done == "exported":
            with transaction(plain_leaving.engine) as c:
                c.execute(text("INSERT INTO app.goal (client_id, metric, target, set_by)"
                               f" VALUES ({plain_leaving.berlin}, 'cpa', 2, 'x')"))  # fmt: skip

    with pytest.raises(ConflictError, match=r"app\.goal has 2 rows, the export 1"):
        offboard(plain_leaving.parts(after=after), "berlin", plain_leaving.out)
    done = offboard(plain_leaving.parts(), "berlin", plain_leaving.out)
    assert done.exported["app.goal"] == 2


def test_a_running_job_is_waited_for_and_then_taken_from_its_worker(plain_leaving: Leaving) -> None:
    with transaction(plain_leaving.engine) as c:
        c.execute(text("UPDATE app.job SET state = 'running', lease_until = now()"))
    naps: list[float] = []
    offboard(plain_leaving.parts(sleep=naps.append), "berlin", plain_leaving.out)
    assert sum(naps) == 120
    assert plain_leaving.left() == {}


def test_the_certificate_is_signed_counts_and_closes_the_audit_chain(
    plain_leaving: Leaving,
) -> None:
    done = offboard(plain_leaving.parts(), "berlin", plain_leaving.out, "Boss")
    made = json.loads((plain_leaving.out / "certificate.json").read_text())
    assert made == done.certificate
    assert is_genuine(made, plain_leaving.vault)
    assert not is_genuine({**made, "rows_deleted_in_all": 0}, plain_leaving.vault)
    assert not is_genuine(made, Vault(b"x" * 32))
    assert made["rows_deleted"] == done.purged
    assert (made["begun_by"], made["done_by"]) == ("Boss", "Boss")
    ((entries, head),) = plain_leaving.rows(
        "SELECT chain_no, encode(hash, 'hex') FROM sec.audit_head"
    )
    assert made["audit_head"] == {"entries": entries, "hash": head}
    actions = [a for (a,) in plain_leaving.rows(
        "SELECT action FROM sec.audit WHERE actor = 'Boss' ORDER BY audit_id")]  # fmt: skip
    assert actions[0] == "client.offboard_begin"
    assert actions[-1] == "client.offboard"


def test_the_certificate_and_the_log_name_no_other_client(plain_leaving: Leaving) -> None:
    """One login at Meta serves both; only whoever lets the client go is told of the other."""
    told: list[str] = []
    with transaction(plain_leaving.engine) as c:
        c.execute(text("UPDATE sec.connection SET token_type = 'USER', meta_user_id = 9001"))
    done = offboard(plain_leaving.parts(tell=told.append), "berlin", plain_leaving.out)
    assert "also serves tokyo" in "\n".join(map(str, told))
    assert list(done.certificate["access_ended"]["at_meta"].values()) == ["kept"]
    assert "tokyo" not in (plain_leaving.out / "certificate.json").read_text()
    logged = plain_leaving.rows(
        f"SELECT details::text FROM sec.audit WHERE client_id = {plain_leaving.berlin}"
    )
    assert "tokyo" not in str(logged)


def test_a_hostile_name_stays_text_in_the_certificate() -> None:
    from datetime import UTC, datetime

    from adlab.reports.pdf import compile_pdf

    made: dict[str, Any] = {
        "client": "x", "name": HOSTILE, "accounts": [], "begun_at": "a", "begun_by": '#panic("x")',
        "done_at": "b", "done_by": "*c*", "export": {"manifest_sha256": "d"},
        "rows_deleted": {"app.x": 1}, "rows_deleted_in_all": 1, "key": {"fingerprint": None},
        "kept": ["e"], "backups": "f", "audit_head": {"entries": 1, "hash": "g"}, "signature": "h",
    }  # fmt: skip
    pdf = compile_pdf(to_typst(made), datetime(2026, 11, 21, tzinfo=UTC))
    assert pdf.startswith(b"%PDF")


def test_the_slug_stays_taken_and_the_client_cannot_leave_twice(plain_leaving: Leaving) -> None:
    offboard(plain_leaving.parts(), "berlin", plain_leaving.out)
    with pytest.raises(ConflictError, match="off-boarded on 2026-11-21"):
        offboard(plain_leaving.parts(), "berlin", plain_leaving.home / "again")
    with pytest.raises(ConflictError, match="off-boarded"):
        plan(plain_leaving.parts(), "berlin")
    with transaction(plain_leaving.engine) as c, pytest.raises(ConflictError, match="off-boarded"):
        store_client(c, "Another", "berlin")


def test_a_folder_that_exists_and_a_client_that_does_not_are_refused(
    plain_leaving: Leaving,
) -> None:
    plain_leaving.out.mkdir()
    with pytest.raises(ConflictError, match="exists already"):
        offboard(plain_leaving.parts(), "berlin", plain_leaving.out)
    with pytest.raises(UnknownObjectError, match="no client 'nobody'"):
        offboard(plain_leaving.parts(), "nobody", plain_leaving.home / "x")
    assert plain_leaving.rows("SELECT status FROM app.client WHERE slug = 'berlin'") == [
        ("active",)
    ]


def test_two_at_once_do_not_meet(plain_leaving: Leaving) -> None:
    with (
        store.only_one(plain_leaving.engine, plain_leaving.berlin),
        pytest.raises(ConflictError, match="another process"),
    ):
        offboard(plain_leaving.parts(), "berlin", plain_leaving.out)


def test_a_plan_changes_nothing_and_names_what_goes(plain_leaving: Leaving) -> None:
    before = plain_leaving.left()
    made = plan(plain_leaving.parts(), "berlin")
    assert made.rows == before
    assert (made.accounts, made.connections, made.step) == ((1001,), 1, None)
    assert {HOSTILE, "Both"} <= set(made.people)
    assert plain_leaving.left() == before
