"""Accounts with their money, objects by what changed, and fields an API does not have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.conftest import NOW, TOKEN, Simulator

from adlab.core.entities import AccountId, Level
from adlab.core.errors import RejectedRequestError
from adlab.meta import fields
from adlab.meta.client import GraphClient, Retry
from adlab.meta.objects import fetch_account, fetch_object, fetch_objects, without_missing_fields

MOMENT = datetime.fromisoformat(NOW.replace("Z", "+00:00"))


@pytest.fixture
def client(simulator: Simulator) -> Iterator[GraphClient]:
    client = GraphClient(
        simulator.url, "v26.0", TOKEN, page_size=100, retry=Retry(attempts=2, first_wait=0.01),
        sleep=lambda _: None,
    )  # fmt: skip
    yield client
    client.close()


def test_an_account_brings_its_money_in_offset_units(
    client: GraphClient, simulator: Simulator
) -> None:
    plain = fetch_account(client, AccountId(1002))
    assert (plain.currency, plain.spend_cap_minor, plain.is_prepay) == ("JPY", None, False)
    simulator.control(
        "POST", "/__accounts",
        {"account": "1002", "spend_cap": "500000", "is_prepay_account": True, "balance": "1234",
         "account_status": 9, "disable_reason": 3},
    )  # fmt: skip
    changed = fetch_account(client, AccountId(1002))
    assert (changed.spend_cap_minor, changed.balance_minor, changed.is_prepay) == (
        500_000, 1234, True,
    )  # fmt: skip
    assert (changed.account_status, changed.disable_reason) == (9, 3)
    assert changed.min_daily_budget_minor == plain.min_daily_budget_minor
    assert changed.capabilities == ("CAN_USE_BUDGET_SCHEDULING_API",)


def test_only_what_changed_since_is_read(client: GraphClient, simulator: Simulator) -> None:
    account = AccountId(1001)

    def ids(since: datetime | None) -> set[int]:
        pages = fetch_objects(client, account, Level.CAMPAIGN, since)
        return {o.object_id for page in pages for o in page}

    everything = ids(None)
    changed = next(iter(sorted(everything)))
    assert ids(MOMENT + timedelta(seconds=1)) == set()
    simulator.control("POST", "/__clock", {"advance_seconds": 60})
    simulator.control("POST", "/__objects", {"id": str(changed), "set": {"name": "Renamed"}})
    assert changed in ids(MOMENT + timedelta(seconds=1))
    assert len(ids(datetime(2000, 1, 1, tzinfo=UTC))) == len(everything)


def test_a_deleted_object_is_read_by_its_own_id(client: GraphClient) -> None:
    rows = client.get("act_1001/ads", {"fields": "id", "limit": "1"})["data"]
    (ad,) = fetch_object(client, Level.AD, [int(rows[0]["id"]), 999_999_999])
    assert ad.object_id == int(rows[0]["id"])
    assert ad.status is not None


def test_a_field_this_api_does_not_have_is_left_out_and_the_rest_read() -> None:
    asked: list[list[str]] = []

    def ask(names: object) -> str:
        asked.append(list(names))  # type: ignore[call-overload]
        if "low_creative_reach" in asked[-1]:
            raise RejectedRequestError(
                "(#100) Tried accessing nonexisting field (low_creative_reach) on node type (AdSet)",
                code=100,
            )
        return "read"

    assert without_missing_fields(fields.AD_SET, ask) == "read"
    assert len(asked) == 2
    assert set(asked[0]) - set(asked[1]) == {"low_creative_reach"}


def test_another_refusal_is_no_reason_to_ask_for_less() -> None:
    def ask(_: object) -> None:
        raise RejectedRequestError("Invalid parameter", code=100)

    with pytest.raises(RejectedRequestError):
        without_missing_fields(("id", "name"), ask)


def test_fields_of_the_catalogue_exist_in_metas_own_package() -> None:
    from facebook_business.adobjects.adactivity import AdActivity
    from facebook_business.adobjects.adcreative import AdCreative
    from facebook_business.adobjects.adspixel import AdsPixel
    from facebook_business.adobjects.adstudy import AdStudy
    from facebook_business.adobjects.customaudience import CustomAudience

    for names, kind in (
        (fields.CREATIVE_WHOLE, AdCreative),
        (fields.AUDIENCE, CustomAudience),
        (fields.STUDY, AdStudy),
        (fields.PIXEL, AdsPixel),
        (fields.ACTIVITY, AdActivity),
    ):
        known = {v for k, v in vars(kind.Field).items() if not k.startswith("_")}
        assert set(names) <= known, kind
