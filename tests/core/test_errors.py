"""The error tree: grouped by what one can do next, told in one sentence and a remedy."""

from __future__ import annotations

import inspect

import pytest

from adlab.core import errors as tree
from adlab.core.errors import (
    AdlabError,
    AuthorizationError,
    ImportRejectedError,
    MetaError,
    MissingPermissionError,
    RateLimitedError,
    RejectedRequestError,
    ReportNotReadyError,
    RetryableMetaError,
    TokenExpiredError,
    TooMuchDataError,
)

ALL = [c for _, c in inspect.getmembers(tree, inspect.isclass) if issubclass(c, AdlabError)]


def test_every_error_is_drawn_in_the_tree_on_top_of_the_module() -> None:
    assert tree.__doc__ is not None
    assert [c.__name__ for c in ALL if c.__name__ not in tree.__doc__] == []


def test_message_and_remedy_make_one_text() -> None:
    error = AdlabError("It broke.", "Mend it.")
    assert (str(error), error.message, error.remedy) == ("It broke. Mend it.", "It broke.",
                                                         "Mend it.")  # fmt: skip
    assert str(AdlabError("It broke.")) == "It broke."


@pytest.mark.parametrize(
    ("code", "subcode", "shown"),
    [
        (None, None, "Text. Do."),
        (2, None, "(Meta error 2) Text. Do."),
        (100, 33, "(Meta error 100/33) Text. Do."),
    ],
)
def test_meta_errors_name_their_code(code: int | None, subcode: int | None, shown: str) -> None:
    assert str(MetaError("Text.", "Do.", code=code, subcode=subcode, trace_id="T")) == shown


def test_what_one_can_do_next_is_a_class() -> None:
    waiting = (RateLimitedError, ReportNotReadyError, TooMuchDataError)
    assert all(issubclass(c, RetryableMetaError) for c in waiting)
    asking = (TokenExpiredError, MissingPermissionError)
    assert all(issubclass(c, AuthorizationError) for c in asking)
    assert not issubclass(RejectedRequestError, RetryableMetaError)


def test_problems_of_a_file_travel_with_the_error() -> None:
    assert ImportRejectedError("No.", "Do.", ("row 3",)).problems == ("row 3",)


@pytest.mark.parametrize("kind", ALL, ids=lambda c: c.__name__)
def test_every_error_can_be_made_from_a_message_and_a_remedy(kind: type[AdlabError]) -> None:
    error = kind("It broke.", "Mend it.")
    assert str(error) == "It broke. Mend it."
