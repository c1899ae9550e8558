"""Typst → PDF, with the typst wheel and fonts of our own. Reads no file, asks no network.

The fonts in `fonts/` are Inter 4.001 (SIL Open Font Licence, text beside them), instances at
weight 400 and 600 of the variable fonts the boards use, Latin and Latin extended.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from adlab.core.errors import DeliveryError, MissingRendererError

FONTS = Path(__file__).with_name("fonts")
FACES = ("Inter-Regular.ttf", "Inter-SemiBold.ttf")
FALLBACKS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")


def compile_pdf(source: str, created: datetime, *, fonts: Path = FONTS) -> bytes:
    """Typeset a Typst document.

    Args:
        source: The document; may refer to no file.
        created: Aware time written into the PDF. The same source and time give the same bytes.
        fonts: Folder with our fonts.

    Raises:
        MissingRendererError: If typst or a font is not installed.
        DeliveryError: If the document cannot be typeset.
    """
    try:
        import typst
    except ImportError:
        raise MissingRendererError(
            "typst is not installed, and makes the PDF.", "Install it: pip install typst"
        ) from None
    faces = font_files(fonts)
    with tempfile.TemporaryDirectory(prefix="adlab-typst-") as folder:
        # Reason: a root with nothing but the document, and no packages: nothing else can be read
        # or fetched.
        root, near, none = (Path(folder) / n for n in ("document", "fonts", "packages"))
        for made_here in (root, near, none):
            made_here.mkdir()
        for face in faces:
            shutil.copy(face, near)
        document = root / "report.typ"
        document.write_text(source, encoding="utf-8")
        try:
            made = typst.compile(
                document, format="pdf", root=root, package_path=none, package_cache_path=none,
                font_paths=[near], timestamp=_to_the_second(created),
            )  # fmt: skip
        except (typst.TypstError, RuntimeError, ValueError) as error:
            raise DeliveryError(
                f"The report could not be typeset: {_short(error)}.",
                "Render it again; if it stays, open the notebook and look at its text cells.",
            ) from error
    assert isinstance(made, bytes)
    return made


def font_files(fonts: Path = FONTS) -> list[Path]:
    """Our fonts, then those that come with wheels; the system's come last.

    DejaVu Sans (matplotlib's) writes Greek, Cyrillic and Arabic, IPAexGothic (matplotlib-fontja's)
    Japanese and most of the Chinese signs it shares.

    Raises:
        MissingRendererError: If a font is not there.
    """
    missing = [f for f in FACES if not (fonts / f).is_file()]
    if missing:
        raise MissingRendererError(
            f"The font {missing[0]} is missing from adlab's reports folder.",
            "Install adlab again: pip install --force-reinstall --no-deps adlab",
        )
    try:
        import matplotlib
    except ImportError:
        raise MissingRendererError(
            "matplotlib is not installed: charts and the font DejaVu Sans come with it.",
            "Install it: pip install matplotlib",
        ) from None
    # Reason: file by file, because that folder also holds a font that draws a box for every sign
    # there is, and would win over a font of the system that can write it.
    dejavu = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    others = [dejavu / f for f in FALLBACKS]
    spec = importlib.util.find_spec("matplotlib_fontja")
    if spec is not None and spec.origin is not None:
        # Reason: found, not imported, because importing it changes matplotlib's defaults.
        others.append(Path(spec.origin).parent / "fonts" / "ipaexg.ttf")
    return [*(fonts / f for f in FACES), *(p for p in others if p.is_file())]


def _to_the_second(moment: datetime) -> datetime:
    # Reason: typst takes fixed offsets and whole seconds only.
    return moment.astimezone(UTC).replace(microsecond=0)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")


def page_count(pdf: bytes) -> int:
    """How many pages a PDF of typst's has."""
    # Reason: typst writes page objects uncompressed; counting them saves a PDF reader.
    return len(re.findall(rb"/Type\s*/Page\b", pdf))
