"""Colour tokens, contrast, and brand colours that stay readable on them."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Mode = Literal["light", "dark"]

# Reason: light `warn` is a shade darker than the look's #A76400, which reaches only 4.4:1 on the
# ground, where the strip stands; text needs 4.5:1.
TOKENS: dict[Mode, dict[str, str]] = {
    "light": {
        "ground": "#F7F8FA", "surface": "#FFFFFF", "ink": "#14181F", "ink-soft": "#5B6472",
        "hairline": "#E3E6EB", "hover": "#F1F3F6", "good": "#0F7B6C", "bad": "#B4313F",
        "warn": "#A06000", "focus": "#2563EB",
    },
    "dark": {
        "ground": "#0F1216", "surface": "#171B21", "ink": "#E8EBF0", "ink-soft": "#9AA4B2",
        "hairline": "#2A303A", "hover": "#1E242C", "good": "#4FC3B0", "bad": "#F07A86",
        "warn": "#E0A64B", "focus": "#7FB0FF",
    },
}  # fmt: skip

# Series beyond the brand colour: blue, orange, green, pink, sky, vermilion (Okabe and Ito).
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")

# Marks for clients without a colour of their own, chosen to sit well on both grounds.
HOUSE = ("#3B6FD4", "#0F7B6C", "#8A5BC7", "#B4572D", "#1E7FA6", "#A8487A", "#5C7A29", "#56657F")

_HEX = re.compile(r"^#[0-9a-fA-F]{6}$")


@dataclass(frozen=True)
class BrandColors:
    """A brand colour fit for both grounds, and the text colour that reads on it."""

    light: str
    on_light: str
    dark: str
    on_dark: str


def rgb(color: str) -> tuple[float, float, float]:
    """Red, green and blue from 0 to 1.

    Raises:
        ValueError: If it is not written #rrggbb.
    """
    if not _HEX.match(color):
        raise ValueError(f"{color!r} is not a colour; write it as #1f6feb")
    return int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255


def luminance(color: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def adjust(color: str, against: str, ratio: float) -> str:
    """Move a colour's lightness, keeping its hue, until it stands out enough from a ground."""
    if contrast(color, against) >= ratio:
        return color.upper()
    hue, light, saturation = colorsys.rgb_to_hls(*rgb(color))
    step = -0.01 if luminance(against) > 0.18 else 0.01
    while 0 < light < 1:
        light = min(1.0, max(0.0, light + step))
        moved = _hex(colorsys.hls_to_rgb(hue, light, saturation))
        if contrast(moved, against) >= ratio:
            return moved
    return _hex((light, light, light))


def brand_colors(color: str | None, seed: str = "") -> BrandColors:
    """A client's colour for both modes; one of the house colours where it has none.

    Args:
        color: `#rrggbb` from the client's settings, or None. Anything else counts as none.
        seed: What picks the house colour, so that a client keeps its own.
    """
    base = color if color and _HEX.match(color) else HOUSE[sum(seed.encode()) % len(HOUSE)]
    light = adjust(base, TOKENS["light"]["ground"], 3.0)
    # Reason: thin lines on dark ground need more than the bare minimum to look alive.
    dark = adjust(base, TOKENS["dark"]["surface"], 4.5)
    return BrandColors(light, text_on(light), dark, text_on(dark))


def text_on(color: str) -> str:
    """White, near-black or black: the first that reads well on a colour."""
    white, ink, black = "#FFFFFF", "#0B0E13", "#000000"
    best = white if contrast(white, color) >= contrast(ink, color) else ink
    return best if contrast(best, color) >= 4.5 else max(white, black, key=_against(color))


def _against(color: str) -> Callable[[str], float]:
    return lambda text: contrast(text, color)


def css_variables(brand: BrandColors) -> str:
    """The tokens as CSS, for both modes; the page's `data-theme` decides, else the system."""
    light = _block(TOKENS["light"] | {"brand": brand.light, "on-brand": brand.on_light}, "light")
    dark = _block(TOKENS["dark"] | {"brand": brand.dark, "on-brand": brand.on_dark}, "dark")
    return (
        f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f":root[data-theme=light]{{{light}}}:root[data-theme=dark]{{{dark}}}"
    )


def _block(values: dict[str, str], scheme: str) -> str:
    return f"color-scheme:{scheme};" + "".join(f"--{k}:{v};" for k, v in values.items())


def _hex(color: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(c * 255):02X}" for c in color)
