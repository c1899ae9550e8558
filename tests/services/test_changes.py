"""Changes over HTTP to the simulator: exactly once, read back, undone, and inside Meta's limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.conftest import Simulator
from tests.services.test_ingest import MOMENT, VAULT, Agency

from adlab.core.changes import (
    Change,
    Copy,
    CreateAd,
    Remove,
    Rename,
    SetBid,
    SetBudget,
    SetStatus,
)
from adlab.core.entities import AccountId
from adlab.core.errors import (
    ChangeRefusedError,
    ConflictError,
    MissingPermissionError,
    RejectedRequestError,
    TokenExpiredError,
    UnknownObjectError,
)
from adlab.meta.client import GraphClient, Retry
from adlab.services.catalogue import refresh_objects
from adlab.services.changes import WriteParts, apply, dry_run, list_changes, undo
from adlab.services.changes_recover import apply_waiting, recover

BERLIN, TOKYO = AccountId(1001), AccountId(1002)
WHO: dict[str, Any] = {"actor": "ann", "reason": "test"}


class Desk:
    """An agency with its objects read, a clock, and a token that may write."""

    def __init__(self, agency: Agency) -> None:
        self.agency, self.simulator = agency, agency.simulator
        self.at = MOMENT
        self.slept: list[float] = []
        refresh_objects(agency.parts())
        agency.told.clear()

    @property
    def parts(self) -> WriteParts:
        def open_client(sealed: bytes, client_id: int) -> GraphClient:
            return GraphClient(
                self.simulator.url, "v26.0", VAULT.open(sealed, client_id), page_size=200,
                retry=Retry(attempts=2, first_wait=0.01), sleep=lambda _: None,
            )  # fmt: skip

        return WriteParts(
            self.agency.engine, open_client, lambda c, e: self.agency.told.append((c, e)),
            now=lambda: self.at, sleep=self.slept.append, patience=1.0,
        )  # fmt: skip

    def go_on(self, **span: float) -> None:
        """Let time pass, here and at Meta."""
        step = timedelta(**span)
        self.at += step
        self.simulator.control("POST", "/__clock", {"advance_seconds": step.total_seconds()})

    def fault(self, kind: str, match: str, **more: Any) -> None:
        self.simulator.control("POST", "/__faults", {"kind": kind, "match": match, **more})

    def calls(self, match: str) -> int:
        found = self.simulator.control("GET", f"/__calls?match={match}&limit=1000")
        return sum(1 for c in found["calls"] if c["method"] == "POST")

    def object(self, account: int, level: int, where: str = "true") -> tuple[Any, ...]:
        """object_id, daily budget in minor units, name of a live object."""
        rows = self.agency.rows(
            "SELECT object_id, daily_budget_minor, name FROM app.object o WHERE account_id = :a"
            f" AND level = :l AND status = 'ACTIVE' AND effective_status = 'ACTIVE' AND {where}"
            " ORDER BY object_id LIMIT 1", a=account, l=level,
        )  # fmt: skip
        return rows[0]

    def ad_set(self) -> tuple[int, int]:
        found = self.object(1001, 3, "daily_budget_minor > 0")
        return found[0], found[1]

    def campaign(self, account: int = 1002) -> tuple[int, int]:
        found = self.object(account, 2, "daily_budget_minor > 0")
        return found[0], found[1]

    def creative(self) -> int:
        found: int = self.agency.rows(
            "SELECT creative_id FROM app.object WHERE account_id = 1001 AND level = 4"
            " AND creative_id IS NOT NULL ORDER BY 1 LIMIT 1"
        )[0][0]
        return found

    def node(self, object_id: int, fields: str) -> dict[str, Any]:
        graph = GraphClient(self.simulator.url, "v26.0", "sim-token-test")
        return graph.get(str(object_id), {"fields": fields})

    def ads_named(self, name: str) -> list[dict[str, Any]]:
        graph = GraphClient(self.simulator.url, "v26.0", "sim-token-test")
        found = graph.get("act_1001/ads", {"fields": "id,name,status,adlabels", "limit": 500})
        return [r for r in found["data"] if r["name"] == name]


@pytest.fixture
def desk(owner_engine: Engine, simulator: Simulator) -> Iterator[Desk]:
    before = simulator.control("GET", "/__config")
    yield Desk(Agency(owner_engine, simulator))
    simulator.control("POST", "/__config", before)


def test_a_pause_is_read_back_stored_told_and_undone(desk: Desk) -> None:
    ad = desk.object(1001, 4)[0]
    done = apply(desk.parts, SetStatus(BERLIN, ad, "PAUSED"), **WHO)
    assert (done.state, done.before, done.after) == (
        "verified", {"status": "ACTIVE"}, {"status": "PAUSED"},
    )  # fmt: skip
    assert desk.node(ad, "status")["status"] == "PAUSED"
    stored = "SELECT status FROM app.object WHERE object_id = :id"
    assert desk.agency.rows(stored, id=ad) == [("PAUSED",)]
    history = desk.agency.rows(
        "SELECT state ->> 'status' FROM app.object_history WHERE object_id = :id AND level = 4"
        " ORDER BY valid_from", id=ad,
    )  # fmt: skip
    assert [h for (h,) in history][-2:] == ["ACTIVE", "PAUSED"]
    assert desk.agency.told[-1][1]["kind"] == "changes"
    audited = desk.agency.rows("SELECT action FROM sec.audit WHERE action LIKE 'change.%'")
    assert [a for (a,) in audited] == ["change.planned", "change.verified"]
    back = undo(desk.parts, done.change_id, actor="ben")
    assert (back.state, back.after) == ("verified", {"status": "ACTIVE"})
    with pytest.raises(ConflictError, match=f"undone already, by change {back.change_id}"):
        undo(desk.parts, done.change_id, actor="ben")


def test_what_is_so_already_is_not_sent(desk: Desk) -> None:
    ad = desk.object(1001, 4)[0]
    desk.simulator.control("DELETE", "/__calls")
    done = apply(desk.parts, SetStatus(BERLIN, ad, "ACTIVE"), **WHO)
    assert (done.state, done.can_undo) == ("verified", False)
    assert desk.calls(str(ad)) == 0


@pytest.mark.parametrize("make", [
    lambda d: (SetBudget(BERLIN, d.ad_set()[0], Decimal("77.31")), "daily_budget", "7731"),
    lambda d: (SetBudget(TOKYO, d.campaign()[0], Decimal(9000), currency="JPY"),
               "daily_budget", "9000"),
    lambda d: (SetBid(BERLIN, d.ad_set()[0], Decimal("1.20"), "COST_CAP"), "bid_amount", 120),
    lambda d: (Rename(BERLIN, d.object(1001, 2)[0], "Winter sale ❄"), "name", "Winter sale ❄"),
])  # fmt: skip
def test_every_edit_is_exact_and_can_be_taken_back(
    desk: Desk, make: Callable[[Desk], tuple[Change, str, Any]]
) -> None:
    change, field, value = make(desk)
    fields = f"{field},bid_strategy" if field == "bid_amount" else field
    before = desk.node(change.object_id, fields)
    checked = dry_run(desk.parts, change)
    assert checked.asked_meta
    assert desk.node(change.object_id, fields) == before
    done = apply(desk.parts, change, **WHO)
    assert (done.state, done.can_undo) == ("verified", True)
    assert desk.node(change.object_id, field)[field] == value
    assert undo(desk.parts, done.change_id, actor="ann").state == "verified"
    assert desk.node(change.object_id, fields) == before


def test_an_undo_is_refused_when_somebody_changed_it_since(desk: Desk) -> None:
    ad_set, before = desk.ad_set()
    done = apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(50)), **WHO)
    graph = GraphClient(desk.simulator.url, "v26.0", "sim-token-other")
    graph.send(str(ad_set), {"daily_budget": "6000"}, repeatable=True)
    with pytest.raises(ChangeRefusedError, match="is 6000 now and was 5000"):
        undo(desk.parts, done.change_id, actor="ann")
    assert desk.node(ad_set, "daily_budget")["daily_budget"] == "6000"
    assert before != 5000


def test_what_does_not_fit_is_refused_before_anything_is_sent(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    ad = desk.object(1001, 4)[0]
    campaign_of_it = desk.agency.rows(
        "SELECT campaign_id FROM app.object WHERE object_id = :id", id=ad_set
    )[0][0]
    under_budget = desk.agency.rows(
        "SELECT s.object_id FROM app.object s JOIN app.object c ON c.object_id = s.campaign_id"
        " WHERE s.level = 3 AND c.daily_budget_minor > 0 AND s.account_id = 1002"
        " AND s.status = 'ACTIVE' LIMIT 1"
    )[0][0]
    gone = desk.agency.rows(
        "SELECT object_id FROM app.object WHERE level = 4 AND effective_status = 'ARCHIVED'"
        " AND account_id = 1001 LIMIT 1"
    )[0][0]
    desk.simulator.control("DELETE", "/__calls")
    cases: list[tuple[Change, type[Exception], str]] = [
        (SetBudget(BERLIN, ad_set, Decimal("0.01")), ChangeRefusedError, "smallest daily budget"),
        (SetBudget(BERLIN, ad_set, Decimal(50), "lifetime"), ChangeRefusedError, "daily budget"),
        (SetBudget(BERLIN, ad_set, Decimal(50), currency="USD"), ChangeRefusedError, "in USD"),
        (SetBudget(BERLIN, ad_set, Decimal("50.001")), ValueError, "more decimals"),
        (SetBudget(TOKYO, desk.campaign()[0], Decimal("9000.5")), ValueError, "more decimals"),
        (SetBudget(BERLIN, campaign_of_it, Decimal(50)), ChangeRefusedError, "no budget of its"),
        (SetBudget(TOKYO, under_budget, Decimal(5000)), ChangeRefusedError, "on its campaign"),
        (SetBudget(BERLIN, ad, Decimal(50)), ChangeRefusedError, "does not fit the level ad"),
        (SetStatus(BERLIN, gone, "PAUSED"), ChangeRefusedError, "archived"),
        (SetStatus(TOKYO, ad_set, "PAUSED"), UnknownObjectError, "act_1002 has no"),
        (SetStatus(AccountId(9), 1, "PAUSED"), UnknownObjectError, "not connected"),
    ]
    for change, kind, told in cases:
        with pytest.raises(kind, match=told):
            apply(desk.parts, change, **WHO)
    with pytest.raises(ValueError, match="undoing"):
        apply(desk.parts, Remove(BERLIN, ad), **WHO)
    assert desk.agency.rows("SELECT count(*) FROM app.change_journal") == [(0,)]
    calls = desk.simulator.control("GET", "/__calls?limit=1000")["calls"]
    assert {c["path"] for c in calls if c["method"] == "POST"} <= {"/v26.0/", "/v26.0"}


def test_a_refusal_of_meta_is_kept_with_the_field_it_blames(desk: Desk) -> None:
    ad_set, before = desk.ad_set()
    desk.fault("error", f"/{ad_set}$", method="POST", params={
        "code": 100, "subcode": 1885650, "message": "Too low",
        "data": {"blame_field_specs": [["daily_budget"]]},
    })  # fmt: skip
    with pytest.raises(RejectedRequestError, match="Too low"):
        apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(50)), **WHO)
    (entry,) = list_changes(desk.parts, "berlin")
    assert (entry.state, entry.sends) == ("failed", ())
    assert "Too low" in (entry.error or "")
    assert desk.node(ad_set, "daily_budget")["daily_budget"] == str(before)


def test_a_fifth_budget_in_an_hour_waits_and_the_newest_wish_is_sent(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    for euros in (41, 42, 43, 44):
        assert apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(euros)), **WHO).state == (
            "verified"
        )
        desk.go_on(minutes=5)
    desk.simulator.control("DELETE", "/__calls")
    assert dry_run(desk.parts, SetBudget(BERLIN, ad_set, Decimal(45))).not_before is not None
    desk.simulator.control("DELETE", "/__calls")
    fifth = apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(45)), **WHO)
    assert (fifth.state, fifth.not_before) == ("waiting", MOMENT + timedelta(minutes=61))
    newest = apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(46)), **WHO)
    assert (newest.state, desk.calls(f"/{ad_set}$")) == ("waiting", 0)
    states = {e.change_id: (e.state, e.replaced_by) for e in list_changes(desk.parts)}
    assert states[fifth.change_id] == ("replaced", newest.change_id)
    assert apply_waiting(desk.parts).changes == []
    desk.go_on(minutes=41, seconds=1)
    done = apply_waiting(desk.parts)
    assert [(c.change_id, c.state) for c in done.changes] == [(newest.change_id, "verified")]
    assert desk.node(ad_set, "daily_budget")["daily_budget"] == "4600"
    assert apply_waiting(desk.parts).changes == []
    # Other kinds of change do not wait.
    assert apply(desk.parts, SetStatus(BERLIN, ad_set, "PAUSED"), **WHO).state == "verified"


def test_campaigns_are_held_to_the_same_rule(desk: Desk) -> None:
    campaign, _ = desk.campaign()
    for yen in (8001, 8002, 8003, 8004):
        apply(desk.parts, SetBudget(TOKYO, campaign, Decimal(yen)), **WHO)
    assert apply(desk.parts, SetBudget(TOKYO, campaign, Decimal(8005)), **WHO).state == "waiting"


def test_changes_by_others_count_when_they_are_known(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    with desk.agency.engine.begin() as c:
        for minute in (50, 40, 30):
            c.exec_driver_sql(
                "INSERT INTO app.activity (client_id, account_id, digest, happened_at, event_type,"
                " object_id, seen_at) VALUES (1, 1001, %s, %s, 'update_ad_set_budget', %s, now())",
                (bytes([minute]), MOMENT - timedelta(minutes=minute), str(ad_set)),
            )
    assert apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(41)), **WHO).state == "verified"
    waits = apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(42)), **WHO)
    assert (waits.state, waits.not_before) == ("waiting", MOMENT + timedelta(minutes=11))


def test_meta_closing_a_budget_makes_the_wish_wait(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    graph = GraphClient(desk.simulator.url, "v26.0", "sim-token-other")
    for units in ("4100", "4200", "4300", "4400"):
        graph.send(str(ad_set), {"daily_budget": units}, repeatable=True)
    waits = apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(45)), **WHO)
    assert (waits.state, waits.not_before) == ("waiting", MOMENT + timedelta(minutes=61))
    desk.go_on(minutes=62)
    assert [c.state for c in apply_waiting(desk.parts).changes] == ["verified"]


def test_a_wish_is_not_sent_over_what_somebody_changed_meanwhile(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    for euros in (41, 42, 43, 44, 45):
        apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(euros)), **WHO)
    desk.go_on(minutes=62)
    graph = GraphClient(desk.simulator.url, "v26.0", "sim-token-other")
    graph.send(str(ad_set), {"daily_budget": "9900"}, repeatable=True)
    (done,) = apply_waiting(desk.parts).changes
    assert done.state == "failed"
    assert "Somebody changed it while this waited" in (done.error or "")
    assert desk.node(ad_set, "daily_budget")["daily_budget"] == "9900"


@pytest.mark.parametrize("how", ["reset", "500"])
def test_a_budget_whose_answer_was_lost_is_read_and_not_repeated(desk: Desk, how: str) -> None:
    ad_set, _ = desk.ad_set()
    desk.fault("lost_response", f"/{ad_set}$", method="POST", params={"how": how})
    desk.simulator.control("DELETE", "/__calls")
    done = apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(50)), **WHO)
    assert (done.state, desk.calls(f"/{ad_set}$")) == ("verified", 1)


def test_a_budget_that_never_arrived_is_sent_once_more_and_counts_twice(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    desk.fault("reset", f"/{ad_set}$", method="POST")
    done = apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(50)), **WHO)
    assert done.state == "verified"
    (entry,) = list_changes(desk.parts)
    assert len(entry.sends) == 2


def test_a_refusal_after_a_lost_answer_proves_nothing(desk: Desk) -> None:
    """The first call may still take effect, so the change is not called failed."""
    ad_set, before = desk.ad_set()
    desk.fault("reset", f"/{ad_set}$", method="POST")
    desk.fault("no_permission", f"/{ad_set}$", method="POST")
    with pytest.raises(MissingPermissionError):
        apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(50)), **WHO)
    (entry,) = list_changes(desk.parts)
    assert (entry.state, len(entry.sends)) == ("unknown", 1)
    assert recover(desk.parts).busy == [entry.change_id]
    desk.at += timedelta(minutes=11)
    assert [c.state for c in recover(desk.parts).changes] == ["failed"]
    assert desk.node(ad_set, "daily_budget")["daily_budget"] == str(before)


def test_a_wish_that_came_true_meanwhile_is_not_sent(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    for euros in (41, 42, 43, 44, 45):
        apply(desk.parts, SetBudget(BERLIN, ad_set, Decimal(euros)), **WHO)
    desk.go_on(minutes=62)
    graph = GraphClient(desk.simulator.url, "v26.0", "sim-token-other")
    graph.send(str(ad_set), {"daily_budget": "4500"}, repeatable=True)
    desk.simulator.control("DELETE", "/__calls")
    assert [c.state for c in apply_waiting(desk.parts).changes] == ["verified"]
    assert desk.calls(f"/{ad_set}$") == 0


def test_an_ad_is_made_paused_and_once_with_no_label_left(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    change = CreateAd(BERLIN, ad_set, "New ad", desk.creative())
    checked = dry_run(desk.parts, change)
    assert (checked.asked_meta, desk.ads_named("New ad")) == (True, [])
    done = apply(desk.parts, change, **WHO)
    assert (done.state, done.difference) == ("verified", None)
    (ad,) = desk.ads_named("New ad")
    assert (int(ad["id"]), ad["status"]) == (done.made_id, "PAUSED")
    graph = GraphClient(desk.simulator.url, "v26.0", "sim-token-test")
    assert graph.get("act_1001/adlabels", {"fields": "name"})["data"] == []
    assert desk.agency.rows("SELECT status FROM app.object WHERE object_id = :i", i=done.made_id)
    back = undo(desk.parts, done.change_id, actor="ann")
    assert (back.state, desk.ads_named("New ad")) == ("verified", [])
    with pytest.raises(ChangeRefusedError, match="has no inverse"):
        undo(desk.parts, back.change_id, actor="ann")


@pytest.mark.parametrize("fault", [
    ("lost_response", {"how": "reset"}), ("lost_response", {"how": "500"}), ("reset", {}),
    ("transient", {}),
], ids=["done-reset", "done-500", "not-done-reset", "not-done-2"])  # fmt: skip
@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("what", ["ad", "copy", "copied_ad"])
def test_a_creation_whose_answer_was_lost_exists_exactly_once(
    desk: Desk, fault: tuple[str, dict[str, Any]], labels: bool, what: str
) -> None:
    ad_set, _ = desk.ad_set()
    ad = desk.object(1001, 4)
    change: Change = {
        "ad": CreateAd(BERLIN, ad_set, "Only one", desk.creative()),
        "copy": Copy(BERLIN, ad_set, prefix="Only one: "),
        "copied_ad": Copy(BERLIN, ad[0], prefix="Only one: "),
    }[what]
    if not labels:
        desk.fault("no_permission", "adlabels", count=None)
    kind, params = fault
    desk.fault(kind, "/ads$|/copies$", method="POST", params=params)
    done = apply(desk.parts, change, **WHO)
    assert (done.state, done.difference) == ("verified", None)
    graph = GraphClient(desk.simulator.url, "v26.0", "sim-token-test")
    edge = "act_1001/adsets" if what == "copy" else "act_1001/ads"
    found = graph.get(edge, {"fields": "id,name,status", "limit": 500})["data"]
    mine = [r for r in found if r["name"].startswith("Only one")]
    assert [(int(r["id"]), r["status"]) for r in mine] == [(done.made_id, "PAUSED")]


def test_a_deep_copy_brings_what_lies_under_it_and_goes_again(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    done = apply(desk.parts, Copy(BERLIN, ad_set, deep=True), **WHO)
    assert done.state == "verified"
    (entry,) = list_changes(desk.parts)
    assert [m["level"] for m in entry.made or []].count("adset") == 1
    stored = desk.agency.rows(
        "SELECT count(*) FROM app.object WHERE object_id = ANY (:ids)",
        ids=[m["object_id"] for m in entry.made or []],
    )
    assert stored == [(len(entry.made or []),)]
    assert len(entry.made or []) > 1
    assert undo(desk.parts, done.change_id, actor="ann").state == "verified"


def test_what_was_made_and_then_run_is_not_deleted_by_an_undo(desk: Desk) -> None:
    ad_set, _ = desk.ad_set()
    made = apply(desk.parts, CreateAd(BERLIN, ad_set, "Live", desk.creative()), **WHO)
    assert made.made_id is not None
    apply(desk.parts, SetStatus(BERLIN, made.made_id, "ACTIVE"), **WHO)
    with pytest.raises(ChangeRefusedError, match="somebody changed it since"):
        undo(desk.parts, made.change_id, actor="ann")


def test_a_read_back_that_differs_is_named(desk: Desk) -> None:
    ad = desk.object(1001, 4)[0]
    done = apply(desk.parts, Rename(BERLIN, ad, "Read me back"), **WHO)
    assert done.state == "verified"
    desk.simulator.control("POST", "/__objects", {"id": str(ad), "set": {"name": "Else"}})
    with desk.agency.engine.begin() as c:
        c.exec_driver_sql("UPDATE app.change_journal SET state = 'sent', settled_at = NULL")
    (settled,) = recover(desk.parts).changes
    assert (settled.state, settled.difference) == ("differs", {"name": ["Read me back", "Else"]})


def test_a_review_under_way_is_a_remark_and_no_failure(desk: Desk) -> None:
    desk.simulator.control("POST", "/__config", {"review_seconds": 600})
    ad_set, _ = desk.ad_set()
    done = apply(desk.parts, CreateAd(BERLIN, ad_set, "Reviewed", desk.creative()), **WHO)
    assert done.state == "verified"
    assert any("PENDING_REVIEW" in r for r in done.remarks)


def test_a_token_that_only_reads_is_told_what_to_ask_for(
    owner_engine: Engine, simulator: Simulator
) -> None:
    desk = Desk(Agency(owner_engine, simulator, "sim-readonly-x"))
    with pytest.raises(MissingPermissionError, match="ads_management"):
        apply(desk.parts, SetStatus(BERLIN, desk.object(1001, 4)[0], "PAUSED"), **WHO)
    assert desk.agency.rows("SELECT count(*) FROM app.change_journal") == [(0,)]


def test_a_token_that_died_needs_a_person(desk: Desk) -> None:
    ad = desk.object(1001, 4)[0]
    desk.fault("expired_token", f"/{ad}$", method="POST")
    with pytest.raises(TokenExpiredError):
        apply(desk.parts, SetStatus(BERLIN, ad, "PAUSED"), **WHO)
    assert [e.state for e in list_changes(desk.parts)] == ["failed"]
    with pytest.raises(TokenExpiredError, match="Connect again"):
        apply(desk.parts, SetStatus(BERLIN, ad, "PAUSED"), **WHO)


def test_two_at_once_do_not_change_one_object(desk: Desk) -> None:
    from adlab.storage.changes import hold

    ad = desk.object(1001, 4)[0]
    with (
        hold(desk.agency.engine, ad, 0.0),
        pytest.raises(ConflictError, match="by somebody else right now"),
    ):
        apply(desk.parts, SetStatus(BERLIN, ad, "PAUSED"), **WHO)
    assert apply(desk.parts, SetStatus(BERLIN, ad, "PAUSED"), **WHO).state == "verified"
