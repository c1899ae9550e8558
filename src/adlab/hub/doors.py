"""Pages of ours below `/hub/`: one-time links, invitations, and where people land."""

from __future__ import annotations

import re
from typing import Any

from jupyterhub.handlers.base import BaseHandler
from tornado.web import HTTPError

from adlab.core.errors import UnknownObjectError
from adlab.hub.authenticator import in_store, person_of_link
from adlab.hub.plan import read_plan
from adlab.storage import passwords
from adlab.storage.passwords import Known
from adlab.vault import link_signer, read_link, signing_keys

_TOKEN = re.compile(r"(/hub/(?:link|welcome)/)[^/?]+")
_USED = "This link has been used or has expired. Ask the agency for a new one."


def landing(handler: Any) -> str:
    """Where the hub sends people without a destination: the front door, or the login form."""
    base = str(handler.base_url)
    if handler.current_user is None:
        return f"{base}hub/login"
    return f"{base}services/web/"


def token_of(text: str) -> str | None:
    """The token of a signed link; None when it is forged or too old."""
    return read_link(link_signer(signing_keys(read_plan().session_key)), text)


class Door(BaseHandler):  # type: ignore[misc]  # jupyterhub is not followed
    """Starts a person's session, whoever was logged in in this browser before."""

    def set_default_headers(self) -> None:
        """Keep one-time addresses out of other sites' hands and out of caches."""
        super().set_default_headers()
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:
        """Take the one-time token out of what the hub's access log prints."""
        self.request.uri = _TOKEN.sub(r"\1…", self.request.uri)
        await super().prepare()

    def looks_ahead(self) -> bool:
        """Whether a browser or mail scanner only looks ahead, which must not use a link up."""
        headers = self.request.headers
        ahead = headers.get("Sec-Purpose", "") or headers.get("Purpose", "")
        return "prefetch" in ahead or "preview" in ahead

    async def let_in(self, known: Known) -> None:
        """Log a proved person in and send them on.

        Raises:
            HTTPError: 403 for people the hub does not serve.
        """
        if self.current_user is not None:
            # Reason: services keep what the former person's session gave them until it is revoked.
            self.clear_login_cookie()
        user = await self.login_user({"proved": known})
        if user is None:
            raise HTTPError(403, "This person does not log in.")
        self._jupyterhub_user = user
        self.redirect(self.get_next_url(user))


class Link(Door):
    """`/hub/link/…`: logs in once."""

    async def get(self, text: str) -> None:
        """Use the link up.

        Raises:
            HTTPError: 410 when it is used, over or forged.
        """
        if self.looks_ahead():
            self.set_status(204)
            return
        token = token_of(text)
        known = await person_of_link(token) if token else None
        if known is None:
            raise HTTPError(410, _USED)
        await self.let_in(known)


class Welcome(Door):
    """`/hub/welcome/…`: an invited person chooses a password and is in."""

    async def get(self, text: str) -> None:
        """Show the form.

        Raises:
            HTTPError: 410 when the link is used, over or forged.
        """
        token, known = await self._person(text)
        del token
        await self._show(known)

    async def post(self, text: str) -> None:
        """Take the password.

        Raises:
            HTTPError: 410 when the link is used, over or forged.
        """
        token, known = await self._person(text)
        chosen = self.get_body_argument("password", "", strip=False)
        again = self.get_body_argument("again", "", strip=False)
        if chosen != again:
            await self._show(known, "The two passwords differ.")
            return
        try:
            # Reason: checked before the store is asked, which answers only that it works.
            passwords.check_strength(chosen, known.username)
        except ValueError as error:
            text_of = str(error)
            await self._show(known, text_of[0].upper() + text_of[1:] + ".")
            return
        try:
            proved = await in_store(lambda c: passwords.use_password_link(c, token, chosen))
        except UnknownObjectError:
            raise HTTPError(410, _USED) from None
        await self.let_in(proved)

    async def _person(self, text: str) -> tuple[str, Known]:
        token = token_of(text)
        known = None
        if token:
            known = await in_store(lambda c: passwords.find_password_link(c, token))
        if known is None or token is None:
            raise HTTPError(410, _USED)
        return token, known

    async def _show(self, known: Known, problem: str = "") -> None:
        if problem:
            self.set_status(400)
        html = await self.render_template(
            "welcome.html", who=known, problem=problem, xsrf=self.xsrf_token.decode("ascii"),
            shortest=passwords.SHORTEST,
        )  # fmt: skip
        self.finish(html)
