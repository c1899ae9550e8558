"""Notebook → Typst, as an nbconvert exporter: `jupyter nbconvert --to adlab-typst`.

Cells become blocks of one JSON document, which the fixed template `report.typ` shows as text. Code
is left out unless asked for. Nothing of a notebook is ever pasted into Typst markup, except what
pandoc makes of its Markdown cells, without raw Typst, raw HTML or pictures from elsewhere.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nbconvert.exporters import Exporter
from traitlets import Bool

from adlab.core.errors import MissingRendererError, ReportFailedError
from adlab.reports.blocks import MIME, plain, shorten, texts, tidy

HIDDEN = {"parameters", "injected-parameters", "remove-cell", "notebook-only"}
_COLOR = re.compile(r"^#[0-9a-fA-F]{6}$")
_DEFAULTS = {"color": "#3B6FD4", "on_color": "#FFFFFF"}
_SAFE_LINK = re.compile(r"^(https?://|mailto:)", re.IGNORECASE)
_MARKDOWN = "markdown-raw_html-raw_tex-raw_attribute-native_divs-native_spans"


class TypstExporter(Exporter):  # type: ignore[misc]  # Reason: nbconvert has no types.
    """Turns an executed notebook into a Typst document that needs no other file."""

    show_code = Bool(False, help="Show the source of code cells.").tag(config=True)
    output_mimetype = "text/x-typst"
    export_from_notebook = "Typst (adlab paper)"

    def _file_extension_default(self) -> str:
        return ".typ"

    def from_notebook_node(
        self, nb: Any, resources: Any = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Convert a notebook.

        Args:
            nb: The executed notebook, as nbformat's node.
            resources: nbconvert's.
            **kwargs: nbconvert's.

        Returns:
            The Typst document and nbconvert's resources.

        Raises:
            ReportFailedError: If an output is an error.
            MissingRendererError: If a Markdown cell is to be shown and pandoc is not installed.
        """
        nb, resources = super().from_notebook_node(nb, resources, **kwargs)
        name = resources.get("metadata", {}).get("name", "notebook")
        blocks = [tidy(b) for b in _blocks(nb["cells"], str(name), self.show_code)]
        resources["adlab_texts"] = list(texts(blocks))
        return typst_source(make_document(blocks, str(name))), resources


def make_document(blocks: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The document the template shows: its blocks, and what every page needs to know.

    Args:
        blocks: Tidy blocks in order.
        name: Title of a notebook without a cover.
    """
    cover: Mapping[str, Any] = next((b for b in blocks if b["kind"] == "cover"), {})
    client = str(cover.get("client", ""))
    title = " · ".join(filter(None, (client, cover.get("title"), cover.get("period"))))
    footer = [shorten(client.replace("\u200b", ""), 40), cover.get("period"), cover.get("as_of")]
    return {
        "lang": "en",
        "title": plain(title.replace("\u200b", "")) or name,
        "client": client,
        "initials": cover.get("initials", ""),
        "logo": cover.get("logo") or "",
        "color": _color(cover, "color"),
        "on-color": _color(cover, "on_color"),
        "footer": " · ".join(filter(None, footer)) or name,
        "blocks": blocks,
    }


def typst_source(document: Mapping[str, Any]) -> str:
    """The template, and the document as JSON in a Typst string: all of it ASCII and escaped."""
    text = json.dumps(document, ensure_ascii=True)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{_template()}\n#paper(json(bytes("{escaped}")))\n'


@cache
def _template() -> str:
    return Path(__file__).with_name("report.typ").read_text(encoding="utf-8")


def _color(cover: Mapping[str, Any], name: str) -> str:
    given = cover.get(name)
    return given if isinstance(given, str) and _COLOR.match(given) else _DEFAULTS[name]


def _blocks(cells: Iterable[Any], name: str, show_code: bool) -> Iterator[dict[str, Any]]:
    for number, cell in enumerate(cells, start=1):
        tags = set(cell["metadata"].get("tags", ()))
        if tags & HIDDEN:
            continue
        if cell["cell_type"] == "markdown" and cell["source"].strip():
            yield {"kind": "markup", "typst": markdown_to_typst(cell["source"])}
        if cell["cell_type"] != "code":
            continue
        if show_code and cell["source"].strip():
            yield {"kind": "code", "text": cell["source"]}
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error":
                raise ReportFailedError(
                    f"{name}, cell {number} failed: {output['ename']}: {output['evalue']}",
                    "Run the notebook again.", notebook=name, cell=number,
                )  # fmt: skip
            block = None if "remove-output" in tags else _output(output)
            if block is not None:
                yield block


def _output(output: Mapping[str, Any]) -> dict[str, Any] | None:
    if output["output_type"] == "stream":
        return {"kind": "code", "text": output["text"]} if output["name"] == "stdout" else None
    data = output.get("data", {})
    if MIME in data:
        return dict(data[MIME])
    alt = str(output.get("metadata", {}).get("alt", "Figure"))
    figure = {"kind": "figure", "alt": alt, "title": "", "subtitle": ""}
    if "image/svg+xml" in data:
        return figure | {"svg": "".join(data["image/svg+xml"])}
    if "image/png" in data:
        return figure | {"svg": picture_svg("image/png", "".join(data["image/png"]))}
    if "text/markdown" in data:
        return {"kind": "markup", "typst": markdown_to_typst("".join(data["text/markdown"]))}
    text = "".join(data.get("text/plain", ""))
    return {"kind": "code", "text": text} if text else None


def picture_svg(mime: str, data: str) -> str:
    """A picture inside an SVG, which is how it comes along without a file.

    Args:
        mime: Its type, such as `image/png`.
        data: Its bytes in base64.
    """
    width, height = _png_size(data) if mime == "image/png" else (400, 160)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<image width="{width}" height="{height}" preserveAspectRatio="xMidYMid meet" '
        f'xlink:href="data:{mime};base64,{"".join(data.split())}"/></svg>'
    )


def _png_size(data: str) -> tuple[int, int]:
    head = base64.b64decode("".join(data.split())[:48])
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    return (width, height) if width and height else (400, 160)


def markdown_to_typst(text: str) -> str:
    """Typst markup of an analyst's Markdown, formulas included; pictures become their names.

    Raises:
        MissingRendererError: If pandoc is not installed.
    """
    try:
        import pypandoc

        tree = json.loads(pypandoc.convert_text(text, "json", format=_MARKDOWN))
        tree["meta"] = {}
        tree["blocks"] = _harmless(tree["blocks"])
        typst: str = pypandoc.convert_text(json.dumps(tree), "typst", format="json")
    except (ImportError, OSError) as error:
        raise MissingRendererError(
            "pandoc is not installed, and this notebook has text in Markdown.",
            "Install it: pip install pypandoc-binary",
        ) from error
    # Reason: pandoc's Typst writer calls this helper of its own template for rules.
    return typst.replace("#horizontalrule", "#line(length: 100%)").replace("\r\n", "\n")


def _harmless(node: Any) -> Any:
    """Pandoc's tree without raw parts, pictures, and links that are no web or mail address."""
    if isinstance(node, dict):
        return {k: _harmless(v) for k, v in node.items()}
    if not isinstance(node, list):
        return plain(node) if isinstance(node, str) else node
    out: list[Any] = []
    for item in node:
        kind = item.get("t") if isinstance(item, dict) else None
        if kind in ("RawInline", "RawBlock"):
            continue
        if kind == "Image" or (kind == "Link" and not _SAFE_LINK.match(item["c"][2][0])):
            out.extend(_harmless(item["c"][1]))
            continue
        out.append(_harmless(item))
    return out
