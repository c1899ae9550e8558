"""Stylesheet, script, fonts and Bokeh's runtime, served by us and never by another host."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"
_TYPES = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".woff2": "font/woff2", ".svg": "image/svg+xml",
}  # fmt: skip


@dataclass(frozen=True)
class Asset:
    """A file as it goes over the wire.

    Attributes:
        body: Its bytes.
        zipped: The same, gzipped; None where that saves nothing.
        media_type: For `Content-Type`.
    """

    body: bytes
    zipped: bytes | None
    media_type: str


@cache
def load_assets() -> dict[str, Asset]:
    """Every asset by name, `bokeh.min.js` among them, compressed once."""
    found = {p.name: p for p in FOLDER.iterdir() if p.suffix in _TYPES}
    import bokeh

    found["bokeh.min.js"] = Path(bokeh.__file__).parent / "server/static/js/bokeh.min.js"
    return {name: _read(path) for name, path in found.items()}


@cache
def version() -> str:
    """Changes when any asset does; part of every address, so that browsers keep files for good."""
    digest = hashlib.sha256()
    for name, asset in sorted(load_assets().items()):
        digest.update(name.encode() + asset.body)
    return digest.hexdigest()[:12]


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    zipped = None if path.suffix == ".woff2" else gzip.compress(body, 6, mtime=0)
    return Asset(body, zipped, _TYPES[path.suffix])
