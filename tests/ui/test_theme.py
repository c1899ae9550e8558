"""Colours stay readable, whatever a client brings."""

from __future__ import annotations

import colorsys

import pytest

from adlab.ui.brand import initials, make_brand
from adlab.ui.theme import HOUSE, TOKENS, brand_colors, contrast, text_on


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "ink-soft", "good", "bad", "warn"])
@pytest.mark.parametrize("ground", ["ground", "surface", "hover"])
def test_text_tokens_reach_wcag_aa(mode: str, name: str, ground: str) -> None:
    tokens = TOKENS[mode]  # type: ignore[index]
    assert contrast(tokens[name], tokens[ground]) >= 4.5


def test_every_hue_becomes_a_mark_that_stands_out_on_both_grounds() -> None:
    for step in range(0, 360, 15):
        for light in (0.05, 0.5, 0.95):
            r, g, b = (round(c * 255) for c in colorsys.hls_to_rgb(step / 360, light, 0.9))
            found = brand_colors(f"#{r:02x}{g:02x}{b:02x}")
            for token in ("ground", "surface"):
                assert contrast(found.light, TOKENS["light"][token]) >= 3
                assert contrast(found.dark, TOKENS["dark"][token]) >= 3
            assert contrast(found.on_light, found.light) >= 4.5
            assert contrast(found.on_dark, found.dark) >= 4.5


def test_a_good_brand_colour_is_left_alone() -> None:
    assert brand_colors("#1f6feb").light == "#1F6FEB"
    assert all(brand_colors(c).light == c for c in HOUSE)


@pytest.mark.parametrize("color", [None, "red", "#12345", "#1f6feb;}body{display:none", 7])
def test_malformed_colours_become_a_house_colour(color: object) -> None:
    brand = make_brand("Acme", "acme", {"color": color})
    assert brand.colors.light in HOUSE
    assert "display:none" not in brand.css


@pytest.mark.parametrize(
    "logo",
    ["https://evil.example/x.png", "data:text/html;base64,AAAA", "data:image/png;base64,A\"onload",
     "data:image/png;base64," + "A" * 500_000],
)  # fmt: skip
def test_logos_from_elsewhere_or_too_large_are_left_out(logo: str) -> None:
    assert make_brand("Acme", "acme", {"logo": logo}).logo is None


def test_initials_work_in_any_script() -> None:
    assert initials("Nordlicht Outdoor") == "NO"
    assert initials("acme") == "A"
    assert initials("東京スイーツ Tokyo") == "東"
    assert initials("<script>") == "S"
    assert initials("  ") == "·"


def test_text_on_a_colour_is_white_or_ink() -> None:
    assert text_on("#FFD60A") == "#0B0E13"
    assert text_on("#123456") == "#FFFFFF"
