"""The login dialog, the code exchange, long-lived tokens and `debug_token`."""

from __future__ import annotations

import html
import secrets
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from adlab.simulator.errors import GraphError, invalid_parameter
from adlab.simulator.tokens import APP_ID, Grant, TokenOffice
from adlab.simulator.wire import GraphRequest, GraphResponse, json_response

_CODE_SECONDS = 600
_SHORT_SECONDS = 2 * 3600
_LONG_SECONDS = 60 * 86_400
_DATA_ACCESS_SECONDS = 90 * 86_400


@dataclass
class _Code:
    redirect_uri: str
    grant: Grant
    made_at: float
    is_used: bool = False


class LoginOffice:
    """Runs the authorisation code flow.

    Args:
        tokens: Issues and checks tokens.
    """

    def __init__(self, tokens: TokenOffice) -> None:
        self._tokens = tokens
        self._codes: dict[str, _Code] = {}

    def reset(self) -> None:
        """Forget every code."""
        self._codes.clear()

    def dialog(self, request: GraphRequest, now: float) -> GraphResponse:
        """Show the dialog, or with `sim=` answer it at once.

        `sim` is `allow`, `deny` or `wrong_state`; `sim_accounts=1001,1002` limits what is granted
        and `sim_scopes` overrides the asked scopes.
        """
        params = request.params
        target = params.get("redirect_uri", "")
        if params.get("client_id") != APP_ID or not target:
            page = "<h1>Invalid app or redirect_uri</h1>"
            return GraphResponse(page.encode(), 400, {"content-type": "text/html"})
        choice = params.get("sim")
        if choice is None:
            return self._page(request)
        state = params.get("state", "")
        if choice == "deny":
            answer = {
                "error": "access_denied",
                "error_reason": "user_denied",
                "error_code": "200",
                "error_description": "Permissions error",
                "state": state,
            }
        else:
            answer = {
                "code": self._make_code(params, target, now),
                "state": f"{state}-wrong" if choice == "wrong_state" else state,
            }
        glue = "&" if "?" in target else "?"
        return GraphResponse(b"", 302, {"location": f"{target}{glue}{urlencode(answer)}#_=_"})

    def _make_code(self, params: dict[str, str], target: str, now: float) -> str:
        scopes = params.get("sim_scopes") or params.get("scope") or "public_profile"
        chosen = params.get("sim_accounts", "")
        accounts = frozenset(int(n) for n in chosen.split(",") if n.strip().isdigit())
        grant = Grant(
            "USER",
            "9001",
            tuple(s for s in scopes.split(",") if s),
            accounts or None,
            int(now),
            int(now) + _SHORT_SECONDS,
        )
        code = "simcode-" + secrets.token_urlsafe(18)
        self._codes[code] = _Code(target, grant, now)
        return code

    def _page(self, request: GraphRequest) -> GraphResponse:
        def link(choice: str) -> str:
            return html.escape("?" + urlencode({**request.params, "sim": choice}))

        page = (
            f"<!doctype html><html lang=en><title>Simulated login</title><h1>Simulated login"
            f"</h1><p>App {APP_ID} asks for: "
            f"{html.escape(request.params.get('scope', 'nothing'))}</p>"
            f'<p><a id=allow href="{link("allow")}">Continue as Demo Buyer</a> '
            f'<a id=deny href="{link("deny")}">Cancel</a></p></html>'
        )
        return GraphResponse(page.encode(), 200, {"content-type": "text/html"})

    def access_token(self, request: GraphRequest, now: float) -> GraphResponse:
        """Exchange a code, a short-lived token, or app credentials for a token.

        Raises:
            GraphError: 100 with 36007, 36008 or 36009 for a bad code; 190 for a bad token.
        """
        params = request.params
        self._tokens.check_app(params.get("client_id", ""), params.get("client_secret", ""))
        kind = params.get("grant_type", "authorization_code")
        if kind == "client_credentials":
            secret = params.get("client_secret", "")
            return json_response({"access_token": f"{APP_ID}|{secret}", "token_type": "bearer"})
        if kind == "fb_exchange_token":
            grant = self._tokens.resolve(params.get("fb_exchange_token", ""), now)
            if grant.kind == "APP":
                raise invalid_parameter("fb_exchange_token must be a user token")
            return self._token(grant, now, _LONG_SECONDS)
        return self._token(self._redeem(params, now), now, _SHORT_SECONDS)

    def _redeem(self, params: dict[str, str], now: float) -> Grant:
        code = self._codes.get(params.get("code", ""))
        if code is None:
            raise GraphError(100, "Invalid verification code format.", subcode=36009)
        if code.is_used:
            raise GraphError(100, "This authorization code has been used.", subcode=36009)
        if now - code.made_at > _CODE_SECONDS:
            raise GraphError(100, "This authorization code has expired.", subcode=36007)
        if code.redirect_uri != params.get("redirect_uri"):
            raise GraphError(
                100,
                "Error validating verification code. Please make sure your "
                "redirect_uri is identical to the one you used in the OAuth dialog "
                "request",
                subcode=36008,
            )
        code.is_used = True
        return code.grant

    def _token(self, grant: Grant, now: float, seconds: int) -> GraphResponse:
        issued = replace(grant, issued=int(now), expires=int(now) + seconds)
        return json_response(
            {
                "access_token": self._tokens.issue(issued),
                "token_type": "bearer",
                "expires_in": seconds,
            }
        )

    def debug(self, request: GraphRequest, now: float) -> GraphResponse:
        """Describe `input_token`; an invalid one is described too, with HTTP 200.

        Raises:
            GraphError: If the caller's own token is not the app's or a valid user's.
        """
        self._tokens.resolve(request.token, now)
        try:
            grant = self._tokens.resolve(request.params.get("input_token", ""), now)
        except GraphError as problem:
            return json_response(
                {
                    "data": {
                        "app_id": APP_ID,
                        "is_valid": False,
                        "scopes": [],
                        "error": {
                            "code": problem.code,
                            "message": problem.message,
                            "subcode": problem.subcode or 0,
                        },
                    }
                }
            )
        data: dict[str, Any] = {
            "app_id": APP_ID,
            "type": grant.kind,
            "application": "adlab simulator",
            "is_valid": True,
            "issued_at": grant.issued,
            "expires_at": grant.expires,
            "data_access_expires_at": grant.issued + _DATA_ACCESS_SECONDS if grant.expires else 0,
            "scopes": list(grant.scopes),
            "user_id": grant.user_id,
        }
        if grant.accounts is not None:
            targets = [str(number) for number in sorted(grant.accounts)]
            data["granular_scopes"] = [
                {"scope": scope, "target_ids": targets}
                for scope in grant.scopes
                if scope.startswith("ads_")
            ]
        return json_response({"data": data})
