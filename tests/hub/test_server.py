"""A person's server in a real browser: notebooks, a login of one's own, nothing of others."""

from __future__ import annotations

import json
import stat
import time

import pytest
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import text

from adlab.storage.engine import transaction
from tests.browser import ARGUMENTS, chromium
from tests.hub.conftest import PASSWORD, Running, folder_of

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(240)]

LOOK = """
import os, json, adlab
lab = adlab.connect()
me = lab.whoami()
try:
    lab.client("tokyo"); foreign = "seen"
except adlab.AdlabError as error:
    foreign = type(error).__name__
print(json.dumps({
    "name": me.name, "clients": list(lab.clients(status=None).index), "foreign": foreign,
    "variables": sorted(n for n in os.environ if n.startswith(("ADLAB", "META", "CONFIGPROXY"))),
    "login": me.login, "cwd": os.getcwd(),
}))
"""


def run_in_kernel(page: Page, base: str, code: str) -> str:
    """Run code in a fresh kernel of the person's server, through its REST and websocket."""
    return str(page.evaluate(
        """async ([base, code]) => {
          const xsrf = (document.cookie.match(/_xsrf=([^;]+)/) || [])[1] || ""
          const made = await fetch(base + "api/kernels", {
            method: "POST", headers: {"X-XSRFToken": xsrf, "Content-Type": "application/json"},
            body: JSON.stringify({name: "python3"}),
          })
          const kernel = await made.json()
          const ws = new WebSocket(base.replace("http", "ws") + "api/kernels/" + kernel.id + "/channels")
          await new Promise((yes, no) => { ws.onopen = yes; ws.onerror = no })
          const id = crypto.randomUUID()
          let said = ""
          const done = new Promise(yes => { ws.onmessage = event => {
            const m = JSON.parse(event.data)
            if (m.parent_header.msg_id !== id) return
            if (m.msg_type === "stream") said += m.content.text
            if (m.msg_type === "error") said += m.content.traceback.join("\\n")
            if (m.msg_type === "status" && m.content.execution_state === "idle") yes()
          }})
          ws.send(JSON.stringify({
            header: {msg_id: id, username: "", session: id, msg_type: "execute_request",
                     version: "5.3", date: new Date().toISOString()},
            parent_header: {}, metadata: {}, channel: "shell", buffers: [],
            content: {code, silent: false, store_history: false, user_expressions: {},
                      allow_stdin: false},
          }))
          await done
          ws.close()
          return said
        }""",
        [base, code],
    ))  # fmt: skip


def test_an_analyst_gets_a_server_that_sees_granted_clients_only(running: Running) -> None:
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url))
        page.goto(running.url)
        page.fill("#username_input", "ann")
        page.fill("#password_input", PASSWORD)
        page.click("#login_submit")
        page.wait_for_url("**/services/web/")
        began = time.monotonic()
        page.click("text=Open notebooks")
        page.wait_for_url("**/user/ann/lab/**", timeout=90_000)
        page.wait_for_selector(".jp-Notebook", timeout=60_000)
        took = time.monotonic() - began
        said = run_in_kernel(page, f"{running.url}/user/ann/", LOOK)
        seen = json.loads(said)
        assert seen["name"] == "Ann Analyst"
        assert sorted(seen["clients"]) == ["atelier", "nordlicht"]
        assert seen["foreign"] == "UnknownObjectError"
        # Nothing of ours but the person's own login.
        assert seen["variables"] == ["ADLAB_DATABASE__URL"]
        assert seen["login"].startswith("nb_")
        folder = folder_of(running, "ann")
        assert seen["cwd"] == str(folder)
        shipped = {"00_start_here.ipynb", "10_explore_a_client.ipynb", "21_read_an_ab_test.ipynb",
                   "90_monthly_report.ipynb"}  # fmt: skip
        assert shipped <= {p.name for p in folder.iterdir()}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        foreign = [u for u in asked if not u.startswith((running.url, "data:", "blob:", "about:"))]
        assert foreign == []
        _other_people_stay_out(running, page)
        _the_login_ends_with_the_server(running, page, seen["login"])
        browser.close()
    print(f"notebooks ready after {took:.1f} s")


def _other_people_stay_out(running: Running, page: Page) -> None:
    with running.browser("Ben Analyst") as ben:
        assert ben.get("/user/ann/lab").status_code in (403, 404)
        assert ben.get("/user/ann/api/contents").status_code in (403, 404)
    with running.browser("Nora Client") as nora:
        assert nora.get("/user/ann/lab").status_code in (403, 404)


def _the_login_ends_with_the_server(running: Running, page: Page, login: str) -> None:
    def there() -> bool:
        with transaction(running.engine) as connection:
            return bool(connection.scalar(
                text("SELECT count(*) FROM pg_roles WHERE rolname = :login"), {"login": login}
            ))  # fmt: skip

    assert there()
    page.goto(f"{running.url}/hub/home")
    page.click("#stop")
    give_up = time.monotonic() + 30
    while there():
        assert time.monotonic() < give_up, "the login outlived the server"
        time.sleep(0.3)
