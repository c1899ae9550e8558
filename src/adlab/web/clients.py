"""Add a client and connect its ad account in the browser: forms here, the work at the desk."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from adlab.core.entities import parse_account_id
from adlab.ui.places import places
from adlab.ui.standing import ClientState
from adlab.web import asking, connect, forms, home, pages
from adlab.web.connect_words import link_of, until
from adlab.web.pages import Caller

log = logging.getLogger(__name__)


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

    @app.post("/clients/{slug}/connect/facebook")
    async def login(request: Request, slug: str) -> Response:
        return await _posted(request, lambda c, given: _login(c, slug, given))

    @app.post("/clients/{slug}/disconnect")
    async def disconnect(request: Request, slug: str) -> Response:
        return await _posted(request, lambda c, given: _disconnect(c, slug, given))

    @app.post("/clients/{slug}/invite")
    async def invite(request: Request, slug: str) -> Response:
        return await _posted(request, lambda c, given: _invite(c, slug, given))

    @app.post("/clients/{slug}/uninvite")
    async def uninvite(request: Request, slug: str) -> Response:
        return await _posted(request, lambda c, given: _uninvite(c, slug, given))

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
    caller: Caller, state: ClientState, form: Form, status: int = 200, **told: Any
) -> Response:
    """The page of a client's connections.

    Args:
        caller: Who asks.
        state: The client.
        form: What stands in the form for a token.
        status: HTTP status.
        told: `added`, `done`, `problem`, `invitation`: what has just happened.
    """
    known = asking.ask_as(caller, "connect/status", {"slug": state.slug})
    rows = caller.reader.rows("read_accounts", client_ids=[state.client_id])
    names = {str(r["account_id"]): r["name"] for r in rows}
    links = [link_of(c, names) for c in known.get("connections", [])]
    values = {"added": False, "done": "", "problem": "", "invitation": None} | told
    answer = _page(
        caller, "client_connect", f"Connect an ad account · {state.name}", form, status,
        client=state, links=links, troubled=any(c.tone != "plain" for c in links),
        login={"ready": known.get("ready", False), "lacking": _words(known)},
        invites=[_invite_words(i) for i in known.get("invites", [])], **values,
    )  # fmt: skip
    return connect.lets_leave(answer, str(known.get("dialog", "")))


def _words(known: dict[str, Any]) -> str:
    """Why Facebook Login is not possible."""
    return str(known.get("lacking") or f"{known.get('error', '')} {known.get('remedy', '')}")


def _invite_words(invite: dict[str, Any]) -> dict[str, Any]:
    return {"number": invite["invite_id"], "by": invite["created_by"],
            "until": until(invite["expires_at"])}  # fmt: skip


def _page(
    caller: Caller, template: str, title: str, form: Form, status: int, **values: Any
) -> Response:
    key = caller.request.app.state.sessions.key
    answer = pages.draw(
        caller, template, title, status=status, form=form, open=asking.is_open(caller.request),
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
    answer = asking.ask_as(caller, "clients", wanted)
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
    answer = asking.ask_as(caller, "accounts", {**wanted, "slug": slug, "token": given["token"]})
    if not answer.get("ok"):
        return _connect_page(caller, state, _failed(wanted, answer, ("account", "token")), 422)
    account = quote(str(answer["account"]))
    return RedirectResponse(f"{places().home}clients/{slug}/connected?account={account}", 303)


def _login(caller: Caller, slug: str, given: dict[str, str]) -> Response:
    state, browser = _client(caller, slug), connect.browser_of(caller.request)
    body = {"slug": slug, "browser": browser, "home": places().home,
            "write": "1" if given.get("write") else ""}  # fmt: skip
    answer = asking.ask_as(caller, "connect/start", body)
    if not answer.get("ok"):
        return _connect_page(caller, state, Form(), 422, problem=_problem(answer))
    return connect.to_facebook(caller.request, answer, browser)


def _disconnect(caller: Caller, slug: str, given: dict[str, str]) -> Response:
    state = _client(caller, slug)
    body = {"slug": slug, "account": given.get("account", "")}
    answer = asking.ask_as(caller, "connect/disconnect", body)
    if not answer.get("ok"):
        return _connect_page(caller, state, Form(), 422, problem=_problem(answer))
    gone = ", ".join(f"act_{a}" for a in answer["accounts"])
    done = f"{gone} is disconnected; its numbers stay. {answer['words']}"
    return _connect_page(caller, state, Form(), done=done)


def _invite(caller: Caller, slug: str, given: dict[str, str]) -> Response:
    state = _client(caller, slug)
    body = {"slug": slug, "home": places().home, "write": "1" if given.get("write") else ""}
    answer = asking.ask_as(caller, "connect/invite", body)
    if not answer.get("ok"):
        return _connect_page(caller, state, Form(), 422, problem=_problem(answer))
    made = {"url": answer["url"], "until": until(answer["expires_at"])}
    # Reason: shown here once and not after a redirect, because an address would keep it.
    return _connect_page(caller, state, Form(), invitation=made)


def _uninvite(caller: Caller, slug: str, given: dict[str, str]) -> Response:
    state = _client(caller, slug)
    body = {"slug": slug, "invite": given.get("invite", "")}
    answer = asking.ask_as(caller, "connect/uninvite", body)
    if not answer.get("ok"):
        return _connect_page(caller, state, Form(), 422, problem=_problem(answer))
    return _connect_page(caller, state, Form(), done="The link no longer works.")


def _problem(answer: dict[str, Any]) -> str:
    found = " ".join(str(answer[n]) for n in ("error", "remedy") if answer.get(n))
    return found or "This did not work."


def _failed(values: dict[str, str], answer: dict[str, Any], fields: tuple[str, ...]) -> Form:
    about = str(answer.get("field", ""))
    remedy = str(answer.get("remedy", ""))
    error = str(answer.get("error", "")) or "This did not work."
    return Form(values, {about if about in fields else "": error}, remedy)
