"""Templates escape names, reach no other host, and keep their promises."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from adlab.core.periods import DateRange
from adlab.stats.pacing import evaluate_pacing
from adlab.ui.address import Address
from adlab.ui.assets import FOLDER, load_assets, version
from adlab.ui.brand import make_brand
from adlab.ui.client_board import REGIONS, Part, draw_client, draw_message
from adlab.ui.figures import Campaigns, Figures, Freshness
from adlab.ui.plan import Plan
from adlab.ui.who import Who
from adlab.ui.wire import Drawn

EVIL = "\"><script>alert(1)</script>'"
AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
PERIOD = DateRange(date(2026, 10, 22), date(2026, 11, 20))
FRESH = Freshness(AT, AT, date(2026, 10, 23), {}, False, 1, date(2026, 11, 20))


def _draw(
    figures: Part[list[Figures]], campaigns: Part[Campaigns], address: Address | None = None,
    fresh: Freshness = FRESH, name: str = "Acme",
) -> Drawn:  # fmt: skip
    who = Who("acme", make_brand(name, "acme"), [("acme", name), ("b", EVIL)], EVIL)
    return draw_client(who, address or Address(client="acme"), (EVIL,), AT, PERIOD, fresh, 1,
                       figures, campaigns, Part(None, "ready"))  # fmt: skip


def test_every_name_is_escaped(figures: Figures, campaigns: Campaigns) -> None:
    rows = campaigns.rows.assign(name=EVIL, status=EVIL)
    hostile = replace(campaigns, rows=rows)
    failing = replace(FRESH, failures={EVIL: EVIL})
    address = Address(client="acme", search=EVIL, campaigns=(11,))
    drawn = _draw(Part([figures], "ready"), Part(hostile, "ready"), address, failing, EVIL)
    page = "".join(drawn.regions.values())
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"<[^>]*\son\w+=", page)


def test_a_budget_out_of_plan_stands_before_the_finding(
    figures: Figures, campaigns: Campaigns
) -> None:
    november = DateRange(date(2026, 11, 1), date(2026, 11, 30))
    pacing = evaluate_pacing(1_000, 1_500, november, date(2026, 11, 21))
    plans = [Plan("", "EUR", november, date(2026, 11, 21), pacing)]
    who = Who("acme", make_brand("Acme", "acme"), [], "Ann")
    drawn = draw_client(who, Address(client="acme"), (), AT, PERIOD, FRESH, 1,
                        Part([figures], "ready"), Part(campaigns, "ready"), Part(None, "ready"),
                        plans=Part(plans, "ready"))  # fmt: skip
    first, second = re.findall(r'class="headline">(.*?)</', drawn.regions["lead"])
    assert first.startswith("November is far ahead of plan: spent €1,500 of €1,000")
    assert second.startswith(("Spent", "ROAS", "Cost"))


def test_every_region_is_drawn(figures: Figures, campaigns: Campaigns) -> None:
    drawn = _draw(Part([figures], "ready"), Part(campaigns, "ready"))
    assert tuple(drawn.regions) == REGIONS
    assert all(text for name, text in drawn.regions.items() if name not in ("plan", "reports"))
    assert not drawn.pending
    assert 'data-kpi="spend">€3,000</span>' in drawn.regions["tiles"]


def test_currencies_stand_apart(figures: Figures, campaigns: Campaigns) -> None:
    dollars = replace(figures, currency="USD")
    drawn = _draw(Part([figures, dollars], "ready"), Part(campaigns, "ready"))
    assert drawn.regions["tiles"].count('data-kpi="spend"') == 2
    assert "€3,000" in drawn.regions["tiles"]
    assert "$3,000" in drawn.regions["tiles"]
    assert "6,000" not in drawn.regions["tiles"]


def test_what_loads_has_a_skeleton_of_the_same_shape() -> None:
    drawn = _draw(Part(None, "loading"), Part(None, "loading"))
    assert drawn.pending
    assert drawn.regions["tiles"].count('class="tile card wait"') == 8
    assert drawn.regions["campaigns"].count("bone row") == 20


def test_a_broken_part_keeps_the_rest_and_its_last_value(
    figures: Figures, campaigns: Campaigns
) -> None:
    drawn = _draw(Part([figures], "failed"), Part(campaigns, "ready"))
    assert "could not be read just now" in drawn.regions["tiles"]
    assert "€3,000" in drawn.regions["tiles"]
    assert "data-grid" in drawn.regions["campaigns"]
    alone = _draw(Part([figures], "ready"), Part(None, "failed"))
    assert "could not be read just now" in alone.regions["campaigns"]


@pytest.mark.parametrize(
    ("fresh", "said"),
    [
        (replace(FRESH, accounts=0), "No ad account is connected yet."),
        (replace(FRESH, last_day=None, loading=True), "The history is being read from Meta."),
        (FRESH, "Nothing was delivered in this period."),
    ],
)
def test_emptiness_has_a_reason(fresh: Freshness, said: str) -> None:
    drawn = _draw(Part([], "ready"), Part(None, "loading"), fresh=fresh)
    assert said in drawn.regions["lead"]
    assert drawn.regions["tiles"] == ""


def test_no_delivery_offers_the_last_active_days() -> None:
    drawn = _draw(Part([], "ready"), Part(None, "loading"))
    assert "since=2026-10-22&amp;until=2026-11-20" in drawn.regions["lead"]


def test_a_filter_that_hides_all_offers_to_clear_it(figures: Figures, campaigns: Campaigns) -> None:
    drawn = _draw(Part([figures], "ready"), Part(campaigns, "ready"),
                  Address(client="acme", search="zzz", theme="dark"))  # fmt: skip
    assert 'href="?client=acme&amp;theme=dark"' in drawn.regions["campaigns"]


def test_stale_numbers_are_dimmed(figures: Figures, campaigns: Campaigns) -> None:
    old = replace(FRESH, checked_at=datetime(2026, 11, 20, tzinfo=UTC))
    drawn = _draw(Part([figures], "ready"), Part(campaigns, "ready"), fresh=old)
    assert 'class="clock warn"' in drawn.regions["strip"]
    assert 'class="tiles stale"' in drawn.regions["tiles"]


def test_a_message_page_shows_no_numbers() -> None:
    who = Who("", make_brand("adlab", "adlab"), [], "Ana")
    drawn = draw_message(who, Address(), "No such client", "Ask.")
    assert drawn.client_id == 0
    assert "data-kpi" not in "".join(drawn.regions.values())


def test_a_chart_has_a_title_a_table_and_is_reachable_by_keys(
    figures: Figures, campaigns: Campaigns
) -> None:
    trend = _draw(Part([figures], "ready"), Part(campaigns, "ready")).regions["trend"]
    assert "<h2>Spend is where it usually is" in trend
    assert 'tabindex="0"' in trend
    assert trend.count("<tr>") == 31


def test_no_asset_or_template_reaches_another_host() -> None:
    for path in [*FOLDER.rglob("*.html"), *FOLDER.rglob("*.css"), *FOLDER.rglob("board.js")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(https?:)?//[a-z0-9-]+\.[a-z]", text.replace("// ", "")), path.name


def test_no_template_runs_inline_script() -> None:
    for path in FOLDER.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*(src=|application/json))", text), path.name
        assert not re.search(r"\son(click|load|error|input)=", text), path.name


def test_assets_are_small_and_versioned() -> None:
    found = load_assets()
    assert {"board.css", "board.js", "bokeh.min.js", "inter-latin.woff2"} <= set(found)
    needed = ("board.css", "board.js", "bokeh.min.js", "inter-latin.woff2")
    first = sum(len(found[n].zipped or found[n].body) for n in needed)
    assert first < 600_000
    assert re.fullmatch("[0-9a-f]{12}", version())
