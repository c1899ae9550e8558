"""Fields of ad accounts as the Graph API writes them; the control plane can override each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adlab.simulator import periods

if TYPE_CHECKING:
    from adlab.simulator.entities import Moment, Reader


def least_budget(moment: Moment) -> int:
    """Give the smallest daily budget of an account, in minor units."""
    profile = moment.account.profile
    return round(profile.units_per_usd * profile.minor_per_major)


def account_fields() -> dict[str, Reader]:
    """Give the readers of an account's fields by name."""
    return {
        "id": lambda m, i: f"act_{m.account.profile.number}",
        "account_id": lambda m, i: str(m.account.profile.number),
        "name": lambda m, i: m.account.profile.name,
        "account_status": lambda m, i: 1,
        "disable_reason": lambda m, i: 0,
        "currency": lambda m, i: m.account.profile.currency,
        "timezone_id": lambda m, i: m.account.profile.timezone_id,
        "timezone_name": lambda m, i: m.account.profile.timezone,
        "timezone_offset_hours_utc": lambda m, i: periods.utc_offset_hours(m.account.zone, m.now),
        "business": lambda m, i: _business(m),
        "business_name": lambda m, i: m.account.profile.client,
        "business_country_code": lambda m, i: m.account.profile.currency[:2],
        "owner": lambda m, i: m.account.profile.business_id,
        "amount_spent": lambda m, i: str(m.month_spend()),
        "balance": lambda m, i: str(m.month_spend() // 5),
        "spend_cap": lambda m, i: "0",
        "min_daily_budget": lambda m, i: least_budget(m),
        "min_campaign_group_spend_cap": lambda m, i: str(100 * least_budget(m)),
        "created_time": lambda m, i: m.day_time(m.account.opened_on),
        "capabilities": lambda m, i: ["CAN_USE_BUDGET_SCHEDULING_API"],
        "user_tasks": lambda m, i: ["DRAFT", "ANALYZE", "ADVERTISE"],
        "is_prepay_account": lambda m, i: False,
        "is_personal": lambda m, i: 0,
        "is_notifications_enabled": lambda m, i: True,
        "is_direct_deals_enabled": lambda m, i: False,
        "has_migrated_permissions": lambda m, i: True,
        "offsite_pixels_tos_accepted": lambda m, i: True,
        "tos_accepted": lambda m, i: {"web_custom_audience_tos": 1},
        "funding_source": lambda m, i: str(3_300_000 + m.account.profile.number),
        "funding_source_details": lambda m, i: {
            "id": str(3_300_000 + m.account.profile.number),
            "display_string": "Visa *4242",
            "type": 1,
        },
        "default_dsa_beneficiary": lambda m, i: m.account.profile.client,
        "default_dsa_payor": lambda m, i: m.account.profile.client,
        "age": lambda m, i: float(m.today - m.account.opened_on),
    }


def _business(moment: Moment) -> dict[str, Any]:
    return {"id": moment.account.profile.business_id, "name": moment.account.profile.client}
