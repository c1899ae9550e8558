"""Pages kept as bytes give exactly what the general reader gives, and refuse what it must judge."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from adlab.core.entities import Level
from adlab.core.errors import MetaUnavailableError
from adlab.meta import parsing
from adlab.meta.rows import decode_page

ROW: dict[str, Any] = {
    "account_id": "1001", "campaign_id": "1201", "campaign_name": "Herbst ä", "adset_id": "1301",
    "ad_id": "1401", "ad_name": "Ad", "date_start": "2026-11-03", "date_stop": "2026-11-03",
    "impressions": "8123", "reach": "6042", "spend": "57.31", "clicks": "143",
    "inline_link_clicks": "96", "attribution_setting": "7d_click_1d_view", "unknown_field": [1],
    "actions": [
        {"action_type": "link_click", "value": "96"},
        {"action_type": "purchase", "value": "5", "1d_click": "3", "7d_click": "4"},
        {"action_type": "only_windows", "1d_view": "2"},
    ],
    "action_values": [{"action_type": "purchase", "value": "412.5", "7d_click": "330"}],
}  # fmt: skip


def both(row: dict[str, Any], level: Level = Level.AD, **dump: Any) -> tuple[Any, Any]:
    content = orjson.dumps({"data": [row], "paging": {"cursors": {}}}, **dump)
    page = decode_page(content)
    assert page is not None
    kept = parsing.insight_tuple(page["data"][0], level)
    plain = parsing.insight_tuple(orjson.loads(content)["data"][0], level)
    return kept, plain


@pytest.mark.parametrize("level", [Level.ACCOUNT, Level.CAMPAIGN, Level.AD])
@pytest.mark.parametrize(
    "change",
    [
        {}, {"actions": None}, {"spend": None, "reach": None}, {"impressions": 8123},
        {"actions": [], "action_values": []}, {"attribution_setting": "mixed", "actions": None},
        {"quality_ranking": "AVERAGE"}, {"actions": [{"action_type": "lead", "value": 2}]},
    ],
)  # fmt: skip
def test_a_row_kept_as_bytes_is_the_row_read_in_full(level: Level, change: dict[str, Any]) -> None:
    row = {k: v for k, v in {**ROW, **change}.items() if v is not None}
    kept, plain = both(row, level)
    assert kept[:-1] == plain[:-1]
    assert (kept[-1] and orjson.loads(kept[-1])) == (plain[-1] and orjson.loads(plain[-1]))


def test_an_indented_page_has_no_bare_breaks_left_to_end_a_cell() -> None:
    kept, plain = both(ROW, option=orjson.OPT_INDENT_2)
    assert b"\n" not in kept[-1]
    assert orjson.loads(kept[-1]) == orjson.loads(plain[-1])


def test_objects_are_named_alike() -> None:
    page = decode_page(orjson.dumps({"data": [ROW]}))
    assert page is not None
    assert parsing.named_object(page["data"][0], Level.AD) == parsing.named_object(ROW, Level.AD)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<html>", b"[]", b'{"data":[null]}', b'{"data":{}}', b'{"data":[1]}',
        b'{"error":{"code":1}}', b'{"data":[],"error":{"code":190}}', b'{"success":false}',
        b'{"data":[{"date_start":"2026-11-03"', b'{"paging":{}}', b'{"data":[{"spend":[]}]}',
    ],
)  # fmt: skip
def test_what_is_no_plain_page_is_left_to_the_general_reader(content: bytes) -> None:
    assert decode_page(content) is None


@pytest.mark.parametrize(
    "change",
    [{"actions": "none"}, {"actions": [{"value": "1"}]}, {"actions": [7]}, {"spend": "1,5"},
     {"ad_id": "x"}, {"actions": [{"action_type": "purchase", "value": "many"}]}],
)  # fmt: skip
def test_a_broken_row_is_an_outage_and_no_number(change: dict[str, Any]) -> None:
    page = decode_page(orjson.dumps({"data": [{**ROW, **change}]}))
    assert page is not None
    with pytest.raises(MetaUnavailableError):
        parsing.insight_tuple(page["data"][0], Level.AD)
