"""The same migrations on an empty and on a filled database, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest
from sqlalchemy import make_url, text

from adlab.core.errors import AccessDeniedError, SchemaOutOfDateError
from adlab.core.insights import STORED_NAMES
from adlab.storage import metrics_sql
from adlab.storage.engine import connect_engine, owner_engine, transaction
from adlab.storage.migrate import migrate, newest_version
from tests.conftest import create_database, drop_database


@pytest.fixture
def blank(any_server: str) -> Iterator[str]:
    url = create_database(any_server)
    yield url
    drop_database(any_server, url)


def test_an_empty_database_reaches_the_newest_version_twice(blank: str) -> None:
    assert migrate(blank) == newest_version()
    assert migrate(blank) == newest_version()


def test_a_filled_database_keeps_every_row(blank: str) -> None:
    migrate(blank, target="0003")
    engine = owner_engine(blank)
    with transaction(engine) as c:
        c.execute(text("INSERT INTO app.client (slug, name) VALUES ('acme', 'Acme')"))
        c.execute(
            text(
                "INSERT INTO app.account (account_id, client_id, name, currency, timezone, source)"
                " VALUES (1001, 1, 'A', 'EUR', 'UTC', 'meta')"
            )
        )
        c.execute(
            text(
                "INSERT INTO app.insights_daily (date, client_id, account_id, level, object_id,"
                " spend_micro, fetched_at) SELECT :day - i, 1, 1001, 2, o, 1000 * i + o, now()"
                " FROM generate_series(1, 200) i, generate_series(1, 5) o"
            ),
            {"day": date(2026, 11, 20)},
        )
        before = c.execute(text("SELECT count(*), sum(spend_micro) FROM app.insights_daily")).one()
    assert migrate(blank) == newest_version()
    with transaction(engine) as c:
        after = c.execute(text("SELECT count(*), sum(spend_micro) FROM app.insights_daily")).one()
        seen = c.scalar(text("SELECT count(*) FROM api.insights_daily"))
    engine.dispose()
    assert (
        tuple(after)
        == tuple(before)
        == (1000, sum(1000 * i + o for i in range(1, 201) for o in range(1, 6)))
    )
    assert seen == 1000


def test_stored_columns_and_copy_order_match_the_table(blank: str) -> None:
    migrate(blank)
    engine = connect_engine(blank)
    with transaction(engine) as c:
        columns = set(
            c.scalars(
                text(
                    "SELECT column_name FROM information_schema.columns"
                    " WHERE table_schema = 'app' AND table_name = 'insights_daily'"
                )
            )
        )
    engine.dispose()
    assert columns == set(metrics_sql.INSIGHT_COLUMNS)
    assert set(STORED_NAMES) < columns


@pytest.mark.timescale
@pytest.mark.parametrize("any_server", ["timescale"], indirect=True)
def test_with_timescale_the_fact_table_is_a_hypertable_with_policies(any_database: str) -> None:
    engine = connect_engine(any_database)
    with transaction(engine) as c:
        settings = c.execute(
            text(
                "SELECT segmentby, orderby FROM timescaledb_information.hypertable_columnstore_settings"
                " WHERE hypertable = 'app.insights_daily'::regclass"
            )
        ).one()
        jobs = set(
            c.scalars(
                text(
                    "SELECT proc_name FROM timescaledb_information.jobs"
                    " WHERE hypertable_name = 'insights_daily'"
                )
            )
        )
    engine.dispose()
    assert settings.segmentby == "client_id,account_id,level"
    assert settings.orderby.startswith("object_id,date")
    assert {"policy_compression", "policy_retention"} <= jobs


@pytest.mark.timescale
@pytest.mark.parametrize("any_server", ["timescale"], indirect=True)
def test_restating_compressed_days_changes_rows_and_summary(any_database: str) -> None:
    from adlab.core.entities import Level
    from adlab.core.periods import DateRange
    from adlab.storage.insights import store_insights

    engine = owner_engine(any_database)
    day = date(2026, 1, 10)
    with transaction(engine) as c:
        c.execute(text("INSERT INTO app.client (slug, name) VALUES ('acme', 'Acme')"))

    def store(spend: int) -> None:
        rows = [
            ((day + timedelta(days=i)).isoformat(), 5, spend, *([1] * 16), None, None, None, None, None)
            for i in range(20)
        ]  # fmt: skip
        with transaction(engine) as c:
            store_insights(
                c, client_id=1, account_id=1001, level=Level.CAMPAIGN,
                period=DateRange(day, day + timedelta(days=19)), rows=rows,
            )  # fmt: skip

    store(1_000_000)
    with psycopg.connect(make_url(any_database).render_as_string(False), autocommit=True) as admin:
        for (chunk,) in admin.execute("SELECT show_chunks('app.insights_daily')::text").fetchall():
            admin.execute(f"CALL convert_to_columnstore('{chunk}')")  # type: ignore[call-overload]
    store(2_000_000)
    with transaction(engine) as c:
        assert c.scalar(text("SELECT sum(spend_micro) FROM app.insights_daily")) == 40_000_000
        assert c.scalar(text("SELECT sum(spend_micro) FROM app.account_daily")) == 40_000_000
    engine.dispose()


def test_a_newer_database_is_refused(database_url: str) -> None:
    engine = owner_engine(database_url)
    with transaction(engine) as c:
        c.execute(text("UPDATE app.schema_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaOutOfDateError, match="9999"):
        migrate(database_url)


def test_a_persons_login_can_not_migrate(database_url: str) -> None:
    from adlab.core.roles import Role
    from adlab.services.access import credential_url
    from adlab.storage import access

    engine = owner_engine(database_url)
    with transaction(engine) as c:
        access.store_person(c, "ann", Role.ANALYST)
    url = credential_url(engine, "ann", 1)
    engine.dispose()
    with pytest.raises(AccessDeniedError, match="person's"):
        migrate(url)


def test_a_login_without_createrole_is_told_what_it_needs(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as admin:
        name = make_url(empty_database).database
        admin.execute(f"CREATE ROLE plain_{name} LOGIN PASSWORD 'x'")  # type: ignore[call-overload]
        admin.execute(f"ALTER DATABASE {name} OWNER TO plain_{name}")  # type: ignore[call-overload]
    url = make_url(empty_database).set(username=f"plain_{name}", password="x")
    with pytest.raises(AccessDeniedError, match="CREATEROLE"):
        migrate(url.render_as_string(hide_password=False))
