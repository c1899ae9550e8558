"""Blocks of a report: what a report notebook shows, on screen and on paper.

    from adlab.workbench import report
    report.show(report.heading("Results"), report.table(frame, ["name", "spend"], currency="EUR"))

Every text given here is shown as text: names of clients and campaigns may hold whatever they like.
In JupyterLab a block reads as plain HTML; `adlab report render` makes paper of it. Numbers come in
as they are in frames and are formatted here, once.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from adlab.core.metrics import metric
from adlab.reports.blocks import MIME, plain
from adlab.ui.brand import make_brand
from adlab.ui.formats import show as show_metric
from adlab.workbench.report_html import to_html

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from adlab.workbench.client import Client
    from adlab.workbench.lab import Workbench

# What a fixed text of ours may look like: see `styles` in reports/report.typ.
STYLES = ("body", "lead", "soft", "warn")


@dataclass(frozen=True)
class Block:
    """One block of a report; made by the functions of this module."""

    data: Mapping[str, Any]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {
            MIME: dict(self.data),
            "text/html": to_html(self.data),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        return f"<{self.data['kind']} of a report>"


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, what colours it (`good`, `bad`, `warn`, `soft`), small print."""

    text: str
    tone: str = ""
    sub: str = ""

    def data(self) -> dict[str, str]:
        """The cell as the paper takes it."""
        return {"text": plain(self.text), "tone": self.tone, "sub": plain(self.sub)}


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, its side, and whether it takes the room that is left."""

    title: str
    align: str = "right"
    wide: bool = False


def connect(as_of: str = "") -> Workbench:
    """The workbench of whoever you are, at a moment.

    Args:
        as_of: What counts as now, such as `2026-11-03T08:00:00+00:00`; the present when empty.

    Raises:
        ValueError: If it is no moment with a timezone.
    """
    from adlab.runtime import open_reader
    from adlab.workbench.lab import Workbench

    if not as_of:
        return Workbench(open_reader())
    moment = datetime.fromisoformat(as_of)
    if moment.tzinfo is None:
        raise ValueError(f"as_of={as_of!r} needs a timezone; write 2026-11-03T08:00:00+00:00")
    return Workbench(open_reader(), now=lambda: moment)


def show(*blocks: Block) -> None:
    """Display blocks, one below the other."""
    from IPython.display import display

    for block in blocks:
        display(block)  # type: ignore[no-untyped-call]


def cover(
    client: Client,
    title: str,
    period: str,
    headline: str,
    detail: str = "",
    *,
    facts: Iterable[tuple[str, str]] = (),
    numbers: Iterable[Mapping[str, str]] = (),
    as_of: str = "",
) -> Block:
    """The first page.

    Args:
        client: Whose name, colour and logo it bears.
        title: What this is.
        period: The days, in words.
        headline: How it went, in one sentence.
        detail: What to know about that sentence.
        facts: Label and value of the line at the foot; three or four.
        numbers: Large numbers below the headline, as `tiles` takes them.
        as_of: For the foot of every page.
    """
    from adlab.reports.typst_exporter import picture_svg

    brand = make_brand(client.info.name, client.slug, client.info.brand)
    logo = ""
    if brand.logo:
        mime, _, data = brand.logo.removeprefix("data:").partition(";base64,")
        logo = picture_svg(mime, data)
    return Block(
        {
            "kind": "cover",
            "client": plain(client.info.name),
            "title": plain(title),
            "period": plain(period),
            "headline": plain(headline),
            "detail": plain(detail),
            "facts": [{"label": plain(k), "value": plain(v)} for k, v in facts],
            "tiles": [_tile(n) for n in numbers],
            "as_of": plain(as_of),
            "initials": brand.initials,
            "logo": logo,
            "color": brand.colors.light,
            "on_color": brand.colors.on_light,
        }
    )


def heading(text: str, level: int = 1) -> Block:
    """A heading; one of level 1 begins a page."""
    return Block({"kind": "heading", "level": level, "text": plain(text)})


def text(template: str, style: str = "body", **values: object) -> Block:
    """A paragraph.

    Args:
        template: Its words, with `{placeholders}`.
        style: `body`, `lead`, `soft` or `warn`.
        **values: What stands in the placeholders, shown as text.

    Raises:
        ValueError: If there is no such style.
    """
    if style not in STYLES:
        raise ValueError(f"there is no style {style!r}; styles are {', '.join(STYLES)}")
    filled = template.format(**{k: str(v) for k, v in values.items()})
    return Block({"kind": "text", "style": style, "text": plain(filled)})


def tiles(items: Iterable[Mapping[str, str]]) -> Block:
    """Large numbers side by side; three to five fit.

    Args:
        items: Each with `label`, `value`, `change`, `was` and `tone`.
    """
    return Block({"kind": "tiles", "tiles": [_tile(i) for i in items]})


def cells(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell | str]],
    total: Sequence[Cell | str] = (),
    note: str = "",
) -> Block:
    """A table of finished texts.

    Args:
        columns: Its columns; exactly one should be wide.
        rows: Texts or cells.
        total: The last row, or nothing.
        note: How it adds up.
    """
    return Block(
        {
            "kind": "table",
            "columns": [
                {"title": plain(c.title), "align": c.align, "wide": c.wide} for c in columns
            ],
            "rows": [_row(r) for r in rows],
            "total": _row(total),
            "note": plain(note),
        }
    )


def table(
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    currency: str,
    total: Mapping[str, float] | pd.Series[float] | None = None,
    total_label: str = "Total",
    note: str = "",
) -> Block:
    """A table of names and metrics.

    Args:
        frame: Rows; one column of names, the others metrics of the registry.
        columns: Columns to show, the name's first.
        currency: ISO code of the amounts.
        total: Metric → value of the last row, or None for no such row.
        total_label: What that row is called.
        note: How the last row adds up; say it whenever there is one.
    """
    name, metrics = columns[0], [metric(c) for c in columns[1:]]
    title = name.removesuffix("_name").replace("_", " ").capitalize()
    rows = [
        [str(row[name]), *(show_metric(m, _number(row[m.name]), currency) for m in metrics)]
        for _, row in frame.iterrows()
    ]
    last: list[Cell | str] = []
    if total is not None:
        last = [
            total_label, *(show_metric(m, _number(total[m.name]), currency) for m in metrics)
        ]  # fmt: skip
    shown = [Column(title, "left", True), *(Column(m.label) for m in metrics)]
    return cells(shown, rows, last, note)


def figure(drawn: Figure, alt: str, title: str = "", subtitle: str = "") -> Block:
    """A chart, as a vector.

    Args:
        drawn: A matplotlib figure; it is closed.
        alt: What it shows, for those who cannot see it.
        title: The finding, as a sentence.
        subtitle: Metric and unit.
    """
    import matplotlib.pyplot as plt

    from adlab.workbench.report_charts import house_style

    stream = io.StringIO()
    with house_style():
        # Reason: without a date in its metadata the same numbers give the same bytes.
        drawn.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(drawn)
    svg = stream.getvalue()
    return Block(
        {
            "kind": "figure",
            "svg": svg[svg.index("<svg") :],
            "alt": plain(alt),
            "title": plain(title),
            "subtitle": plain(subtitle),
        }
    )


def definitions(metrics: Iterable[str]) -> Block:
    """What the metrics mean, from the registry; in its order, without repeats."""
    found = {metric(n).name: metric(n) for n in metrics}
    return Block(
        {
            "kind": "definitions",
            "items": [
                {
                    "name": m.label,
                    "formula": _sentence(m.formula.replace("_", " ")),
                    "note": f"{m.caveats} Meta: {', '.join(m.fields)}.".strip(),
                }
                for m in found.values()
            ],
        }
    )


def notes(items: Iterable[tuple[str, str]]) -> Block:
    """Titles and sentences, side by side."""
    return Block(
        {"kind": "notes", "items": [{"title": plain(t), "text": plain(s)} for t, s in items]}
    )


def _tile(item: Mapping[str, str]) -> dict[str, str]:
    return {k: plain(item.get(k, "")) for k in ("label", "value", "change", "was", "tone")}


def _row(row: Sequence[Cell | str]) -> list[dict[str, str]]:
    return [(c if isinstance(c, Cell) else Cell(c)).data() for c in row]


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _sentence(formula: str) -> str:
    return formula[:1].upper() + formula[1:]
