"""Clients as an operator sees them: what is known of one, and its face on boards and reports."""

from __future__ import annotations

import base64
import io
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sqlalchemy import Engine

from adlab.core.errors import UnknownObjectError
from adlab.core.privacy import LIMITS
from adlab.services.offboarding_certificate import is_genuine
from adlab.storage import audit, clients, connections, offboarding, retention
from adlab.storage.engine import transaction
from adlab.vault import Vault

LOGO_BYTES = 200_000
LOGO_PIXELS = 4096
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
# What an SVG may hold: shapes, text and paint. No script, no link, no foreign page, no reference
# that leaves the file.
_SHAPES = frozenset({
    "svg", "g", "defs", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline",
    "polygon", "text", "tspan", "use", "symbol", "linearGradient", "radialGradient", "stop",
    "clipPath", "mask", "pattern", "style",
})  # fmt: skip


def describe_client(engine: Engine, vault: Vault, slug: str, now: datetime) -> dict[str, Any]:
    """What is known of a client, or the certificate of one that left.

    Args:
        engine: The owner's engine.
        vault: Tells whether a certificate is genuine.
        slug: The client.
        now: Current aware time.

    Raises:
        UnknownObjectError: If there is no such client and never was.
    """
    with transaction(engine) as connection:
        left = offboarding.load_offboarding(connection, slug)
        if left is not None and left.certificate is not None:
            return {"slug": slug, "status": "off-boarded", "certificate": left.certificate,
                    "genuine": is_genuine(left.certificate, vault)}  # fmt: skip
        try:
            client = clients.load_client(connection, slug)
        except UnknownObjectError:
            if left is not None:
                return {"slug": slug, "status": "leaving", "step": left.step}
            raise
        kept = retention.load_retention(connection, client.client_id)
        people = offboarding.load_people(connection, client.client_id)
        links = connections.load_connections(connection, client.client_id)
        accounts = clients.load_accounts(connection, client.client_id)
    return {
        "slug": client.slug, "name": client.name, "status": client.status,
        "currency": client.currency, "timezone": client.timezone,
        "brand": {"color": client.brand.get("color"), "logo": bool(client.brand.get("logo"))},
        "retention": {n: getattr(kept, n) or most for n, (_, most, _) in LIMITS.items()},
        "accounts": [
            {"account": f"act_{a['account_id']}", "name": a["name"], "currency": a["currency"],
             "timezone": a["timezone"], "source": a["source"], "synced_at": a["checked_at"],
             "covered_until": a["until"]}
            for a in accounts
        ],
        "people": [
            {"name": p["name"], "role": p["granted"], "until": p["expires_at"],
             "granted_by": p["granted_by"], "reason": p["reason"]} for p in people
        ],
        "connections": [
            {"connection": n["connection_id"], "status": n["status"], "user": n["meta_user_name"],
             "token_age_days": (now - (n["exchanged_at"] or n["created_at"])).days
             if n["has_token"] else None,
             "expires_at": n["expires_at"], "connected_by": n["connected_by"],
             "accounts": [f"act_{a}" for a in n["accounts"]]}
            for n in links
        ],
        "offboarding": left.step if left is not None else None,
    }  # fmt: skip


def set_brand(
    engine: Engine,
    slug: str,
    *,
    name: str | None = None,
    color: str | None = None,
    logo: Path | None = None,
    without_logo: bool = False,
    actor: str = audit.LOCAL_OWNER,
) -> dict[str, Any]:
    """Set a client's name, colour or logo; what is left out stays.

    Args:
        engine: The owner's engine.
        slug: The client.
        name: What people see.
        color: As #rrggbb; "" for the house's own.
        logo: A PNG, JPEG, WebP or SVG file of at most 200 kB.
        without_logo: Takes the logo away.
        actor: Who does it.

    Returns:
        What was set.

    Raises:
        UnknownObjectError: If there is no such client.
        ValueError: If something is malformed, or the logo could do more than be looked at.
    """
    brand: dict[str, Any] = {}
    if color is not None:
        if color and not _COLOR.fullmatch(color):
            raise ValueError(f"{color!r} is no colour; write it as #1a73e8")
        brand["color"] = color.lower() or None
    if logo is not None and without_logo:
        raise ValueError("give a logo or take it away, one of both")
    if logo is not None:
        brand["logo"] = read_logo(logo)
    if without_logo:
        brand["logo"] = None
    title = clients.check_name(name, "a client's name", 200) if name is not None else None
    if not brand and title is None:
        raise ValueError("say what to set: --name, --color, --logo or --no-logo")
    with transaction(engine) as connection:
        client = clients.load_client(connection, slug)
        clients.store_face(connection, client.client_id, title, brand)
        said = {**({"name": title} if title else {}),
                **({"color": brand["color"]} if "color" in brand else {}),
                **({"logo": bool(brand["logo"])} if "logo" in brand else {})}  # fmt: skip
        audit.record(
            connection, "client.brand", actor=actor, client_id=client.client_id, changed=said
        )
    return said


def read_logo(path: Path) -> str:
    """A logo as a data URI.

    Raises:
        ValueError: If it cannot be read, is too large, no picture, or holds more than a picture.
    """
    try:
        content = path.read_bytes() if path.stat().st_size <= LOGO_BYTES else None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if content is None:
        raise ValueError(f"{path} is larger than {LOGO_BYTES // 1000} kB; make it smaller")
    kind = _raster(content, path) or _vector(content, path)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _raster(content: bytes, path: Path) -> str | None:
    heads = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg"}
    kind = next((k for head, k in heads.items() if content.startswith(head)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "webp"
    if kind is None:
        return None
    # Reason: matplotlib needs Pillow, so it is there; it tells a picture from a file that
    # begins like one.
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=[kind]) as picture:
            width, height = picture.size
            if max(width, height) > LOGO_PIXELS:
                raise ValueError(f"{path} has {width}×{height} pixels; {LOGO_PIXELS} at most")
            picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError(f"{path} is damaged: it begins like a {kind} and is none") from None
    return kind


def _vector(content: bytes, path: Path) -> str:
    try:
        written = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no PNG, JPEG, WebP or SVG picture") from None
    # Reason: entities could name files, or grow without end, before anything is looked at.
    if "<!" in re.sub(r"<!--.*?-->", "", written, flags=re.DOTALL):
        raise ValueError(f"{path} has a document type or entities; export it as plain SVG")
    try:
        root = ElementTree.fromstring(written)  # noqa: S314  # Reason: entities are refused above.
    except ElementTree.ParseError:
        raise ValueError(f"{path} is no PNG, JPEG, WebP or SVG picture") from None
    if root.tag not in ("svg", "{http://www.w3.org/2000/svg}svg"):
        raise ValueError(f"{path} is no PNG, JPEG, WebP or SVG picture")
    if "<?" in re.sub(r"^\s*<\?xml[^>]*\?>", "", written.lstrip("\ufeff")):
        raise ValueError(f"{path} holds an instruction (<?…); save it as plain SVG")
    for node in root.iter():
        name = str(node.tag).rpartition("}")[2]
        if name not in _SHAPES:
            raise ValueError(
                f"{path} holds <{name[:40]}>, which is no shape; save it as plain SVG without it"
            )
        for key, value in node.attrib.items():
            short = key.rpartition("}")[2].lower()
            if short.startswith("on"):
                raise ValueError(f"{path} holds a script ({short[:40]}); take it out")
            _refuse_reference(path, short, value)
        if name == "style":
            _refuse_reference(path, "style", node.text or "")
    return "svg+xml"


def _refuse_reference(path: Path, name: str, value: str) -> None:
    """Only what is inside the file may be referred to: #name."""
    tight = re.sub(r"\s|/\*.*?\*/|\\", "", value).lower()
    inside = re.sub(r"url\(['\"]?#[\w-]+['\"]?\)", "", tight)
    if (name in ("href", "src") and not tight.startswith("#")) or any(
        bad in inside for bad in ("url(", "@import", "javascript:", "data:", "expression(")
    ):
        raise ValueError(f"{path} refers to something outside of it; take that out")
