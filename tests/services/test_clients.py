"""A client's face, and what is known of it: pictures are pictures, and nothing more."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from adlab.core.errors import UnknownObjectError
from adlab.services.clients import describe_client, read_logo, set_brand
from adlab.storage.clients import load_client, store_client
from adlab.storage.engine import transaction
from adlab.ui.brand import make_brand
from adlab.vault import Vault

from .login_at_meta import NOW

PLAIN = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'


def picture(kind: str, size: tuple[int, int] = (20, 10)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "red").save(stream, kind)
    return stream.getvalue()


def file(folder: Path, content: bytes | str) -> Path:
    path = folder / "logo"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_pictures_become_logos_that_boards_show(tmp_path: Path, kind: str) -> None:
    content = picture(kind)
    logo = read_logo(file(tmp_path, content))
    assert logo == f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    assert make_brand("Acme", "acme", {"logo": logo}).logo == logo


@pytest.mark.parametrize(
    "svg",
    [
        PLAIN,
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->{PLAIN}',
        PLAIN.replace("<path", '<style>path{fill:url(#a)}</style><path fill="url(#a)" '
                      'style="stroke:#123456"'),
        PLAIN.replace("<path", '<defs><linearGradient id="a"><stop offset="0"/></linearGradient>'
                      '</defs><use href="#a"/><path'),
    ],
)  # fmt: skip
def test_a_plain_svg_is_taken(tmp_path: Path, svg: str) -> None:
    logo = read_logo(file(tmp_path, svg))
    assert make_brand("Acme", "acme", {"logo": logo}).logo == logo


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("<script>alert(1)</script>", "<script>"),
        ("<SCRIPT/>", "<SCRIPT>"),
        ('<x:script xmlns:x="http://www.w3.org/2000/svg"/>', "<script>"),
        ("<foreignObject><p/></foreignObject>", "<foreignObject>"),
        ('<image href="data:image/png;base64,AA"/>', "<image>"),
        ('<a href="https://evil.example"><path/></a>', "<a>"),
        ('<animate attributeName="href"/>', "<animate>"),
        ('<path onclick="x()"/>', "script"),
        ('<path ONLOAD="x()"/>', "script"),
        ('<use href="https://evil.example/a.svg#b"/>', "outside"),
        ('<use xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="//evil.example"/>', "outside"),
        ('<path fill="url(https://evil.example)"/>', "outside"),
        ('<path style="fill:u\\rl( http://evil.example)"/>', "outside"),
        ("<style>@import 'https://evil.example';</style>", "outside"),
        ("<style>path{background:url(//evil.example)}</style>", "outside"),
        ("<?php echo 1 ?>", "instruction"),
        ('<?xml-stylesheet href="x.css"?>', "instruction"),
        ("<![CDATA[x]]>", "document type"),
    ],
)  # fmt: skip
def test_an_svg_that_is_more_than_a_picture_is_refused(tmp_path: Path, bad: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_logo(file(tmp_path, PLAIN.replace("<path", f"{bad}<path", 1)))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + PLAIN, "document type"),
        ("<html><body/></html>", "no PNG"),
        (b"GIF89a", "no PNG"),
        (b"\xff\xfe\x00", "no PNG"),
        (b"", "no PNG"),
        (b"\x89PNG\r\n\x1a\nnot one", "damaged"),
        (b"\xff\xd8\xff" + PLAIN.encode(), "damaged"),
        (b"x" * 200_001, "larger than 200 kB"),
        (picture("png", (4097, 1)), "4097×1 pixels"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes | str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_logo(file(tmp_path, content))


def test_a_brand_is_set_in_parts_and_taken_away(owner_engine: Engine, tmp_path: Path) -> None:
    with transaction(owner_engine) as c:
        store_client(c, "Acme", "acme")
    assert set_brand(owner_engine, "acme", color="#1A73E8", logo=file(tmp_path, PLAIN)) == {
        "color": "#1a73e8", "logo": True,
    }  # fmt: skip
    set_brand(owner_engine, "acme", name="Acme <b>Europe</b>")
    with transaction(owner_engine) as c:
        stored = load_client(c, "acme")
    assert stored.name == "Acme <b>Europe</b>"
    assert set(stored.brand) == {"color", "logo"}
    set_brand(owner_engine, "acme", color="", without_logo=True)
    with transaction(owner_engine) as c:
        assert load_client(c, "acme").brand == {}


@pytest.mark.parametrize(
    "wanted", [{}, {"color": "red"}, {"color": "#12"}, {"color": "#12345g"}, {"name": " "},
               {"name": "A" * 201}, {"logo": Path("/nowhere/logo.png")}],
)  # fmt: skip
def test_what_is_malformed_changes_nothing(owner_engine: Engine, wanted: dict[str, object]) -> None:
    with transaction(owner_engine) as c:
        store_client(c, "Acme", "acme")
    with pytest.raises(ValueError, match=r"."):
        set_brand(owner_engine, "acme", **wanted)  # type: ignore[arg-type]
    with pytest.raises(UnknownObjectError):
        set_brand(owner_engine, "nobody", color="#123456")
    with transaction(owner_engine) as c:
        assert (load_client(c, "acme").name, load_client(c, "acme").brand) == ("Acme", {})


def test_a_client_without_anything_is_described(owner_engine: Engine) -> None:
    with transaction(owner_engine) as c:
        store_client(c, "Acme", "acme", "EUR")
    found = describe_client(owner_engine, Vault(b"x" * 32), "acme", NOW)
    assert (found["accounts"], found["people"], found["connections"]) == ([], [], [])
    assert found["retention"] == {"insights_months": 37, "raw_days": 90, "webhooks_days": 30}
    with pytest.raises(UnknownObjectError):
        describe_client(owner_engine, Vault(b"x" * 32), "nobody", NOW)
