"""Form tokens: bound to a session, and to nothing that can be guessed."""

from __future__ import annotations

from adlab.web.forms import form_token
from adlab.web.sessions import Session


def test_a_token_fits_one_session_only() -> None:
    mine = form_token(b"k" * 32, Session(1, 1000, 2000))
    assert mine == form_token(b"k" * 32, Session(1, 1000, 2500))
    others = {
        form_token(b"k" * 32, Session(2, 1000, 2000)),
        form_token(b"k" * 32, Session(1, 1001, 2000)),
        form_token(b"x" * 32, Session(1, 1000, 2000)),
    }
    assert mine not in others
    assert len(others) == 3
