"""THE metric registry: formula, Meta fields, unit, how it adds up, which way is better.

SQL, frames, boards, reports and documentation derive from this table. A ratio is always the sum of
its numerator over the sum of its denominator, taken over the rows in which both are known; it is
never a mean of ratios. Reach counts people, so it never adds up over days, objects or breakdowns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from adlab.core.errors import NotAdditiveError, UnknownMetricError
from adlab.core.insights import STORED_BY_NAME

Kind = Literal["sum", "unique", "ratio"]
MetricUnit = Literal["currency", "count", "share", "ratio", "per_mille"]
Better = Literal["up", "down", "neither"]


@dataclass(frozen=True)
class MetricDef:
    """One metric.

    Attributes:
        name: The name users type.
        label: Short title for screens, sentence case.
        kind: `sum` adds up, `unique` never does (reach), `ratio` is sum over sum.
        unit: `currency`, `count`, `share` (0 to 1, shown in percent), `ratio`.
        formula: The definition in words of other metrics.
        fields: Meta's own fields that hold or make it.
        better: Which direction is good news.
        column: Stored column, for sums and uniques.
        numerator: Stored column above the line, for ratios.
        denominator: Stored column below the line, for ratios.
        scale: Factor after the division (1000 for CPM).
        caveats: What to know before relying on it.
        aliases: Other names that mean the same.
    """

    name: str
    label: str
    kind: Kind
    unit: MetricUnit
    formula: str
    fields: tuple[str, ...]
    better: Better = "up"
    column: str = ""
    numerator: str = ""
    denominator: str = ""
    scale: int = 1
    caveats: str = ""
    aliases: tuple[str, ...] = field(default=())

    @property
    def additive(self) -> bool:
        """Whether values of rows may simply be added."""
        return self.kind == "sum"

    @property
    def columns(self) -> tuple[str, ...]:
        """Stored columns it is made of."""
        return (self.column,) if self.column else (self.numerator, self.denominator)

    @property
    def is_money(self) -> bool:
        """Whether its unit is the account's currency (also per something)."""
        return self.unit == "currency"

    @property
    def adds_money(self) -> bool:
        """Whether adding rows of it adds money, so that they must share a currency."""
        return any(STORED_BY_NAME[c].unit == "micro" for c in self.columns)

    @property
    def over_reach(self) -> bool:
        """Whether it needs reach, and so holds for the queried range only."""
        return any(not STORED_BY_NAME[c].additive for c in self.columns)

    def why_not_additive(self) -> str:
        """One sentence on why values of this metric must not be added or averaged."""
        if self.kind == "unique":
            return "reach counts distinct people, and the same person comes back on other days"
        return f"{self.name} is a ratio ({self.formula}), recomputed from sums"


def _sum(
    name: str, label: str, fields: str, better: Better = "up", *,
    column: str = "", unit: MetricUnit = "count", caveats: str = "", aliases: tuple[str, ...] = (),
) -> MetricDef:  # fmt: skip
    return MetricDef(
        name, label, "sum", unit, f"Σ {name}", tuple(fields.split(",")), better,
        column=column or name, caveats=caveats, aliases=aliases,
    )  # fmt: skip


def _ratio(
    name: str, label: str, unit: MetricUnit, numerator: str, denominator: str, fields: str,
    better: Better = "up", *, scale: int = 1, caveats: str = "", aliases: tuple[str, ...] = (),
) -> MetricDef:  # fmt: skip
    above, below = numerator.removesuffix("_micro"), denominator.removesuffix("_micro")
    formula = f"{above} / {below}" + (f" × {scale}" if scale != 1 else "")
    return MetricDef(
        name, label, "ratio", unit, formula, tuple(fields.split(",")), better,
        numerator=numerator, denominator=denominator, scale=scale, caveats=caveats,
        aliases=aliases,
    )  # fmt: skip


_ALL = (
    _sum("spend", "Spend", "spend", "neither", column="spend_micro", unit="currency",
         caveats="Estimated by Meta until the day is settled.", aliases=("amount_spent", "cost")),
    _sum("impressions", "Impressions", "impressions", "neither"),
    MetricDef("reach", "Reach", "unique", "count", "distinct people", ("reach",), column="reach",
              caveats="Never additive: people seen on two days count once. Daily rows hold the "
              "reach of that day. With breakdowns Meta serves 13 months."),
    _ratio("frequency", "Frequency", "ratio", "impressions", "reach", "frequency", "neither",
           caveats="Holds for the same range as its reach; a mean of daily values is wrong."),
    _ratio("cpm", "CPM", "currency", "spend_micro", "impressions", "cpm", "down", scale=1000),
    _ratio("cpp", "CPP", "currency", "spend_micro", "reach", "cpp", "down", scale=1000,
           caveats="Cost per 1,000 people reached; holds for the same range as its reach."),
    _sum("clicks", "Clicks (all)", "clicks",
         caveats="Includes likes, expands and profile clicks.", aliases=("clicks_all",)),
    _sum("link_clicks", "Link clicks", "inline_link_clicks",
         aliases=("inline_link_clicks", "website_clicks")),
    _sum("outbound_clicks", "Outbound clicks", "outbound_clicks"),
    _ratio("ctr", "CTR (all)", "share", "clicks", "impressions", "ctr",
           caveats="All clicks. Meta sends percent (1.23); here it is a share (0.0123). Boards "
           "show CTR (link) first.", aliases=("ctr_all",)),
    _ratio("link_ctr", "CTR (link)", "share", "link_clicks", "impressions",
           "inline_link_click_ctr",
           aliases=("ctr_link", "inline_link_click_ctr")),
    _ratio("outbound_ctr", "Outbound CTR", "share", "outbound_clicks", "impressions",
           "outbound_clicks_ctr", aliases=("outbound_clicks_ctr",)),
    _ratio("cpc", "CPC (all)", "currency", "spend_micro", "clicks", "cpc", "down",
           aliases=("cpc_all",)),
    _ratio("link_cpc", "CPC (link)", "currency", "spend_micro", "link_clicks",
           "cost_per_inline_link_click", "down",
           aliases=("cpc_link", "cost_per_inline_link_click")),
    _sum("landing_page_views", "Landing page views", "actions[landing_page_view]",
         caveats="Needs the pixel.", aliases=("lpv",)),
    _ratio("lpv_rate", "Landing page view rate", "share", "landing_page_views", "link_clicks",
           "landing_page_view_per_link_click", caveats="Below 70 % hints at a slow page."),
    _ratio("cost_per_lpv", "Cost per landing page view", "currency", "spend_micro",
           "landing_page_views", "cost_per_action_type[landing_page_view]", "down"),
    _sum("content_views", "Content views", "actions[omni_view_content]"),
    _sum("searches", "Searches", "actions[omni_search]"),
    _sum("adds_to_cart", "Adds to cart", "actions[omni_add_to_cart]", aliases=("add_to_cart",)),
    _sum("checkouts", "Checkouts started", "actions[omni_initiated_checkout]",
         aliases=("initiated_checkouts",)),
    _sum("purchases", "Purchases",
         "actions[omni_purchase],actions[purchase],"
         "actions[offsite_conversion.fb_pixel_purchase]",
         caveats="The action types overlap: the first one present is taken, never their sum. "
         "Attribution is the ad set's own setting. Moves for 28 days."),
    _sum("revenue", "Revenue", "action_values[omni_purchase]", column="revenue_micro",
         unit="currency", caveats="Conversion value of purchases; same rule as purchases.",
         aliases=("conversion_value", "purchase_value")),
    _ratio("roas", "ROAS", "ratio", "revenue_micro", "spend_micro",
           "purchase_roas[omni_purchase]",
           caveats="Recomputed; a daily ROAS is no cohort figure, purchases arrive for 28 days.",
           aliases=("purchase_roas",)),
    _ratio("cpa", "Cost per purchase", "currency", "spend_micro", "purchases",
           "cost_per_action_type[omni_purchase]", "down", aliases=("cost_per_purchase",)),
    _ratio("cvr", "CVR", "share", "purchases", "link_clicks", "purchases_per_link_click",
           caveats="Purchases per link click.", aliases=("conversion_rate",)),
    _ratio("aov", "AOV", "currency", "revenue_micro", "purchases", "action_values,actions",
           caveats="Average order value."),
    _ratio("cart_rate", "Add-to-cart rate", "share", "adds_to_cart", "link_clicks", "actions"),
    _ratio("checkout_rate", "Checkout rate", "share", "checkouts", "adds_to_cart", "actions"),
    _ratio("purchase_rate", "Purchase rate", "share", "purchases", "checkouts", "actions"),
    _sum("leads", "Leads", "actions[lead]",
         caveats="`lead` already groups on-Meta and pixel leads."),
    _ratio("cpl", "Cost per lead", "currency", "spend_micro", "leads",
           "cost_per_action_type[lead]", "down", aliases=("cost_per_lead",)),
    _sum("post_engagements", "Post engagements", "actions[post_engagement]"),
    _ratio("engagement_rate", "Engagement rate", "share", "post_engagements", "impressions",
           "actions[post_engagement]"),
    _sum("video_3s_plays", "3-second plays", "actions[video_view]"),
    _sum("thruplays", "ThruPlays", "video_thruplay_watched_actions"),
    _ratio("hook_rate", "Hook rate", "share", "video_3s_plays", "impressions",
           "actions[video_view]", caveats="Thumbstop: 3-second plays per impression."),
    _ratio("hold_rate", "Hold rate", "share", "thruplays", "video_3s_plays",
           "video_thruplay_watched_actions", caveats="ThruPlays per 3-second play."),
    _ratio("cost_per_thruplay", "Cost per ThruPlay", "currency", "spend_micro", "thruplays",
           "cost_per_thruplay", "down"),
)  # fmt: skip

METRICS: dict[str, MetricDef] = {m.name: m for m in _ALL}
_BY_ALIAS = {alias: m for m in _ALL for alias in m.aliases}


def metric(name: str) -> MetricDef:
    """Look a metric up by its name or an alias.

    Raises:
        UnknownMetricError: If there is none; the message suggests near names.
    """
    key = name.strip().lower()
    found = METRICS.get(key) or _BY_ALIAS.get(key)
    if found is None:
        import difflib

        near = difflib.get_close_matches(key, [*METRICS, *_BY_ALIAS], n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else ""
        raise UnknownMetricError(
            f"There is no metric {name!r}.", f"{hint} Known: {', '.join(METRICS)}.".strip()
        )
    return found


def metrics(names: Iterable[str]) -> tuple[MetricDef, ...]:
    """Look several metrics up, keeping the order asked and dropping repeats.

    Raises:
        UnknownMetricError: If one is unknown.
        ValueError: If none is asked for.
    """
    found = tuple(dict.fromkeys(metric(n) for n in names))
    if not found:
        raise ValueError('ask for at least one metric, such as metrics=("spend",)')
    return found


def components(wanted: Iterable[MetricDef]) -> tuple[str, ...]:
    """Stored columns needed to compute and re-aggregate the given metrics, without repeats."""
    return tuple(dict.fromkeys(c for m in wanted for c in m.columns))


def refuse_sum(wanted: MetricDef, over: str, right_call: str) -> NotAdditiveError:
    """The error for adding up something that does not add up, with the right call in it."""
    return NotAdditiveError(
        f"{wanted.label} does not add up over {over}: {wanted.why_not_additive()}.", right_call
    )
