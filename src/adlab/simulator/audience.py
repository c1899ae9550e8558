"""Estimates of audiences and the search for interests and places."""

from __future__ import annotations

import json
from typing import Any

from adlab.simulator.errors import invalid_parameter
from adlab.simulator.hashing import key_of
from adlab.simulator.wire import GraphRequest

Row = dict[str, Any]
_INTERESTS = (
    ("Yoga", ("Interests", "Fitness and wellness", "Yoga"), 421_000_000),
    ("Running", ("Interests", "Fitness and wellness", "Running"), 512_000_000),
    ("Hiking", ("Interests", "Sports and outdoors", "Hiking"), 203_000_000),
    ("Surfing", ("Interests", "Sports and outdoors", "Surfing"), 61_000_000),
    ("Camping", ("Interests", "Sports and outdoors", "Camping"), 188_000_000),
    ("Cosmetics", ("Interests", "Shopping and fashion", "Beauty", "Cosmetics"), 640_000_000),
    ("Skin care", ("Interests", "Shopping and fashion", "Beauty", "Skin care"), 300_000_000),
    ("Fashion design", ("Interests", "Shopping and fashion", "Fashion design"), 150_000_000),
    ("Home improvement", ("Interests", "Hobbies", "Home improvement"), 270_000_000),
    ("Interior design", ("Interests", "Hobbies", "Interior design"), 330_000_000),
    ("Cooking", ("Interests", "Food and drink", "Cooking"), 710_000_000),
    ("Coffee", ("Interests", "Food and drink", "Coffee"), 480_000_000),
    ("Online shopping", ("Interests", "Shopping and fashion", "Online shopping"), 900_000_000),
    ("Higher education", ("Interests", "Education", "Higher education"), 260_000_000),
)
_PLACES = (
    ("DE", "Germany", "country", "DE"),
    ("AT", "Austria", "country", "AT"),
    ("FR", "France", "country", "FR"),
    ("GB", "United Kingdom", "country", "GB"),
    ("US", "United States", "country", "US"),
    ("JP", "Japan", "country", "JP"),
    ("3847", "California", "region", "US"),
    ("3875", "New York", "region", "US"),
    ("562349", "Berlin", "city", "DE"),
    ("2420605", "Tokyo", "city", "JP"),
)
TARGETING_EDGES = frozenset(
    {"targetingsearch", "targetingbrowse", "targetingsuggestions", "targetingvalidation"}
)


def targeting(edge: str, request: GraphRequest) -> Row:
    """Answer the targeting edges of an account.

    Raises:
        GraphError: If `q` is missing for the search.
    """
    if edge == "targetingsearch" and not request.params.get("q"):
        raise invalid_parameter("The parameter q is required")
    rows = [_interest(*item) for item in _INTERESTS]
    if edge == "targetingvalidation":
        wanted = {str(value) for value in request.json("id_list") or []}
        known = {row["id"]: row for row in rows}
        return {
            "data": [
                {**known[name], "valid": True} if name in known else {"id": name, "valid": False}
                for name in sorted(wanted)
            ]
        }
    if edge == "targetingsearch":
        rows = _matching(rows, request.params["q"])
    return {"data": rows[: max(request.integer("limit", 25), 1)]}


def search(request: GraphRequest) -> Row:
    """Answer the generic search.

    Raises:
        GraphError: If the type is not one of `adinterest` and `adgeolocation`.
    """
    kind, asked = request.params.get("type"), request.params.get("q", "")
    limit = max(request.integer("limit", 25), 1)
    if kind == "adinterest":
        rows = _matching([_interest(*item) for item in _INTERESTS], asked)
        return {"data": [{**row, "topic": row["path"][1]} for row in rows][:limit]}
    if kind == "adgeolocation":
        places = [
            {
                "key": key,
                "name": name,
                "type": what,
                "country_code": country,
                "supports_region": what != "region",
                "supports_city": what == "country",
            }
            for key, name, what, country in _PLACES
        ]
        return {"data": _matching(places, asked)[:limit]}
    raise invalid_parameter("type must be one of the following values: adinterest, adgeolocation")


def _matching(rows: list[Row], asked: str) -> list[Row]:
    return [row for row in rows if asked.lower() in row["name"].lower()]


def _interest(name: str, path: tuple[str, ...], size: int) -> Row:
    return {
        "id": str(6_003_000_000_000 + key_of("interest", name) % 10**9),
        "name": name,
        "type": "interests",
        "path": list(path),
        "audience_size_lower_bound": size,
        "audience_size_upper_bound": round(size * 1.176),
    }


def delivery_estimate(request: GraphRequest, spec: Any, goal: str | None) -> Row:
    """Answer a delivery estimate: a list of one.

    Raises:
        GraphError: If the goal or the targeting is missing.
    """
    if not goal or not isinstance(spec, dict):
        raise invalid_parameter("The parameters optimization_goal and targeting_spec are required")
    low, high = _bounds(spec)
    return {
        "data": [
            {
                "estimate_ready": low >= 0,
                "estimate_mau_lower_bound": low,
                "estimate_mau_upper_bound": high,
                "targeting_optimization_types": [],
            }
        ]
    }


def reach_estimate(request: GraphRequest) -> Row:
    """Answer a reach estimate: one object, not a list.

    Raises:
        GraphError: If the targeting is missing.
    """
    spec = request.json("targeting_spec")
    if not isinstance(spec, dict):
        raise invalid_parameter("The parameter targeting_spec is required")
    low, high = _bounds(spec)
    return {
        "data": {
            "users_lower_bound": low,
            "users_upper_bound": high,
            "estimate_ready": low >= 0,
        }
    }


def _bounds(spec: Row) -> tuple[int, int]:
    """Give bounds that narrow with every condition; -1 when no place is named."""
    if not spec.get("geo_locations"):
        return -1, -1
    size = 20_000_000.0 * (
        0.7 + key_of(json.dumps(spec["geo_locations"], sort_keys=True)) % 60 / 100
    )
    low_age, high_age = int(spec.get("age_min", 18)), int(spec.get("age_max", 65))
    size *= max(high_age - low_age, 1) / 47
    size *= 0.5 if len(spec.get("genders") or []) == 1 else 1.0
    size *= 0.4 if spec.get("flexible_spec") or spec.get("interests") else 1.0
    size *= 0.1 if spec.get("custom_audiences") else 1.0
    low = int(size) // 1000 * 1000
    return low, int(low * 1.176)


def sentence_lines(targeting_spec: Row) -> Row:
    """Write an ad set's targeting for people."""
    ages = f"{targeting_spec.get('age_min', 18)} - {targeting_spec.get('age_max', 65)}+"
    lines = [{"content": "Age:", "children": [ages]}]
    places = targeting_spec.get("geo_locations", {}).get("countries")
    if places:
        lines.insert(0, {"content": "Location:", "children": list(places)})
    return {"id": "targeting", "targetingsentencelines": lines}
