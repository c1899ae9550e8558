"""Templates: figures and words in, escaped HTML out."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from adlab.ui import formats
from adlab.ui.assets import FOLDER, version
from adlab.ui.brand import Brand, make_brand
from adlab.ui.places import places
from adlab.ui.who import role_words


@cache
def environment() -> Environment:
    """The templates' environment: everything escaped, unknown names refused."""
    found = Environment(
        loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=StrictUndefined, auto_reload=False,
    )  # fmt: skip
    found.globals |= {"version": version(), "places": places}
    found.filters |= {"day": formats.day, "span": formats.span, "role": role_words}
    return found


def render(name: str, **values: Any) -> Markup:
    """A template by name, without its ending."""
    return Markup(environment().get_template(f"{name}.html").render(**values))  # noqa: S704


def house_brand() -> Brand:
    """The look of pages that belong to no client."""
    return make_brand("adlab", "adlab", {"color": "#3B6FD4"})


def message_page(
    title: str, text: str, *, root: str = "", button: tuple[str, str] | None = None,
    theme: str = "auto",
) -> str:  # fmt: skip
    """A whole page with one message, for errors and for those not logged in.

    Args:
        title: What happened.
        text: What to do.
        root: Relative path to where `assets/` lies, with its trailing slash.
        button: Words and address of the one button.
        theme: `auto`, `light` or `dark`.
    """
    return render(
        "message", title=title, text=text, root=root, button=button, theme=theme,
        brand=house_brand(),
    )  # fmt: skip
