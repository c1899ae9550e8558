"""Facebook Login: each step, each refusal, and what rests in the store between them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Engine, text

from adlab.core.entities import AccountId, AccountInfo
from adlab.core.errors import (
    AccessDeniedError,
    ConflictError,
    MissingPermissionError,
    RejectedRequestError,
    SettingsError,
)
from adlab.core.roles import Role
from adlab.logs import keep_addresses_out
from adlab.services import connections_invite as invites
from adlab.services import connections_login as login
from adlab.services.access import MetaAccess
from adlab.services.connections import ConnectionParts
from adlab.services.connections_dialog import Answer, Begin, Choices, LoginStateError, Returned
from adlab.storage import access
from adlab.storage.clients import store_client
from adlab.storage.engine import transaction
from adlab.storage.objects import store_account
from adlab.vault import Vault

from .login_at_meta import APP_ID, BACK, NOW, SECRET, FacebookDouble, Token

BROWSER = "b" * 40


class House:
    """A store with two clients and two people, and Facebook beside it."""

    def __init__(self, engine: Engine) -> None:
        self.facebook = FacebookDouble()
        self.engine = engine
        self.parts = self.with_meta()
        with transaction(engine) as c:
            self.ada = access.store_person(c, "Ada", Role.ADMIN)
            self.bo = access.store_person(c, "Bo", Role.ADMIN)
            self.acme = store_client(c, "Acme", "acme", brand={"color": "#123456"}).client_id
            self.beta = store_client(c, "Beta", "beta").client_id

    def with_meta(self, **more: Any) -> ConnectionParts:
        given: dict[str, Any] = {"app_id": APP_ID, "app_secret": SECRET} | more
        meta = MetaAccess(
            "https://graph.facebook.com", "v26.0", transport=self.facebook.transport, **given
        )
        return ConnectionParts(self.engine, Vault(b"v" * 32), meta)

    def begin(self, **more: Any) -> str:
        given: dict[str, Any] = {"person_id": self.ada, "client_id": self.acme} | more
        return login.begin(self.parts, Begin(BROWSER, BACK, **given), NOW)

    def back(self, state: str, code: str = "code-1", **more: Any) -> Returned:
        given: dict[str, Any] = {"browser": BROWSER, "person_id": self.ada} | more
        return login.finish(self.parts, Answer(state, code=code, **given), self.facebook.now)

    def choices(self, person: int | None = None) -> Choices:
        return login.choices(self.parts, BROWSER, person or self.ada, self.facebook.now)

    def choose(self, *accounts: str, person: int | None = None) -> Any:
        who = person or self.ada
        return login.choose(self.parts, BROWSER, who, accounts, self.facebook.now, "Ada")

    def value(self, sql: str, **given: Any) -> Any:
        with transaction(self.engine) as c:
            return c.execute(text(sql), given).scalar()


@pytest.fixture
def house(owner_engine: Engine) -> Iterator[House]:
    yield House(owner_engine)


def asked(dialog: str) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlsplit(dialog).query).items()}


def test_a_login_from_the_dialog_to_two_connected_accounts(house: House) -> None:
    dialog = house.begin()
    assert dialog.startswith("https://www.facebook.com/v26.0/dialog/oauth?")
    said = asked(dialog)
    assert (said["client_id"], said["redirect_uri"], said["scope"], said["response_type"]) == (
        APP_ID, BACK, "ads_read", "code",
    )  # fmt: skip
    assert "auth_type" not in said
    returned = house.back(house.facebook.allow(dialog))
    assert (returned.outcome, returned.slug, returned.missing) == ("choose", "acme", ())
    found = house.choices()
    assert [(c.account_id, c.state) for c in found.accounts] == [(1002, "free"), (1001, "free")]
    assert (found.user, found.listed, found.invited) == ("Demo Buyer", True, False)
    done = house.choose("act_1001", "1002")
    assert [a.account_id for a in done.accounts] == [1001, 1002]
    with transaction(house.engine) as c:
        (row,) = c.execute(text("SELECT * FROM sec.connection")).mappings().all()
        linked = c.scalars(text("SELECT connection_id FROM app.account")).all()
    assert linked == [row["connection_id"]] * 2
    assert (row["meta_user_id"], row["meta_user_name"], row["connected_by"], row["status"]) == (
        "9001", "Demo Buyer", "Ada", "ok",
    )  # fmt: skip
    assert row["expires_at"] == NOW + timedelta(days=60)
    assert house.parts.vault.open(bytes(row["token_sealed"]), house.acme) == "issued-token-number-2"
    assert house.value("SELECT count(*) FROM sec.audit WHERE action = 'account.connect'") == 2
    assert house.value("SELECT token_sealed FROM sec.connect_attempt") is None


def test_both_steps_name_the_same_return_address_byte_for_byte(house: House) -> None:
    odd = "https://reports.example:8443/services/web/connect/callback"
    dialog = login.begin(house.parts, Begin(BROWSER, odd, house.acme, house.ada), NOW)
    house.back(house.facebook.allow(dialog))
    sent = [r for r in house.facebook.requests if "code" in r.url.params]
    assert [r.url.params["redirect_uri"] for r in sent] == [odd] == [asked(dialog)["redirect_uri"]]


def test_writing_and_business_assets_are_asked_for_only_when_wanted(house: House) -> None:
    assert asked(house.begin(write=True))["scope"] == "ads_read,ads_management"
    house.parts = house.with_meta(with_business=True)
    assert asked(house.begin())["scope"] == "ads_read,business_management"


def test_the_dialog_is_where_the_graph_api_is_when_that_is_not_facebook(house: House) -> None:
    base, app = "http://127.0.0.1:8620", {"app_id": "5", "app_secret": "s" * 20}
    local = MetaAccess(base, "v26.0", **app).app
    chosen = MetaAccess(base, "v26.0", **app, dialog_url="https://login.example/").app
    assert local is not None
    assert chosen is not None
    assert (local.dialog_url, chosen.dialog_url) == (base, "https://login.example")


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ({"app_id": None}, "ADLAB_META__APP_ID must"),
        ({"app_secret": None}, "ADLAB_META__APP_SECRET must"),
        ({"app_id": None, "app_secret": None}, "APP_ID and ADLAB_META__APP_SECRET must"),
    ],
)
def test_without_an_app_the_settings_are_named(
    house: House, lacking: dict[str, None], named: str
) -> None:
    house.parts = house.with_meta(**lacking)
    with pytest.raises(SettingsError, match=named):
        house.begin()


def test_nothing_of_a_login_is_in_the_store_in_the_clear(house: House) -> None:
    dialog = house.begin()
    state = house.facebook.allow(dialog)
    house.back(state)
    with transaction(house.engine) as c:
        kept = str(c.execute(text("SELECT t.*, encode(token_sealed, 'escape') AS raw"
                                  " FROM sec.connect_attempt t")).mappings().all())  # fmt: skip
    for secret in (state, BROWSER, "issued-token", "code-1", SECRET):
        assert secret not in kept


@pytest.mark.parametrize(
    "answered", [{"error": "access_denied", "error_reason": "user_denied"}, {}]
)
def test_a_person_who_declines_is_told_so_and_can_be_asked_again(
    house: House, answered: dict[str, str]
) -> None:
    state = asked(house.begin(write=True))["state"]
    assert house.back(state, code="", **answered).outcome == "denied"
    with pytest.raises(LoginStateError, match="took too long"):
        house.choices()
    slug, dialog = login.begin_again(house.parts, BROWSER, house.ada, NOW)
    assert (slug, asked(dialog)["auth_type"]) == ("acme", "rerequest")
    assert asked(dialog)["scope"] == "ads_read,ads_management"
    assert asked(dialog)["state"] != state


def test_another_error_of_the_dialog_is_no_refusal_by_the_person(house: House) -> None:
    with pytest.raises(RejectedRequestError, match="ended the login with an error"):
        house.back(asked(house.begin())["state"], code="", error="server_error")


def test_what_was_not_granted_is_named_and_nothing_is_kept(house: House) -> None:
    token = Token(scopes=("public_profile",), declined=("ads_read",))
    returned = house.back(house.facebook.allow(house.begin(), token))
    assert (returned.outcome, returned.missing) == ("missing", ("ads_read",))
    assert house.value("SELECT token_sealed FROM sec.connect_attempt") is None
    with pytest.raises(LoginStateError):
        house.choices()


def test_without_the_right_to_change_ads_they_can_still_be_read(house: House) -> None:
    token = Token(scopes=("ads_read",), declined=("ads_management",))
    returned = house.back(house.facebook.allow(house.begin(write=True), token))
    assert (returned.outcome, returned.missing) == ("choose", ("ads_management",))
    assert house.choices().missing == ("ads_management",)


def test_where_permissions_are_silent_the_tokens_own_scopes_count(house: House) -> None:
    house.facebook.fails["me/permissions"] = (200, None)
    returned = house.back(house.facebook.allow(house.begin(write=True), Token()))
    assert (returned.outcome, returned.missing) == ("choose", ("ads_management",))


def test_a_state_works_once(house: House) -> None:
    state = house.facebook.allow(house.begin())
    house.back(state)
    with pytest.raises(LoginStateError, match="used already"):
        house.back(state, code="code-2")


@pytest.mark.parametrize("state", ["", "wrong", "x" * 43])
def test_an_unknown_state_is_refused(house: House, state: str) -> None:
    house.begin()
    with pytest.raises(LoginStateError, match="belongs to no login"):
        house.back(state)
    assert house.facebook.requests == []


def test_a_state_expires_after_a_quarter_of_an_hour(house: House) -> None:
    state = house.facebook.allow(house.begin())
    house.facebook.now = NOW + timedelta(minutes=15)
    with pytest.raises(LoginStateError, match="too long"):
        house.back(state)


@pytest.mark.parametrize("browser", ["", "c" * 40])
def test_another_browser_is_refused_and_does_not_use_the_state_up(
    house: House, browser: str
) -> None:
    state = house.facebook.allow(house.begin())
    with pytest.raises(LoginStateError, match="another browser"):
        house.back(state, browser=browser)
    assert house.back(state).outcome == "choose"


@pytest.mark.parametrize("somebody", ["bo", None])
def test_another_person_is_refused_at_every_step(house: House, somebody: str | None) -> None:
    other = getattr(house, somebody) if somebody else None
    state = house.facebook.allow(house.begin())
    with pytest.raises(LoginStateError, match="somebody else"):
        house.back(state, person_id=other)
    house.back(state)
    for step in (
        lambda: login.choices(house.parts, BROWSER, other, NOW),
        lambda: login.choose(house.parts, BROWSER, other, ["1001"], NOW),
        lambda: login.begin_again(house.parts, BROWSER, other, NOW),
    ):
        with pytest.raises(LoginStateError, match="somebody else"):
            step()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda f: f.codes.clear(), "has expired"),
        (lambda f: f.used.add("code-1"), "used already"),
        (lambda f: f.codes.update({"code-1": (f"{BACK}/", Token())}), "another return address"),
    ],
)
def test_metas_reasons_for_refusing_a_code_are_explained(
    house: House, make: Any, told: str
) -> None:
    state = house.facebook.allow(house.begin())
    make(house.facebook)
    with pytest.raises(RejectedRequestError, match=told) as caught:
        house.back(state)
    assert "tart again" in caught.value.remedy
    assert "code-1" not in str(caught.value)


def test_a_code_is_sent_once_even_when_no_answer_comes(house: House) -> None:
    state = house.facebook.allow(house.begin())
    house.facebook.fails["oauth/access_token"] = (2, None)
    with pytest.raises(Exception, match="Meta error 2"):
        house.back(state)
    assert len(house.facebook.requests) == 1


def test_a_wrong_app_secret_is_a_setting_and_is_not_repeated(house: House) -> None:
    state = house.facebook.allow(house.begin())
    house.parts = house.with_meta(app_secret="another-wrong-app-secret")
    with pytest.raises(SettingsError, match="ADLAB_META__APP_SECRET") as caught:
        house.back(state)
    assert "another-wrong" not in str(caught.value)


def test_a_token_that_cannot_be_extended_is_kept_until_upkeep_renews_it(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # Reason: every process does so at its start; the client's own lines hold whole addresses.
    keep_addresses_out()
    state = house.facebook.allow(house.begin())
    give = house.facebook._give

    def only_short(like: Token, lasts: timedelta) -> Any:
        house.facebook.fails["oauth/access_token"] = (190, 467)
        return give(like, lasts)

    house.facebook._give = only_short  # type: ignore[method-assign]
    assert house.back(state).outcome == "choose"
    house.choose("1001")
    assert house.value("SELECT expires_at FROM sec.connection") == NOW + timedelta(hours=2)
    assert "token_not_extended" in caplog.text
    assert "issued-token" not in caplog.text
    assert SECRET not in caplog.text


def test_accounts_that_meta_does_not_list_can_be_named(house: House) -> None:
    house.facebook.unlisted = True
    house.back(house.facebook.allow(house.begin()))
    assert (house.choices().accounts, house.choices().listed) == ((), False)
    assert [a.name for a in house.choose("act_1001").accounts] == ["Shop"]


def test_several_hundred_accounts_are_all_offered(house: House) -> None:
    house.facebook.accounts = {str(2000 + n): f"Account {n:03}" for n in range(430)}
    house.back(house.facebook.allow(house.begin()))
    assert len(house.choices().accounts) == 430
    with pytest.raises(ValueError, match="at most 200"):
        house.choose(*house.facebook.accounts)


@pytest.mark.parametrize(
    ("chosen", "told"), [((), "at least one"), (("",), "at least one"), (("shop",), "not an ad")]
)
def test_a_malformed_choice_is_refused_and_can_be_repeated(
    house: House, chosen: tuple[str, ...], told: str
) -> None:
    house.back(house.facebook.allow(house.begin()))
    with pytest.raises(ValueError, match=told):
        house.choose(*chosen)
    assert house.choose("1001").slug == "acme"


def test_one_account_that_cannot_be_read_connects_none(house: House) -> None:
    house.back(house.facebook.allow(house.begin()))
    with pytest.raises(RejectedRequestError, match="act_777 cannot be read"):
        house.choose("1001", "777")
    assert house.value("SELECT count(*) FROM sec.connection") == 0
    assert house.choose("1001").slug == "acme"


def test_another_clients_account_is_shown_as_taken_and_refused(house: House) -> None:
    with transaction(house.engine) as c:
        info = AccountInfo(AccountId(1001), "Shop", "EUR", "Europe/Berlin", 1)
        store_account(c, info, house.beta)
    house.back(house.facebook.allow(house.begin()))
    assert [(c.account_id, c.state) for c in house.choices().accounts] == [
        (1002, "free"), (1001, "elsewhere"),
    ]  # fmt: skip
    with pytest.raises(ConflictError, match="beta"):
        house.choose("1001", "1002")
    assert house.value("SELECT count(*) FROM sec.connection") == 0


def test_a_choice_is_carried_out_once_and_ends_with_its_time(house: House) -> None:
    house.back(house.facebook.allow(house.begin()))
    house.choose("1001")
    with pytest.raises(LoginStateError):
        house.choose("1002")
    house.back(house.facebook.allow(house.begin(), code="code-2"), code="code-2")
    house.facebook.now = NOW + timedelta(minutes=31)
    with pytest.raises(LoginStateError, match="too long"):
        house.choose("1002")


def test_tokens_nobody_chose_accounts_for_are_forgotten_with_their_login(house: House) -> None:
    house.back(house.facebook.allow(house.begin()))
    login.begin(house.parts, Begin("z" * 40, BACK, house.acme, house.ada),
                NOW + timedelta(minutes=31))  # fmt: skip
    assert house.value("SELECT count(*) FROM sec.connect_attempt") == 1
    assert house.value("SELECT count(token_sealed) FROM sec.connect_attempt") == 0


def test_connecting_again_replaces_the_token_of_its_accounts(house: House) -> None:
    for code in ("code-1", "code-2"):
        house.back(house.facebook.allow(house.begin(), code=code), code=code)
        house.choose("1001", "1002")
    assert house.value("SELECT count(*) FROM sec.connection") == 1


def test_a_token_of_another_app_is_refused(house: House) -> None:
    state = house.facebook.allow(house.begin())
    debug = house.facebook._debug

    def foreign(asker: str, token: str) -> Any:
        import httpx

        body = debug(asker, token).json()
        body["data"]["app_id"] = "777"
        return httpx.Response(200, json=body)

    house.facebook._debug = foreign  # type: ignore[method-assign]
    with pytest.raises(MissingPermissionError, match="belongs to app 777"):
        house.back(state)


# ---- invitations ------------------------------------------------------------------------------


def invited(house: House, **more: Any) -> tuple[invites.Invitation, str]:
    made = invites.invite(house.engine, "acme", now=NOW, actor="Ada", **more)
    view = invites.look_at(house.engine, made.nonce, NOW)
    assert view is not None
    dialog = house.begin(person_id=None, invite_id=view.invite_id, write=view.write)
    return made, house.facebook.allow(dialog)


def test_a_client_connects_by_itself_and_nobody_logs_in(house: House) -> None:
    made, state = invited(house)
    returned = house.back(state, person_id=None)
    assert (returned.outcome, returned.invited, returned.brand) == (
        "choose", True, {"color": "#123456"},
    )  # fmt: skip
    login.choices(house.parts, BROWSER, None, NOW)
    done = login.choose(house.parts, BROWSER, None, ["1001"], NOW)
    assert (done.slug, done.invited) == ("acme", True)
    assert house.value("SELECT connected_by FROM sec.connection") == "invitation 1 by Ada"
    view = invites.look_at(house.engine, made.nonce, NOW)
    assert view is not None
    assert view.state == "used"
    with pytest.raises(AccessDeniedError):
        login.choose(house.parts, BROWSER, None, ["1002"], NOW)


def test_an_invitation_that_was_revoked_ends_the_login_it_began(house: House) -> None:
    made, state = invited(house)
    house.back(state, person_id=None)
    invites.revoke_invitation(house.engine, made.invite_id, now=NOW, actor="Ada")
    with pytest.raises(AccessDeniedError, match="no longer holds"):
        login.choose(house.parts, BROWSER, None, ["1001"], NOW)
    assert house.value("SELECT count(*) FROM sec.connection") == 0
    view = invites.look_at(house.engine, made.nonce, NOW)
    assert view is not None
    assert view.state == "revoked"


def test_of_two_logins_by_one_invitation_the_first_choice_wins(house: House) -> None:
    made, state = invited(house)
    house.back(state, person_id=None)
    dialog = login.begin(house.parts, Begin("c" * 40, BACK, house.acme, None, made.invite_id), NOW)
    second = house.facebook.allow(dialog, code="code-2")
    house.back(second, code="code-2", browser="c" * 40, person_id=None)
    login.choose(house.parts, BROWSER, None, ["1001"], NOW)
    with pytest.raises(AccessDeniedError, match="no longer holds"):
        login.choose(house.parts, "c" * 40, None, ["1002"], NOW)


def test_the_invited_do_not_learn_whose_a_taken_account_is(house: House) -> None:
    with transaction(house.engine) as c:
        info = AccountInfo(AccountId(1001), "Shop", "EUR", "Europe/Berlin", 1)
        store_account(c, info, house.beta)
    _, state = invited(house)
    house.back(state, person_id=None)
    with pytest.raises(ConflictError) as caught:
        login.choose(house.parts, BROWSER, None, ["1001"], NOW)
    assert "beta" not in str(caught.value).lower()


def test_an_invitation_ends_and_is_kept_as_a_hash(house: House) -> None:
    made = invites.invite(house.engine, "acme", now=NOW, hours=2, write=True)
    assert made.nonce not in repr(made)
    assert made.nonce not in str(house.value("SELECT i::text FROM sec.connect_invite i"))
    late = invites.look_at(house.engine, made.nonce, NOW + timedelta(hours=2))
    assert late is not None
    assert (late.state, late.write) == ("expired", True)
    assert [i["invite_id"] for i in invites.open_invitations(house.engine, NOW, "acme")] == [
        made.invite_id
    ]
    assert invites.open_invitations(house.engine, NOW + timedelta(hours=2)) == []


@pytest.mark.parametrize("nonce", ["", "short", "x" * 32, "x" * 300])
def test_a_guessed_invitation_is_none(house: House, nonce: str) -> None:
    assert invites.look_at(house.engine, nonce, NOW) is None


@pytest.mark.parametrize("hours", [0, -1, 721, float("nan")])
def test_an_invitation_without_an_end_is_refused(house: House, hours: float) -> None:
    with pytest.raises(ValueError, match="up to 720 hours"):
        invites.invite(house.engine, "acme", now=NOW, hours=hours)


def test_an_invitation_is_revoked_once_and_by_its_own_client_only(house: House) -> None:
    made = invites.invite(house.engine, "acme", now=NOW)
    with pytest.raises(Exception, match="no open invitation"):
        invites.revoke_invitation(house.engine, made.invite_id, now=NOW, slug="beta")
    invites.revoke_invitation(house.engine, made.invite_id, now=NOW, slug="acme")
    with pytest.raises(Exception, match="no open invitation"):
        invites.revoke_invitation(house.engine, made.invite_id, now=NOW)
