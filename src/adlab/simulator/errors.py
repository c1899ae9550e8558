"""The error body of the Graph API and the errors this simulator raises on its own account."""

from __future__ import annotations

import json
import secrets
from typing import Any


def trace_id() -> str:
    """Give a fresh trace id as in `fbtrace_id`."""
    return "A" + secrets.token_urlsafe(15)


class GraphError(Exception):
    """An answer of the Graph API that is an error.

    Args:
        code: Graph error code.
        message: Message for developers.
        subcode: Error subcode, when there is one.
        status: HTTP status.
        kind: The `type` in the body.
        is_transient: Whether the body says that a retry may help.
        title: Title for people.
        user_message: Message for people.
        data: The `error_data` object.
        headers: Extra response headers.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        subcode: int | None = None,
        status: int = 400,
        kind: str = "OAuthException",
        is_transient: bool = False,
        title: str | None = None,
        user_message: str | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.subcode = subcode
        self.status = status
        self.headers = headers or {}
        body: dict[str, Any] = {"message": message, "type": kind, "code": code}
        if subcode is not None:
            body["error_subcode"] = subcode
        if is_transient or title is not None:
            body["is_transient"] = is_transient
        if title is not None:
            body["error_user_title"] = title
            body["error_user_msg"] = user_message or message
        if data is not None:
            body["error_data"] = data
        self._body = body

    def body(self) -> bytes:
        """Write the envelope, each time with a new trace id."""
        return json.dumps({"error": {**self._body, "fbtrace_id": trace_id()}}).encode()


def invalid_parameter(message: str, subcode: int | None = None) -> GraphError:
    """Code 100: a parameter is wrong; the message says which."""
    text = message if message.startswith("(#100)") else f"(#100) {message}"
    return GraphError(100, text, subcode=subcode)


def missing_object(object_id: str, method: str = "get") -> GraphError:
    """Code 100/33: there is no such object, or this token may not see it."""
    return GraphError(
        100,
        f"Unsupported {method} request. Object with ID '{object_id}' does not exist, cannot be "
        "loaded due to missing permissions, or does not support this operation",
        subcode=33,
        kind="GraphMethodException",
    )


def not_imitated(what: str) -> GraphError:
    """Code 3: an honest refusal of what COVERAGE.md lists as missing."""
    return GraphError(
        3, f"(#3) This simulator does not imitate {what}; see COVERAGE.md", status=400
    )


def too_many_rows() -> GraphError:
    """Code 100/1487534: the report is larger than one call may be."""
    return GraphError(
        100,
        "(#100) Too many rows were requested.",
        subcode=1487534,
        title="Too many rows",
        user_message="Please reduce the time range, filter, or use an asynchronous report.",
    )


def bad_cursor() -> GraphError:
    """Code 2642: a paging cursor that is malformed, foreign or too old."""
    return GraphError(2642, "(#2642) Invalid cursors values", status=400)


def bad_token(subcode: int, message: str) -> GraphError:
    """Code 190 with the subcode that says why the token is refused."""
    return GraphError(190, message, subcode=subcode, status=401)
