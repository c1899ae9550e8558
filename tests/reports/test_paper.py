"""Notebook → Typst → PDF: what a name may do on paper is to be read, nothing else."""

from __future__ import annotations

import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from pypdf import PdfReader

from adlab.core.errors import MissingRendererError, ReportFailedError
from adlab.reports.blocks import MIME, breakable, plain, shorten
from adlab.reports.glyphs import advice, undrawable
from adlab.reports.pdf import compile_pdf, font_files, page_count
from adlab.reports.typst_exporter import TypstExporter, markdown_to_typst
from tests.reports.seed import HOSTILE

WHEN = datetime(2026, 11, 21, 10, tzinfo=UTC)


def typst_of(*cells: Any) -> str:
    node = nbformat.v4.new_notebook(cells=list(cells))
    source, resources = TypstExporter().from_notebook_node(node, {"metadata": {"name": "n"}})
    assert resources["output_extension"] == ".typ"
    return source


def showing(block: dict[str, Any], **metadata: Any) -> Any:
    output = nbformat.v4.new_output("display_data", {MIME: block, "text/plain": "block"})
    return nbformat.v4.new_code_cell("show()", outputs=[output], metadata=metadata)


def text_of(source: str) -> str:
    pdf = PdfReader(io.BytesIO(compile_pdf(source, WHEN)))
    return " ".join(" ".join(p.extract_text() for p in pdf.pages).split())


@pytest.mark.parametrize("name", HOSTILE[:4] + HOSTILE[5:7] + HOSTILE[9:10])
def test_a_hostile_name_is_read_as_it_is_written(name: str) -> None:
    source = typst_of(showing({"kind": "text", "style": "body", "text": f"Name: {name} end"}))
    # Reason: signs without a font leave no text; a long enough rest does.
    expected = " ".join(name.replace("🚀", "").split())
    assert expected in text_of(source).replace("\u200b", "")


def test_nothing_of_a_name_leaves_its_string() -> None:
    evil = '")) #panic("x") #let json = 1 \\'
    source = typst_of(showing({"kind": "text", "style": "body", "text": evil}))
    assert source.isascii() or evil not in source
    assert evil in text_of(source)


def test_steering_signs_and_overlong_words_are_tamed() -> None:
    assert plain("evil\u202egpj.exe\x1b[2J\u200f") == "evil\ufffdgpj.exe\ufffd[2J"
    assert plain("a\ud800b") == "a?b"
    assert breakable("short word") == "short word"
    long = breakable("x" * 200)
    assert long.replace("\u200b", "") == "x" * 200
    assert max(map(len, long.split("\u200b"))) <= 6
    parts = breakable("actions[offsite_conversion.purchase]").split("\u200b")
    assert parts == ["actions[", "offsite_", "conversion.", "purchase]"]
    assert shorten("a  b " * 40, 10) == "a b a b a…"


def test_code_parameters_and_notes_to_readers_stay_off_the_paper() -> None:
    new = nbformat.v4
    hidden = showing({"kind": "text", "style": "body", "text": "HIDDEN"}, tags=["remove-output"])
    source = typst_of(
        new.new_markdown_cell("READERS ONLY", metadata={"tags": ["notebook-only"]}),
        new.new_code_cell("secret = 'CODE'", metadata={"tags": ["parameters"]}),
        hidden, showing({"kind": "heading", "level": 1, "text": "Shown"}),
    )  # fmt: skip
    assert text_of(source).startswith("Shown")
    for word in ("HIDDEN", "CODE", "READERS"):
        assert word not in source


def test_an_error_in_a_notebook_makes_no_paper() -> None:
    failed = nbformat.v4.new_output("error", ename="KeyError", evalue="'x'", traceback=[])
    with pytest.raises(ReportFailedError, match="cell 1 failed: KeyError"):
        typst_of(nbformat.v4.new_code_cell("d['x']", outputs=[failed]))


def test_markdown_goes_through_pandoc_without_raw_parts_pictures_or_scripts() -> None:
    made = markdown_to_typst(
        "Costs $5 and #panic **bold** [bad](javascript:x) [good](https://example.com)\n\n"
        "![picture](https://example.com/x.png) `#panic()`{=typst}\n\n<script>x</script>\n"
    )
    assert "#strong[bold]" in made
    assert '#link("https://example.com")' in made
    assert "javascript" not in made
    assert "image(" not in made
    text = text_of(typst_of(nbformat.v4.new_markdown_cell("A #panic and $5, **bold**")))
    assert "A #panic and $5, bold" in text


def test_plain_outputs_of_any_notebook_are_shown_as_text() -> None:
    stream = nbformat.v4.new_output("stream", name="stdout", text="total #1 = 5\n")
    frame = nbformat.v4.new_output("execute_result", {"text/plain": "   a\n0  1"})
    text = text_of(typst_of(nbformat.v4.new_code_cell("x", outputs=[stream, frame])))
    assert "total #1 = 5" in text


def test_the_paper_is_tagged_titled_and_the_same_each_time() -> None:
    cover = {
        "kind": "cover", "client": "Acme", "title": "Monthly report", "period": "October 2026",
        "headline": "Fine.", "detail": "", "facts": [], "tiles": [], "as_of": "as of today",
        "initials": "A", "logo": "", "color": "#0F766E", "on_color": "#FFFFFF",
    }  # fmt: skip
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9"/></svg>'
    figure = {"kind": "figure", "svg": svg, "alt": "Spend per day", "title": "T", "subtitle": ""}
    source = typst_of(showing(cover), showing(figure))
    first, second = (compile_pdf(source, WHEN) for _ in range(2))
    assert first == second
    pdf = PdfReader(io.BytesIO(first))
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Acme · Monthly report · October 2026"
    assert pdf.trailer["/Root"]["/Lang"] == "en"
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert page_count(first) == len(pdf.pages) == 2
    assert b"Spend per day" in first


def test_a_document_can_read_no_file_and_fetch_no_package() -> None:
    from adlab.core.errors import DeliveryError

    for line in ('#read("/etc/hostname")', '#import "@preview/example:0.1.0": *'):
        with pytest.raises(DeliveryError, match="could not be typeset"):
            compile_pdf(line, WHEN)


def test_missing_parts_are_named_with_how_to_install_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingRendererError, match=r"Inter-Regular\.ttf is missing"):
        compile_pdf("x", WHEN, fonts=tmp_path)
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(MissingRendererError, match="pip install typst"):
        compile_pdf("x", WHEN)
    monkeypatch.setitem(sys.modules, "pypandoc", None)
    with pytest.raises(MissingRendererError, match="pip install pypandoc-binary"):
        markdown_to_typst("x")


def test_signs_without_a_font_are_said_aloud() -> None:
    assert undrawable(["Łódź – Ελλάδα, ▲ 5 % €"]) == ""
    found = undrawable(["\U00018b00 Khitan"])
    assert found == "\U00018b00"
    assert "Install fonts" in advice(found)
    assert re.search("fonts-noto-cjk", advice("春"))


def test_nbconvert_knows_the_exporter() -> None:
    from nbconvert.exporters import get_exporter

    assert get_exporter("adlab.reports.typst_exporter.TypstExporter") is TypstExporter


def test_japanese_is_drawn_by_a_font_that_comes_along() -> None:
    assert [path.name for path in font_files()] == [
        "Inter-Regular.ttf", "Inter-SemiBold.ttf", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf",
        "ipaexg.ttf",
    ]  # fmt: skip
    assert undrawable(["新作コレクション", "Ελλάδα", "Россия"]) == ""
