"""Add a client and connect its ad account in the browser: forms here, the work at the desk."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from adlab.core.entities import parse_account_id
from adlab.ui.places import places
from adlab.ui.standing import ClientState
from adlab.web import forms, home, pages
from adlab.web.pages import Caller

log = logging.getLogger(__name__)

# Reason: Meta may take its time to look at a token and an account.
DESK_SECONDS = 90.0


@dataclass(frozen=True)
class Form:
    """What stands in a form: what was typed, and what is wrong with it.

    Attributes:
        values: Field → text; never a token.
        errors: Field → why it was not taken; "" for the form as a whole.
        remedy: What to do about it, or "".
    """

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    remedy: str = ""

    def value(self, name: str) -> str:
        """What was typed."""
        return self.values.get(name, "")

    def error(self, name: str) -> str:
        """Why it was not taken, or ""."""
        return self.errors.get(name, "")


def add_client_pages(app: FastAPI) -> None:
    """`clients/new`, `clients/SLUG/connect`, `clients/SLUG/connected`."""

    @app.get("/clients/new")
    def new(request: Request) -> Response:
        return pages.answer_to(request, lambda c: _operators_only(c) or _new_page(c, Form()))

    @app.post("/clients/new")
    async def add(request: Request) -> Response:
        return await _posted(request, lambda c, given: _add(c, given))

    @app.get("/clients/{slug}/connect")
    def connect(request: Request, slug: str) -> Response:
        added = "added" in request.query_params
        return pages.answer_to(
            request,
            lambda c: _operators_only(c) or _connect_page(c, _client(c, slug), Form(), added=added),
        )

    @app.post("/clients/{slug}/connect")
    async def connect_now(request: Request, slug: str) -> Response:
        return await _posted(request, lambda c, given: _connect(c, slug, given))

    @app.get("/clients/{slug}/connected")
    def connected(request: Request, slug: str) -> Response:
        return pages.answer_to(request, lambda c: _operators_only(c) or _connected_page(c, slug))


async def _posted(request: Request, work: Any) -> Response:
    """Carry a form out for somebody who may, when it came from our own page."""
    try:
        given = await forms.read_form(request)
    except forms.ForeignFormError:
        return await run_in_threadpool(_foreign, request)

    def carry_out(caller: Caller) -> Response:
        refused = _operators_only(caller)
        if refused is not None:
            return refused
        try:
            forms.check_form(request, given, request.app.state.sessions.keys, caller.session)
        except forms.ForeignFormError:
            return _foreign(request)
        answer: Response = work(caller, given)
        return answer

    return await run_in_threadpool(pages.answer_to, request, carry_out)


def _foreign(request: Request) -> Response:
    return pages.message(
        request, "This form was not sent from our own page.",
        "Nothing was done. Open the page again and send it from there.", 403,
        pages.root_of(request), ("Start page", places().home),
    )  # fmt: skip


def _operators_only(caller: Caller) -> Response | None:
    if caller.operates:
        return None
    return pages.draw(
        caller, "notice", "Adding clients is not open to you.", status=403, button=None,
        text="An owner or admin of the agency adds clients and connects their ad accounts.",
    )  # fmt: skip


def _client(caller: Caller, slug: str) -> ClientState:
    for state in home.load_states(caller.reader):
        if state.slug == slug:
            return state
    raise HTTPException(404)


# ---- pages ----------------------------------------------------------------------------------


def _new_page(caller: Caller, form: Form, status: int = 200) -> Response:
    return _page(caller, "client_new", "Add a client", form, status)


def _connect_page(
    caller: Caller, state: ClientState, form: Form, status: int = 200, *, added: bool = False
) -> Response:
    title = f"Connect an ad account · {state.name}"
    return _page(caller, "client_connect", title, form, status, client=state, added=added)


def _page(
    caller: Caller, template: str, title: str, form: Form, status: int, **values: Any
) -> Response:
    key = caller.request.app.state.sessions.key
    answer = pages.draw(
        caller, template, title, status=status, form=form, open=bool(_desk(caller)),
        token=forms.form_token(key, caller.session), **values,
    )  # fmt: skip
    # Reason: with no-referrer browsers send `Origin: null` along with a form.
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def _connected_page(caller: Caller, slug: str) -> Response:
    state = _client(caller, slug)
    rows = caller.reader.rows("read_accounts", client_ids=[state.client_id])
    chosen = caller.request.query_params.get("account", "")
    accounts = [
        (f"act_{r['account_id']}", r["name"], r["currency"], r["timezone"],
         f"act_{r['account_id']}" == chosen)
        for r in rows if r["source"] == "meta"
    ]  # fmt: skip
    return pages.draw(caller, "client_connected", f"Connected · {state.name}", client=state,
                      accounts=sorted(accounts, key=lambda a: not a[4]))  # fmt: skip


# ---- what the desk does -----------------------------------------------------------------------


def _add(caller: Caller, given: dict[str, str]) -> Response:
    wanted = {n: given.get(n, "") for n in ("name", "slug", "currency", "timezone")}
    if not wanted["name"]:
        form = Form(wanted, {"name": "A client needs a name."})
        return _new_page(caller, form, 422)
    answer = _ask(caller, "clients", wanted)
    if not answer.get("ok"):
        return _new_page(caller, _failed(wanted, answer, tuple(wanted)), 422)
    slug = quote(str(answer["slug"]))
    return RedirectResponse(f"{places().home}clients/{slug}/connect?added", 303)


def _connect(caller: Caller, slug: str, given: dict[str, str]) -> Response:
    state = _client(caller, slug)
    wanted = {"account": given.get("account", "")}
    errors = {}
    try:
        parse_account_id(wanted["account"])
    except ValueError:
        errors["account"] = "An ad account id looks like act_1234567890."
    if not given.get("token"):
        errors |= {"token": "An access token is needed."}
    if errors:
        return _connect_page(caller, state, Form(wanted, errors), 422)
    answer = _ask(caller, "accounts", {**wanted, "slug": slug, "token": given["token"]})
    if not answer.get("ok"):
        return _connect_page(caller, state, _failed(wanted, answer, ("account", "token")), 422)
    account = quote(str(answer["account"]))
    return RedirectResponse(f"{places().home}clients/{slug}/connected?account={account}", 303)


def _failed(values: dict[str, str], answer: dict[str, Any], fields: tuple[str, ...]) -> Form:
    about = str(answer.get("field", ""))
    remedy = str(answer.get("remedy", ""))
    error = str(answer.get("error", "")) or "This did not work."
    return Form(values, {about if about in fields else "": error}, remedy)


def _ask(caller: Caller, what: str, body: dict[str, str]) -> dict[str, Any]:
    """Have the desk do something in this person's name; its answer, or why there is none."""
    desk = _desk(caller)
    if desk is None:
        return {"ok": False, "error": "This installation adds clients on the command line."}
    url, key = desk
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/{what}", json={"person_id": caller.viewer.person_id, **body},
            headers={"Authorization": f"Bearer {key}"}, timeout=DESK_SECONDS, trust_env=False,
        ).json()  # fmt: skip
    except (httpx.HTTPError, ValueError) as error:
        log.warning("desk_silent what=%s error=%s", what, type(error).__name__)
        return {"ok": False, "error": "The desk does not answer just now.",
                "remedy": "Try again in a minute."}  # fmt: skip
    return answer if isinstance(answer, dict) else {"ok": False}


def _desk(caller: Caller) -> tuple[str, str] | None:
    """Where the desk is and what it asks for, or None where there is none."""
    config = caller.request.app.state.config
    url = config.desk_url or os.environ.get("ADLAB_WEB__DESK_URL", "")
    key = config.desk_key or os.environ.get("ADLAB_WEB__DESK_KEY", "")
    return (url, key) if url and key else None
