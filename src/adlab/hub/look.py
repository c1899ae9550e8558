"""How the hub's own pages look: the house's tokens, quiet, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adlab.hub.authenticator import in_store
from adlab.hub.people import Person, load_people
from adlab.hub.plan import Plan
from adlab.ui.pages import house_brand


def template_paths() -> list[str]:
    """For `c.JupyterHub.template_paths`."""
    return [str(Path(__file__).with_name("templates"))]


def template_values(plan: Plan) -> dict[str, Any]:
    """For `c.JupyterHub.template_vars`."""
    brand = house_brand()
    return {
        "house": {
            "name": brand.name,
            "initials": brand.initials,
            "icon": brand.icon,
            "css": brand.css,
            "home": "/services/web/",
            "demo": plan.demo,
            "person_of": person_of,
            "provider": plan.provider is not None,
        }
    }


async def person_of(username: str) -> Person | None:
    """Who somebody is just now, for the start page of notebooks; templates wait for it."""
    return (await in_store(lambda c: load_people(c, [username]))).get(username)
