"""Rows with a breakdown become rows with a key, and what Meta withholds stays unknown."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from adlab.core.breakdowns import BREAKDOWNS, NO_VALUE, breakdown, breakdowns, holding
from adlab.core.entities import Level
from adlab.core.errors import MetaUnavailableError
from adlab.core.insights import STORED_NAMES
from adlab.core.periods import DateRange
from adlab.meta.breakdowns import breakdown_cells, question, unique

TODAY = date(2026, 11, 21)
WEEK = DateRange(date(2026, 11, 14), date(2026, 11, 20))
HOUR = "hourly_stats_aggregated_by_advertiser_time_zone"


def _row(**more: Any) -> dict[str, Any]:
    return {
        "date_start": "2026-11-20", "account_id": "1001", "campaign_id": "7", "campaign_name": "C",
        "impressions": "100", "spend": "1.25", "clicks": "3", "inline_link_clicks": "2",
        "reach": "90",
        "actions": [{"action_type": "omni_purchase", "value": "2", "7d_click": "1"}],
        **more,
    }  # fmt: skip


def _hot(cells: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(STORED_NAMES, cells, strict=True))


def test_pitfall_15_an_hour_without_impressions_has_no_key_and_breaks_none() -> None:
    kind = BREAKDOWNS["hourly"]
    empty = _row(impressions="0", spend="0", clicks="0", inline_link_clicks="0", actions=[])
    rows = [
        breakdown_cells(r, kind, Level.CAMPAIGN)
        for r in (_row(**{HOUR: "00:00:00 - 00:59:59"}), empty, empty, _row(spend="0.5"))
    ]
    kept = unique(rows)
    assert [r.value for r in kept] == ["00:00:00 - 00:59:59", NO_VALUE]
    assert len({r.key for r in kept}) == len(kept)
    # Nothing is lost: what came without an hour is added up there.
    assert _hot(kept[1].hot)["spend_micro"] == 500_000
    assert _hot(kept[1].hot)["impressions"] == 100


def test_action_lists_of_two_rows_without_a_value_add_up_by_type_and_window() -> None:
    kind = BREAKDOWNS["device"]
    rows = [breakdown_cells(_row(), kind, Level.CAMPAIGN) for _ in range(2)]
    (kept,) = unique(rows)
    assert _hot(kept.hot)["purchases"] == 4
    assert _hot(kept.hot)["reach"] is None
    assert kept.actions is not None
    assert orjson.loads(kept.actions)["actions"] == [
        {"action_type": "omni_purchase", "value": "4", "7d_click": "2"}
    ]


@pytest.mark.parametrize("kind", ["region", "hourly"])
def test_web_conversions_by_region_and_hour_are_unknown_not_zero(kind: str) -> None:
    hot = _hot(breakdown_cells(_row(), BREAKDOWNS[kind], Level.CAMPAIGN).hot)
    assert (hot["purchases"], hot["revenue_micro"], hot["leads"]) == (None, None, None)
    assert (hot["spend_micro"], hot["impressions"], hot["link_clicks"]) == (1_250_000, 100, 2)
    assert hot["reach"] == (90 if kind == "region" else None)


def test_an_asset_is_known_by_its_id_and_read_by_its_text() -> None:
    row = _row(ad_id="9", ad_name="A", adset_id="8", body_asset={"id": "777", "text": "Sale"})
    cells = breakdown_cells(row, BREAKDOWNS["body_asset"], Level.AD)
    assert (cells.object_id, cells.value, cells.label) == (9, "777", "Sale")
    assert _hot(cells.hot)["purchases"] == 2
    assert _hot(cells.hot)["link_clicks"] is None


def test_only_what_meta_allows_is_asked_for() -> None:
    def asked(kind: str, level: Level = Level.AD, period: DateRange = WEEK) -> set[str]:
        return set(question(BREAKDOWNS[kind], level, period, TODAY, True)["fields"].split(","))

    hourly = asked("hourly")
    assert "reach" not in hourly
    assert not {f for f in hourly if f.startswith(("video_", "unique_"))}
    assert asked("image_asset") == {
        "campaign_id", "adset_id", "ad_id", "ad_name", "spend", "impressions", "reach", "clicks",
        "actions", "action_values",
    }  # fmt: skip
    old = DateRange(date(2025, 10, 1), date(2025, 10, 21))
    assert "reach" in asked("country")
    assert "reach" not in asked("country", period=old)
    with pytest.raises(ValueError, match="video_asset at campaign, adset, ad only"):
        question(BREAKDOWNS["video_asset"], Level.ACCOUNT, WEEK, TODAY, True)


def test_a_broken_row_keeps_nothing() -> None:
    for wrong in ({"impressions": "many"}, {"campaign_id": None}, {"spend": "nan"}):
        with pytest.raises(MetaUnavailableError, match="row of country"):
            breakdown_cells(_row(**wrong), BREAKDOWNS["country"], Level.CAMPAIGN)
    purchases = [{"action_type": "purchase", "value": "inf"}]
    with pytest.raises(MetaUnavailableError, match="is no count"):
        breakdown_cells(_row(actions=purchases), BREAKDOWNS["country"], Level.CAMPAIGN)


def test_breakdowns_are_found_by_our_names_and_by_metas() -> None:
    assert breakdown("gender,age").kind == "age_gender"
    assert breakdown(" Country ").kind == "country"
    assert breakdowns(["all"]) == tuple(BREAKDOWNS.values())
    assert holding(("platform_position",))[0].kind == "placement"
    assert holding(("platform_position",))[1] == (1,)
    assert holding(("hour",))[0].kind == "hourly"
    for wrong in (("age", "country"), ("mood",), ("age", "age")):
        with pytest.raises(ValueError, match="do not go together"):
            holding(wrong)
