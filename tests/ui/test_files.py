"""Files on the wire: what is asked for, and how text and bytes travel."""

from __future__ import annotations

import base64

import pytest

from adlab.ui.wire import file_answer, wanted_file


@pytest.mark.parametrize(
    ("ask", "wanted"),
    [("3|xlsx|client=acme&search=a|b", ("xlsx", "client=acme&search=a|b")),
     ("1|csv|", ("csv", "")), ("2|client=acme", ("csv", "client=acme")),
     ("2|exe|client=acme", ("csv", "exe|client=acme")), ("", ("csv", ""))],
)  # fmt: skip
def test_an_unknown_kind_is_csv(ask: str, wanted: tuple[str, str]) -> None:
    assert wanted_file(ask) == wanted


def test_text_travels_as_it_is_and_bytes_as_base64() -> None:
    assert file_answer("csv", "a.csv", "x,é")["text"] == "x,é"
    answer = file_answer("xlsx", "a.xlsx", b"PK\x00\xff")
    assert base64.b64decode(answer["base64"]) == b"PK\x00\xff"
    assert answer["type"].endswith("spreadsheetml.sheet")
    assert "text" not in answer
