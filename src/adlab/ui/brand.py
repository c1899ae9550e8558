"""A client's face: logo or monogram, and colours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from adlab.ui.theme import BrandColors, brand_colors, css_variables

# Reason: an SVG inside <img> runs no script, and nothing is fetched from a data URI.
_LOGO = re.compile(r"^data:image/(png|jpeg|webp|svg\+xml);base64,[A-Za-z0-9+/=]+$")
LOGO_CHARACTERS = 400_000


@dataclass(frozen=True)
class Brand:
    """How a client appears.

    Attributes:
        name: The client's name, unescaped.
        initials: One or two letters for the monogram.
        logo: A data URI, or None.
        colors: Colours fit for both modes.
        css: The tokens as CSS.
    """

    name: str
    initials: str
    logo: str | None
    colors: BrandColors
    css: str

    @property
    def icon(self) -> str:
        """A page icon as a data URI: the logo, or the monogram."""
        if self.logo:
            return self.logo
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" '
            f'height="32" rx="8" fill="{self.colors.light}"/><text x="16" y="21.5" '
            'font-family="Inter,system-ui,sans-serif" font-size="14" font-weight="600" '
            f'text-anchor="middle" fill="{self.colors.on_light}">{_xml(self.initials)}</text></svg>'
        )
        return "data:image/svg+xml," + quote(svg)


def make_brand(name: str, seed: str, settings: Mapping[str, Any] | None = None) -> Brand:
    """Build a brand from a client's name, slug and settings.

    Args:
        name: The client's name.
        seed: Its slug; picks a house colour where the client has none.
        settings: `color` (#rrggbb) and `logo` (data URI); malformed ones count as none.
    """
    given = settings or {}
    color, logo = given.get("color"), given.get("logo")
    colors = brand_colors(color if isinstance(color, str) else None, seed)
    fits = isinstance(logo, str) and len(logo) <= LOGO_CHARACTERS and bool(_LOGO.match(logo))
    return Brand(name, initials(name), logo if fits else None, colors, css_variables(colors))


def initials(name: str) -> str:
    """One or two letters that stand for a name, in any script.

    A name written without spaces in a script without capitals gives its first character.
    """
    words = [w for w in re.split(r"[\W_]+", unicodedata.normalize("NFC", name)) if w]
    if not words:
        return "·"
    first = words[0][0].upper()
    if not words[0][0].isascii() and unicodedata.category(words[0][0]) == "Lo":
        return first
    return first + (words[1][0].upper() if len(words) > 1 and words[1][0].isascii() else "")


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
