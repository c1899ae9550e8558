"""Which signs of a document no font here can draw: said aloud, because paper shows mere boxes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from adlab.reports.pdf import font_files

# Scripts people are told about by name, by the first word of their signs' Unicode names.
_FONTS = {
    "CJK": "fonts-noto-cjk", "HIRAGANA": "fonts-noto-cjk", "KATAKANA": "fonts-noto-cjk",
    "KATAKANA-HIRAGANA": "fonts-noto-cjk", "HANGUL": "fonts-noto-cjk",
}  # fmt: skip


def undrawable(texts: Iterable[str]) -> str:
    """Signs no font draws, at most twenty, in order of their code; empty when all is well.

    Args:
        texts: What the document says.
    """
    signs = {c for t in texts for c in t if ord(c) > 0x2FF and _is_drawn(c)}
    for path in _fonts():
        if not signs:
            break
        signs -= _drawn_by(path)
    return "".join(sorted(signs)[:20])


def advice(signs: str) -> str:
    """One sentence on signs no font draws."""
    scripts = {unicodedata.name(c, "").split(" ")[0] for c in signs}
    packages = sorted({_FONTS.get(s, "fonts-noto-core") for s in scripts})
    return (
        f"No font here draws {signs}; the PDF shows boxes instead. "
        f"Install fonts that do, such as {' and '.join(packages)}, and render again."
    )


def _is_drawn(sign: str) -> bool:
    return unicodedata.category(sign)[0] not in "CZM" and not 0xFE00 <= ord(sign) <= 0xFE0F


def _fonts() -> Iterable[Path]:
    """Our fonts first, then those typst finds in the system."""
    yield from font_files()
    from matplotlib import font_manager

    yield from sorted(Path(p) for p in font_manager.findSystemFonts())


def _drawn_by(path: Path) -> set[str]:
    from matplotlib.ft2font import FT2Font

    try:
        return {chr(code) for code in FT2Font(str(path)).get_charmap()}
    except (OSError, RuntimeError):
        # Reason: a font file matplotlib cannot open draws nothing for us either.
        return set()
