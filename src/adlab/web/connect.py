"""Connect ad accounts in the browser: log in at Facebook, come back, choose; also by invitation.

The pages hold no secret. A browser gets one random cookie, which the desk knows as a hash; codes
and states are passed on to the desk and stand in no later address.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from adlab.ui.brand import Brand, make_brand
from adlab.ui.pages import house_brand, render
from adlab.ui.places import places
from adlab.vault import INVITE_SECONDS, invite_signer, read_link
from adlab.web import asking, forms, pages
from adlab.web.headers import CSP
from adlab.web.login import is_https, looks_ahead
from adlab.web.sessions import cookie_flags

COOKIE = "adlab_connect"
COOKIE_SECONDS = 2 * 3600
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")
_FACEBOOK = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+")
_OVER = {
    "used": "This link has been used.",
    "revoked": "This link was revoked.",
    "expired": "This link has expired.",
}

Work = Callable[[Request, dict[str, list[str]]], Response]


def add_connect_pages(app: FastAPI) -> None:
    """`connect/callback`, `connect/choose`, `connect/again`, `invite/LINK`."""

    @app.get("/connect/callback")
    def callback(request: Request) -> Response:
        return _callback(request)

    @app.get("/connect/choose")
    def choices(request: Request) -> Response:
        return _choices_page(request)

    @app.post("/connect/choose")
    async def choose(request: Request) -> Response:
        return await _posted(request, _choose)

    @app.post("/connect/again")
    async def again(request: Request) -> Response:
        return await _posted(request, _again)

    @app.get("/invite/{link}")
    def invited(request: Request, link: str) -> Response:
        if looks_ahead(request.headers):
            return Response(status_code=204)
        return _invited_page(request, link)

    @app.post("/invite/{link}")
    async def accept(request: Request, link: str) -> Response:
        return await _posted(request, lambda r, _: _accept(r, link))


def browser_of(request: Request) -> str:
    """The random text of this browser's cookie; a fresh one when it has none."""
    found = request.cookies.get(COOKIE, "")
    return found if _COOKIE.fullmatch(found) else secrets.token_urlsafe(32)


def remember(request: Request, answer: Response, browser: str) -> None:
    """Give the browser its cookie, which comes back with Meta's answer and from nowhere else."""
    flags: dict[str, Any] = cookie_flags(is_https(request))
    answer.set_cookie(COOKIE, browser, max_age=COOKIE_SECONDS, **(flags | {"path": places().home}))


def to_facebook(request: Request, answer: dict[str, Any], browser: str) -> Response:
    """Send the browser to the login dialog."""
    gone = RedirectResponse(str(answer["url"]), 303)
    remember(request, gone, browser)
    return gone


def lets_leave(answer: Response, dialog: str) -> Response:
    """Let a form of this page end at the login dialog, and be known as ours when it is sent.

    Reason: browsers hold a form's redirects against form-action, too; with no-referrer they send
    `Origin: null` along.
    """
    if _FACEBOOK.fullmatch(dialog):
        leave = f"form-action 'self' {dialog}"
        answer.headers["Content-Security-Policy"] = CSP.replace("form-action 'self'", leave)
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


# ---- what is asked ------------------------------------------------------------------------------


def _callback(request: Request) -> Response:
    given = {n: request.query_params.get(n, "")[:4000]
             for n in ("state", "code", "error", "error_reason")}  # fmt: skip
    answer = _ask(request, "connect/finish", given)
    if not answer.get("ok"):
        return _failed(request, answer)
    if answer["outcome"] == "choose":
        # Reason: the code leaves the address bar and the history with this.
        return RedirectResponse(f"{places().home}connect/choose", 303)
    if answer["outcome"] == "denied":
        return _notice(
            request, answer, "You did not allow access at Facebook.",
            ["Nothing was connected and nothing was kept."], again="Try again",
        )  # fmt: skip
    lacking = ", ".join(answer["missing"])
    return _notice(
        request, answer, f"Facebook did not grant {lacking}.",
        ["Reading ads needs it; it can be unticked by mistake in Facebook’s dialog.",
         "Nothing was connected and nothing was kept."],
        again="Ask again",
    )  # fmt: skip


def _again(request: Request, given: dict[str, list[str]]) -> Response:
    answer = _ask(request, "connect/again", {})
    if not answer.get("ok"):
        return _failed(request, answer)
    return to_facebook(request, answer, browser_of(request))


def _choices_page(
    request: Request, problem: str = "", chosen: frozenset[str] | None = None, more: str = ""
) -> Response:
    answer = _ask(request, "connect/choices", {})
    if not answer.get("ok"):
        return _failed(request, answer)
    accounts = answer["accounts"]
    free = [a for a in accounts if a["state"] != "elsewhere"]
    here = frozenset(a["account_id"] for a in accounts if a["state"] == "here")
    # Reason: who reconnects means the accounts there are; with one there is nothing to choose.
    ticked = here or frozenset(a["account_id"] for a in free if len(free) == 1)
    values = {
        "accounts": accounts, "chosen": ticked if chosen is None else chosen, "more": more,
        "user": answer["user"], "listed": answer["listed"], "missing": answer["missing"],
        "invited": answer["invited"], "problem": problem,
    }  # fmt: skip
    title = "Choose ad accounts"
    drawn = _draw(request, answer, "connect_choose", title, 422 if problem else 200, **values)
    return lets_leave(drawn, answer["dialog"])


def _choose(request: Request, given: dict[str, list[str]]) -> Response:
    ticked, more = given.get("account", []), " ".join(given.get("more", []))
    answer = _ask(request, "connect/choose", {"accounts": ",".join([*ticked, more])})
    if not answer.get("ok"):
        return _choices_page(request, _words(answer), frozenset(ticked), more)
    if not answer["invited"]:
        first = answer["accounts"][0]["id"]
        return RedirectResponse(
            f"{places().home}clients/{answer['slug']}/connected?account={first}", 303
        )
    names = ", ".join(a["name"] for a in answer["accounts"])
    one = len(answer["accounts"]) == 1
    return _notice(
        request, answer, f"Thank you. {names} {'is' if one else 'are'} connected.",
        ["There is nothing more to do; you can close this page.",
         "You can take this back at any time, in Facebook’s settings under Business integrations."],
    )  # fmt: skip


def _invited_page(request: Request, link: str) -> Response:
    answer = _look(request, link)
    if isinstance(answer, Response):
        return answer
    browser = browser_of(request)
    brand = _brand(answer)
    drawn = HTMLResponse(
        render(
            "connect_invited", brand=brand, title=f"Connect your ad accounts · {brand.name}",
            theme=pages.theme_of(request), demo=request.app.state.config.demo,
            write=answer["write"], ready=answer["ready"], token=_token(request, browser),
        )
    )  # fmt: skip
    remember(request, drawn, browser)
    return lets_leave(drawn, answer["dialog"])


def _accept(request: Request, link: str) -> Response:
    found = _look(request, link)
    if isinstance(found, Response):
        return found
    given = {"nonce": _nonce(request, link) or "", "home": places().home}
    answer = _ask(request, "connect/invited", given)
    if not answer.get("ok"):
        return _failed(request, answer)
    return to_facebook(request, answer, browser_of(request))


def _look(request: Request, link: str) -> dict[str, Any] | Response:
    """What the desk says of an invitation; or the page of one that no longer holds."""
    nonce = _nonce(request, link)
    answer = asking.ask(request, "connect/look", {"nonce": nonce}) if nonce else {}
    if answer.get("ok") and answer["state"] == "open":
        return answer
    if nonce and not answer.get("ok") and "invitation" not in str(answer.get("error", "")):
        return _failed(request, answer)
    title = _OVER.get(str(answer.get("state", "")), "This link does not work.")
    lines = ["Each link works once and for a limited time. Ask the agency for a new one."]
    return _lone(request, "lone_notice", title, 410, house_brand(), base="lone.html", lines=lines,
                 whose=None, again="", back=None, token="")  # fmt: skip


def _nonce(request: Request, link: str) -> str | None:
    keys = request.app.state.sessions
    return read_link(invite_signer(keys.keys, keys.now), link, INVITE_SECONDS)


# ---- pieces -----------------------------------------------------------------------------------


def _ask(request: Request, what: str, body: dict[str, str]) -> dict[str, Any]:
    """Ask in the name of this browser, and of whoever is logged in and may operate."""
    caller = pages.calling(request)
    who = str(caller.viewer.person_id) if caller is not None and caller.operates else ""
    return asking.ask(request, what, {**body, "browser": request.cookies.get(COOKIE, ""),
                                      "person_id": who})  # fmt: skip


async def _posted(request: Request, work: Work) -> Response:
    """Carry a form out when it came from our own page in this browser."""
    try:
        given = await forms.read_lists(request)
        forms.check_origin(request)
        browser = request.cookies.get(COOKIE, "")
        forms.check_token(
            {forms.FIELD: "".join(given.get(forms.FIELD, [])[-1:])},
            [_tag(key, browser) for key in request.app.state.sessions.keys] if browser else [],
        )
    except forms.ForeignFormError:
        return await run_in_threadpool(
            pages.message, request, "This form was not sent from our own page.",
            "Nothing was done. Open the link again and send it from there, with cookies allowed.",
            403, pages.root_of(request),
        )  # fmt: skip
    return await run_in_threadpool(work, request, given)


def _token(request: Request, browser: str) -> str:
    return _tag(request.app.state.sessions.key, browser)


def _tag(key: bytes, browser: str) -> str:
    return hmac.new(key, f"adlab connect|{browser}".encode(), hashlib.sha256).hexdigest()


def _words(answer: dict[str, Any]) -> str:
    return " ".join(t for t in (answer.get("error"), answer.get("remedy")) if t) or "It failed."


def _failed(request: Request, answer: dict[str, Any]) -> Response:
    """What went wrong, and the way back to where one can start again."""
    title = str(answer.get("error") or "This did not work.")
    remedy = str(answer.get("remedy") or "")
    caller = pages.calling(request)
    back = ("Your clients", places().home) if caller is not None else None
    lines = [remedy] if remedy else []
    if caller is None:
        lines.append("If you were sent a link, open it again.")
    return _draw_notice(request, {}, title, lines, 403, back=back)


def _notice(
    request: Request, answer: dict[str, Any], title: str, lines: list[str], *, again: str = ""
) -> Response:
    back = None
    if not answer.get("invited") and pages.calling(request) is not None:
        back = ("Back to the client", f"{places().home}clients/{answer['slug']}/connect")
    return _draw_notice(request, answer, title, lines, 200, again=again, back=back)


def _draw_notice(
    request: Request, answer: dict[str, Any], title: str, lines: list[str], status: int,
    *, again: str = "", back: tuple[str, str] | None = None,
) -> Response:  # fmt: skip
    drawn = _draw(
        request, answer, "lone_notice", title, status, lines=lines, again=again, back=back
    )
    return lets_leave(drawn, str(answer.get("dialog", "")))


def _draw(
    request: Request, answer: dict[str, Any], template: str, title: str, status: int, **values: Any
) -> Response:
    """A page with the header everyone knows for people of the agency, and without for the invited.

    Reason: whoever was invited sees one client's name and face, also when they are logged in.
    """
    whose = _brand(answer) if answer.get("name") else None
    token = _token(request, request.cookies.get(COOKIE, ""))
    caller = None if answer.get("invited") else pages.calling(request)
    if caller is not None:
        return pages.draw(caller, template, title, status=status, base="page.html", whose=whose,
                          token=token, **values)  # fmt: skip
    return _lone(request, template, title, status, whose or house_brand(), base="lone.html",
                 whose=whose, token=token, **values)  # fmt: skip


def _lone(
    request: Request, template: str, title: str, status: int, brand: Brand, **values: Any
) -> Response:
    body = render(
        template, brand=brand, title=title, theme=pages.theme_of(request),
        demo=request.app.state.config.demo, **values,
    )  # fmt: skip
    return HTMLResponse(body, status)


def _brand(answer: dict[str, Any]) -> Brand:
    return make_brand(answer["name"], answer["slug"], answer.get("brand"))
