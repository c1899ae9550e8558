"""`adlab.connect()`: one variable, one person, and only what that person was granted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

import adlab
from adlab.core.errors import (
    AccessDeniedError,
    DatabaseUnavailableError,
    SchemaOutOfDateError,
    SettingsError,
)
from adlab.core.roles import Role
from adlab.storage import access, clients
from adlab.storage.engine import libpq_url, transaction
from adlab.workbench import Workbench

from .conftest import Agency

Enter = Callable[[str], Workbench]


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Enter:
    """Connect with that URL in the environment and nothing else of ours."""
    import os

    for name in [n for n in os.environ if n.startswith("ADLAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ADLAB_HOME", str(tmp_path / "untouched"))

    def connect(url: str) -> Workbench:
        monkeypatch.setenv("ADLAB_DATABASE__URL", url)
        return adlab.connect()

    return connect


def _person(engine: Engine, name: str = "ann") -> str:
    with transaction(engine) as c:
        clients.store_client(c, "Acme", "acme")
        access.store_person(c, name, Role.ANALYST)
        access.grant(c, name, "acme", Role.ANALYST)
        user, password = access.create_credential(c, name)
    return libpq_url(engine.url.set(username=user, password=password))


def _run(engine: Engine, sql: str) -> None:
    with transaction(engine) as c:
        c.execute(text(sql))


def test_a_persons_login_sees_granted_clients_with_one_variable_only(
    agency: Agency, enter: Enter, tmp_path: Path
) -> None:
    lab = enter(agency.ann)
    assert sorted(lab.clients().index) == ["acme", "filed"]
    spent = lab.insights(since="2026-11-18", until="2026-11-19", metrics=("spend",))
    assert sorted(set(spent["campaign_name"])) == ["Alpha", "Beta", "Control", "Test"]
    lab.close()
    assert not (tmp_path / "untouched").exists()


def test_whoami_names_person_role_clients_and_end(agency: Agency, enter: Enter) -> None:
    lab = enter(agency.ann)
    me = lab.whoami()
    lab.close()
    assert (me.name, me.role, me.clients) == ("ann", "analyst", ("acme", "filed"))
    assert me.login.startswith("nb_")
    assert me.login_expires_at is not None
    left = me.login_expires_at - datetime.now(UTC)
    assert timedelta(hours=11) < left <= timedelta(hours=12)
    assert me.grant_expires_at is None


def test_an_owner_sees_every_client_without_a_grant(agency: Agency, enter: Enter) -> None:
    lab = enter(agency.boss)
    assert lab.whoami().clients == ("acme", "filed", "mixed", "newco", "tokyo")
    lab.close()


def test_somebody_without_a_grant_connects_and_sees_nothing(agency: Agency, enter: Enter) -> None:
    lab = enter(agency.nobody)
    assert lab.clients().empty
    assert lab.whoami().clients == ()
    lab.close()


def test_the_reader_cannot_write(agency: Agency, enter: Enter) -> None:
    lab = enter(agency.ann)
    with pytest.raises((AccessDeniedError, adlab.AdlabError)):
        lab.reader.rows(text("DELETE FROM api.insights_daily"))
    lab.close()


def test_a_wrong_password_says_how_to_get_a_login_and_not_the_password(
    agency: Agency, enter: Enter
) -> None:
    wrong = make_url(agency.ann).set(password="hunter2-hunter2")
    with pytest.raises(AccessDeniedError, match="refused this login") as caught:
        enter(wrong.render_as_string(hide_password=False))
    assert "adlab user credential" in caught.value.remedy
    assert "hunter2" not in str(caught.value)


def test_an_expired_login_says_how_to_get_another(
    owner_engine: Engine, database_url: str, enter: Enter
) -> None:
    url = _person(owner_engine)
    _run(owner_engine, f"ALTER ROLE {make_url(url).username} VALID UNTIL '2020-01-01'")
    with pytest.raises(AccessDeniedError, match="adlab user credential"):
        enter(url)


def test_a_login_that_adlab_let_expire_is_told_so_while_postgres_still_knows_it(
    owner_engine: Engine, enter: Enter
) -> None:
    url = _person(owner_engine)
    _run(owner_engine, "UPDATE sec.login SET expires_at = now() - interval '1 minute'")
    with pytest.raises(AccessDeniedError, match="unknown to adlab, or has expired"):
        enter(url)


def test_an_expired_grant_hides_its_client(owner_engine: Engine, enter: Enter) -> None:
    url = _person(owner_engine)
    _run(owner_engine, "UPDATE sec.access SET expires_at = now() - interval '1 minute'")
    lab = enter(url)
    assert lab.clients().empty
    lab.close()


def test_a_store_of_another_version_says_what_to_update(owner_engine: Engine, enter: Enter) -> None:
    url = _person(owner_engine)
    _run(owner_engine, "UPDATE app.schema_version SET version_num = '9999'")
    with pytest.raises(SchemaOutOfDateError, match="schema 9999, this adlab wants") as caught:
        enter(url)
    assert "Ask the admin to update" in caught.value.remedy


def test_a_store_that_is_not_there_says_so_without_the_password(enter: Enter) -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"127\.0\.0\.1:1 cannot") as caught:
        enter("postgresql://ann:" + "hunter2-hunter2@127.0.0.1:1/adlab")
    assert "hunter2" not in str(caught.value)


def test_a_wrong_variable_is_named(enter: Enter) -> None:
    with pytest.raises(SettingsError, match="ADLAB_DATABASE__URL is wrong"):
        enter("hunter2-hunter2")


def test_a_workbench_shows_neither_url_nor_password(agency: Agency, enter: Enter) -> None:
    lab = enter(agency.ann)
    password = make_url(agency.ann).password
    assert password is not None
    assert password not in f"{lab!r} {lab.reader!r} {vars(lab)!r} {lab.client('acme')!r}"
    lab.close()


def test_a_metric_is_explained(lab: Workbench) -> None:
    assert lab.metric("cost_per_purchase").formula == "spend / purchases"
