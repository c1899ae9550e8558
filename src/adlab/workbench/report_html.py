"""A report's blocks as HTML, for reading in JupyterLab. Paper is made elsewhere, from the JSON."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_TONES = {"good": "#0F7B6C", "bad": "#B4313F", "warn": "#A06000", "soft": "#5B6472"}
_SOFT = "color:#5B6472;font-size:12px"


def to_html(block: Mapping[str, Any]) -> str:
    """One block; everything in it is escaped, but the SVG that matplotlib drew."""
    made: str = _MAKERS[block["kind"]](block)
    return f'<div style="max-width:760px;margin:6px 0">{made}</div>'


def _cover(b: Mapping[str, Any]) -> str:
    facts = " · ".join(f"{escape(f['label'])}: {escape(f['value'])}" for f in b["facts"])
    return (
        f'<div style="background:{b["color"]};color:{b["on_color"]};padding:20px 24px;'
        f'border-radius:10px"><div>{escape(b["title"])}</div>'
        f'<div style="font-size:24px;font-weight:600">{escape(b["client"])}</div>'
        f"<div>{escape(b['period'])}</div></div>"
        f'<p style="font-size:16px;font-weight:600">{escape(b["headline"])}</p>'
        f'<p style="{_SOFT}">{escape(b["detail"])}</p>{_tiles(b)}<p style="{_SOFT}">{facts}</p>'
    )


def _heading(b: Mapping[str, Any]) -> str:
    return f"<h{b['level'] + 1}>{escape(b['text'])}</h{b['level'] + 1}>"


def _text(b: Mapping[str, Any]) -> str:
    style = {"lead": "font-weight:600", "soft": _SOFT, "warn": f"color:{_TONES['warn']}"}
    return f'<p style="{style.get(b["style"], "")}">{escape(b["text"])}</p>'


def _tiles(b: Mapping[str, Any]) -> str:
    return '<div style="display:flex;gap:12px">' + "".join(
        '<div style="flex:1;border:1px solid #E3E6EB;border-radius:10px;padding:12px">'
        f'<div style="{_SOFT}">{escape(t["label"])}</div>'
        f'<div style="font-size:20px;font-weight:600">{escape(t["value"])}</div>'
        f'<div style="{_tone(t)}">{escape(t["change"])}</div>'
        f'<div style="{_SOFT}">{escape(t["was"])}</div></div>'
        for t in b["tiles"]
    ) + "</div>"  # fmt: skip


def _table(b: Mapping[str, Any]) -> str:
    sides = [c["align"] for c in b["columns"]]
    head = "".join(
        f'<th scope="col" style="text-align:{s}{";width:38%" if c["wide"] else ""}">'
        f"{escape(c['title'])}</th>"
        for s, c in zip(sides, b["columns"], strict=True)
    )
    body = "".join(_table_row(r, sides, "") for r in b["rows"])
    foot = _table_row(b["total"], sides, "font-weight:600") if b["total"] else ""
    note = f'<p style="{_SOFT}">{escape(b["note"])}</p>' if b["note"] else ""
    return (
        f'<table style="width:100%"><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        f"<tfoot>{foot}</tfoot></table>{note}"
    )


def _table_row(cells: list[dict[str, str]], sides: list[str], style: str) -> str:
    made = "".join(
        f'<td style="text-align:{side};{style};{_tone(c)}">{escape(c["text"])}'
        + (f'<br><span style="{_SOFT}">{escape(c["sub"])}</span>' if c["sub"] else "")
        + "</td>"
        for c, side in zip(cells, sides, strict=True)
    )
    return f"<tr>{made}</tr>"


def _figure(b: Mapping[str, Any]) -> str:
    return (
        f'<p style="font-weight:600;margin-bottom:0">{escape(b["title"])}</p>'
        f'<p style="{_SOFT}">{escape(b["subtitle"])}</p>'
        f'<div role="img" aria-label="{escape(b["alt"])}">{b["svg"]}</div>'
    )


def _definitions(b: Mapping[str, Any]) -> str:
    return "".join(
        f"<p><strong>{escape(i['name'])}</strong>: {escape(i['formula'])}<br>"
        f'<span style="{_SOFT}">{escape(i["note"])}</span></p>'
        for i in b["items"]
    )


def _notes(b: Mapping[str, Any]) -> str:
    return "".join(
        f"<p><strong>{escape(i['title'])}</strong>: {escape(i['text'])}</p>" for i in b["items"]
    )


def _tone(item: Mapping[str, str]) -> str:
    return f"color:{_TONES[item['tone']]}" if item.get("tone") in _TONES else ""


_MAKERS = {
    "cover": _cover, "heading": _heading, "text": _text, "tiles": _tiles, "table": _table,
    "figure": _figure, "definitions": _definitions, "notes": _notes,
}  # fmt: skip
