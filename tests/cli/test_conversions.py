"""`adlab conversions`: files in, one line told for each problem, nothing sent twice."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.conftest import Simulator

from .conftest import Adlab


@pytest.fixture
def orders(tmp_path: Path, connected: Simulator) -> Path:
    connected.control("POST", "/__clock", {"real": True})
    connected.control("DELETE", "/__events")
    at = int(time.time()) - 600
    file = tmp_path / "orders.csv"
    file.write_text(
        "event_name,event_time,event_id,action_source,email,phone,value,custom_data.currency\n"
        f"Purchase,{at},o-1,physical_store,ann@example.com,+49 30 901820,49.90,EUR\n"
        f"Purchase,{at},o-2,physical_store,not-an-address,,10,EUR\n"
        f"Purchase,{at},o-3,physical_store,ben@example.com,,5,EUR\n"
    )
    return file


def _seen(simulator: Simulator) -> list[str]:
    dataset = _dataset(simulator)
    found = simulator.control("GET", f"/__events?dataset={dataset}&limit=100")
    return [e["event_id"] for e in found["events"]]


def _dataset(simulator: Simulator) -> str:
    import httpx

    answer = httpx.get(f"{simulator.url}/v26.0/act_1001/adspixels?access_token=sim-token-x")
    return str(answer.json()["data"][0]["id"])


def test_a_file_is_checked_then_sent_once(adlab: Adlab, connected: Simulator, orders: Path) -> None:
    send = ("conversions", "send", str(orders), "--dataset", _dataset(connected),
            "--client", "acme")  # fmt: skip
    dry = adlab(*send, "--dry-run")
    assert dry.code == 1
    assert "line 3: user_data.em must be an e-mail address" in dry.err
    assert "not-an-address" not in dry.err + dry.out
    assert _seen(connected) == []
    done = adlab(*send, "--json")
    assert (done.json["sent"], done.json["rejected"]) == (2, 1)
    assert done.json["problems"] == [
        {"line": 3, "field": "user_data.em", "problem": "must be an e-mail address"}
    ]
    assert _seen(connected) == ["o-1", "o-3"]
    again = adlab(*send, "--json").json
    assert (again["duplicate"], again["sent"]) == (2, 0)
    assert _seen(connected) == ["o-1", "o-3"]
    counted = adlab("conversions", "status", "--client", "acme", "--json").json
    assert {r["state"]: r["events"] for r in counted} == {"sent": 2, "rejected": 2}


def test_json_lines_with_a_test_code_say_that_they_count(
    adlab: Adlab, connected: Simulator, orders: Path
) -> None:
    event = {
        "event_name": "Lead", "event_time": int(time.time()) - 60, "event_id": "l-1",
        "action_source": "phone_call", "user_data": {"ph": "+4930901820"},
    }  # fmt: skip
    file = orders.with_name("leads.jsonl")
    file.write_text(json.dumps(event) + "\n\n")
    done = adlab("conversions", "send", str(file), "--dataset", _dataset(connected), "--client",
                 "acme", "--test-code", "TEST1")  # fmt: skip
    assert done.code == 0, done.err
    assert "AND counts them" in done.err
    assert _seen(connected) == ["l-1"]


def test_a_file_that_is_none_is_misuse_and_not_repeated(
    adlab: Adlab, connected: Simulator, orders: Path
) -> None:
    bad = orders.with_name("bad.jsonl")
    bad.write_text('{}\n{"em": "ann@example.com"')
    where = ("--dataset", _dataset(connected), "--client", "acme")
    done = adlab("conversions", "send", str(bad), *where)
    assert done.code == 2
    assert "line 2: it is no JSON object" in done.err
    assert "ann@" not in done.err
    assert adlab("conversions", "send", str(orders.with_name("none")), *where).code == 2
    assert adlab("conversions", "send", str(orders), "--dataset", "x", "--client", "acme").code == 2
