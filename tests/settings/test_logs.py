"""Nothing secret reaches a log: every record passes the redaction once."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from adlab import logs
from adlab.logs import redact

EAA = "EAA" + "BsbCS1iHgBO7ZAZCtoken0123456789"


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Whatever a test configures is taken back."""
    root, ours = logging.getLogger(), logging.getLogger("adlab")
    before, levels = list(root.handlers), (root.level, ours.level)
    yield
    root.handlers[:] = before
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


SECRETS = [
    ("token", EAA, f"got {EAA} back"),
    ("encoded token", EAA, f"next=https%3A%2F%2Fg%2F%3Faccess_token%3D{EAA}%26limit%3D2"),
    ("query", "secretvalue", "GET /me?access_token=secretvalue&limit=25"),
    ("input", "secretvalue", "GET /debug_token?input_token=secretvalue"),
    ("exchange", "secretvalue", "?grant_type=x&fb_exchange_token=secretvalue&client_id=5"),
    ("app secret", "secretvalue", "?client_id=5&client_secret=secretvalue"),
    ("proof", "0123456789abcdef", "?appsecret_proof=0123456789abcdef&x=1"),
    ("code", "AQDsecretgrant", "redirect?code=AQDsecretgrant&state=s"),
    ("json", "secretvalue", '{"access_token":"secretvalue","token_type":"bearer"}'),
    ("json with space", "secretvalue", '{"client_secret": "secretvalue"}'),
    ("python", "secretvalue", "{'access_token': 'secretvalue'}"),
    ("bearer", "secretvalue", "authorization: Bearer secretvalue"),
    ("bearer small", "secretvalue", "{'authorization': 'bearer secretvalue'}"),
    ("database", "hunter2", "postgresql://adlab:hunter2@db:5432/adlab"),
    ("driver", "hunter2", "postgresql+psycopg://adlab:hunter2@db/adlab"),
    ("redis", "hunter2", "redis://:hunter2@cache:6379/0"),
    ("password with @", "hunt@er2", "postgresql://adlab:hunt@er2@db/adlab"),
    ("password with /", "hunt/er2", "postgresql://adlab:" + "hunt/er2@db/adlab"),
    ("app token", "simulated-app-secret", "asked as 555|simulated-app-secret"),
]


@pytest.mark.parametrize(("secret", "text"), [s[1:] for s in SECRETS], ids=[s[0] for s in SECRETS])
def test_secrets_are_cut_wherever_they_stand(secret: str, text: str) -> None:
    shown = redact(text)
    assert secret not in shown
    assert secret[-4:] not in shown
    assert "…" in shown


@pytest.mark.parametrize(
    "text",
    [
        "insights_refreshed account_id=1001 rows=25 seconds=0.4",
        "meta_retry path=act_1/ads attempt=1 wait=0.5 error=17",
        "(Meta error 100/33) Unsupported get request.",
        "Create a new one with ads_read, and pass it through --token-env.",
        "http://127.0.0.1:8620/v26.0/act_1001/insights?level=ad",
        "postgresql://adlab@db:5432/adlab",
        "mail ann@example.com",
        "12|3",
    ],
)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


def test_what_stands_around_a_secret_stays_readable() -> None:
    assert redact("GET /me?access_token=abc&limit=25") == "GET /me?access_token=…&limit=25"
    assert redact("postgresql://adlab:pw@db:5432/x") == "postgresql://adlab:…@db:5432/x"


def test_records_and_their_traces_are_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug")
    log = logging.getLogger("adlab.somewhere")
    log.warning("token=%s url=%s", EAA, "redis://:hunter2@h")
    try:
        raise ValueError(f"access_token={EAA}")
    except ValueError:
        log.exception("it_failed")
    told = capsys.readouterr().err
    assert EAA not in told
    assert "hunter2" not in told
    assert "ValueError" in told
    assert told.count("it_failed") == 1


def test_configuring_again_changes_the_level_and_doubles_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("debug")
    logs.configure("error")
    log = logging.getLogger("adlab.somewhere")
    log.warning("quiet")
    log.error("loud")
    told = capsys.readouterr().err
    assert ("quiet" in told, told.count("loud")) == (False, 1)


def test_addresses_of_requests_are_never_logged_even_when_debugging(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("debug")
    logging.getLogger("httpx").info("HTTP Request: GET http://x/debug_token?input_token=abc")
    logging.getLogger("httpcore.http11").debug("send_request_headers")
    assert capsys.readouterr().err == ""
