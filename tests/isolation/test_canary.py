"""Canary secrets are sent through every path, then looked for in everything that came out of it.

Outputs, logs, the database's dump and log, the cache, files, processes, answers over HTTP: in plain,
encoded for addresses, base64, hex and escaped.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import psycopg
import pytest
import redis
from psycopg import sql
from tests.conftest import NOW, start_simulator
from tests.isolation.canary import CANARIES, Nest, found_in, parrot, spellings

from adlab.core.errors import AdlabError
from adlab.local import ensure_servers, free_port, reset_data
from adlab.logs import redact
from adlab.meta.client import GraphClient, Retry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Processes that hold a secret in their environment, and why. Nobody else may.
MAY_HOLD = {
    "adlab.cli worker": {
        "master key",
        "app secret",
    },  # opens tokens and signs calls, as started here
    "adlab.cli hub": {
        "master key",
        "app secret",
    },  # the house: wires everything, gives on what each needs
    "adlab.jobs": {"master key", "app secret"},  # the worker of the house
    "adlab.web.hooks": {"app secret"},  # checks signatures of webhooks
}


@pytest.fixture(scope="module")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nest]:
    """A home after everything was done in it once, well and badly."""
    home = tmp_path_factory.mktemp("canary")
    process, url = start_simulator("tiny", "--now", NOW, "--app-secret", CANARIES["app secret"])
    made = Nest(home, url)
    try:
        _work(made)
        _fail(made)
        _run_worker(made)
        _run_house(made)
        yield made
    finally:
        process.terminate()
        process.wait(timeout=10)
        reset_data(home)


def _work(nest: Nest) -> None:
    token = {"CANARY_TOKEN": CANARIES["meta token"]}
    assert (
        nest.adlab("client", "add", "Acme", "--slug", "acme", "--currency", "EUR").returncode == 0
    )
    connected = nest.adlab("account", "connect", "act_1001", "--client", "acme", "--token-env",
                           "CANARY_TOKEN", **token)  # fmt: skip
    assert connected.returncode == 0, connected.stderr[-500:]
    synced = nest.adlab("sync", "--since", "2026-11-10", "--until", "2026-11-19")
    assert synced.returncode == 0, synced.stderr[-500:]
    for line in ("connection list", "connection check", "account list", "freshness", "doctor",
                 "client show acme", "change list", "webhooks status", "audit search",
                 "audit verify", "key list"):  # fmt: skip
        nest.adlab(*line.split())
    nest.adlab("user", "add", "Ann", "--role", "analyst")
    nest.adlab("user", "grant", "ann", "--client", "acme", "--role", "analyst")
    done = nest.adlab(
        "user", "password", "ann", "--env", "CANARY_PW", CANARY_PW=CANARIES["password"]
    )
    assert done.returncode == 0, done.stderr[-500:]
    invited = nest.adlab("user", "password", "ann", "--link", keep=False)
    nest.links += [m.decode() for m in re.findall(rb"/([\w.-]{40,})", invited.stdout)]
    assert nest.links
    events = nest.home.parent / "events.jsonl"
    events.write_text(json.dumps({
        "event_name": "Purchase", "event_time": 1_795_255_200, "event_id": "e1",
        "action_source": "website", "event_source_url": "https://example.com",
        "user_data": {"em": CANARIES["person"]}, "custom_data": {"value": 1, "currency": "EUR"},
    }) + "\n")  # fmt: skip
    pixels = nest.adlab("conversions", "send", str(events), "--dataset", "1", "--client", "acme")
    assert pixels.stderr
    with psycopg.connect(_adlab_database(nest)) as link:
        found = link.execute("SELECT min(object_id) FROM app.object WHERE level = 2").fetchone()
    assert found
    changed = nest.adlab("change", "status", "act_1001", str(found[0]), "PAUSED", "--reason",
                         "canary", "--yes")  # fmt: skip
    assert changed.returncode == 0, changed.stderr[-500:]
    rendered = nest.adlab(
        "report",
        "render",
        "monthly",
        "--period",
        "2026-11",
        "--client",
        "acme",
        "--out",
        str(nest.home / "report.pdf"),
    )
    assert rendered.returncode == 0, rendered.stderr[-500:]
    nest.adlab("backup", str(nest.home / "backup.tar"))


def _fail(nest: Nest) -> None:
    token, password = CANARIES["odd token"], CANARIES["database password"]
    cache = CANARIES["cache password"]
    with parrot() as address:
        at_parrot = {"ADLAB_META__BASE_URL": address, "CANARY_TOKEN": token}
        for _ in range(4):
            nest.adlab("account", "connect", "act_1002", "--client", "acme", "--token-env",
                       "CANARY_TOKEN", **at_parrot)  # fmt: skip
        nest.adlab("sync", "--since", "2026-11-10", "--until", "2026-11-11", **at_parrot)
    dead = {"ADLAB_META__BASE_URL": "http://127.0.0.1:9"}
    nest.adlab("connection", "check", **dead)
    wrong = (
        {"ADLAB_DATABASE__URL": f"postgresql://me:{password}@127.0.0.1:9/adlab"},
        {"ADLAB_DATABASE__URL": f"mysql://me:{password}@127.0.0.1/adlab"},
        {"ADLAB_DATABASE__URL": f"postgresql://me:{password}@[bad/adlab"},
        {"ADLAB_REDIS__URL": f"redis://:{cache}@127.0.0.1:9/0"},
        {"ADLAB_REDIS__URL": f"http://:{cache}@127.0.0.1/0"},
        {"ADLAB_SECRET_KEY": CANARIES["master key"] + "zz"},
        {"ADLAB_META__VERIFY_TOKEN": token[:3]},
        {"ADLAB_META__BASE_URL": f"ftp://{quote(password, safe='')}@example.com"},
        {"ADLAB_WEB__PUBLIC_URL": f"http://me:{quote(password, safe='')}@example.com/x"},
        {"ADLAB_LOG_LEVEL": token},
    )
    for variables in wrong:
        for command in (("sync",), ("client", "list")):
            nest.adlab(*command, **variables)
    nest.adlab("account", "connect", token, "--client", "acme", "--token-env", "CANARY_TOKEN",
               CANARY_TOKEN="")  # fmt: skip
    nest.heard.popitem()
    nest.heard.popitem()


def _processes(nest: Nest, when: str, root: int) -> None:
    """What every process of this home, and every child, has in its environment and as arguments."""
    family = {p.pid for p in psutil.Process(root).children(recursive=True)} | {root}
    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        except OSError:
            continue
        is_ours = process.pid in family or str(nest.home).encode() in environment + line
        if process.pid == os.getpid() or not is_ours:
            continue
        words = line.replace(b"\0", b" ").decode(errors="replace")
        short = re.sub(r"^\S*python\S* ", "", words)[:60]
        nest.heard[f"cmdline in {when}: {short} #{process.pid}"] = line
        nest.heard[f"environ in {when}: {short} #{process.pid}"] = environment


def _run_worker(nest: Nest) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "adlab.cli", "worker", "--metrics-port", "0"],
        env=nest.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as worker:  # fmt: skip
        time.sleep(6)
        _processes(nest, "worker", worker.pid)
        worker.send_signal(signal.SIGTERM)
        nest.heard["output of the worker"] = worker.communicate(timeout=60)[0]


def _run_house(nest: Nest) -> None:
    port = free_port()
    said = nest.home.parent / "house.log"
    environment = nest.environment(
        ADLAB_HUB__SPAWNER="local", ADLAB_HUB__TRUST_EVERYBODY="true", ADLAB_HUB__PROXY="python"
    )
    with said.open("wb") as log, subprocess.Popen(
        [sys.executable, "-m", "adlab.cli", "hub", "--port", str(port)], env=environment,
        stdout=log, stderr=subprocess.STDOUT,
    ) as house:  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        give_up = time.monotonic() + 90
        while time.monotonic() < give_up and house.poll() is None:
            try:
                if httpx.get(f"{address}/hub/login", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.5)
        assert house.poll() is None, said.read_text()[-2000:]
        _visit(nest, address)
        _processes(nest, "house", house.pid)
        house.send_signal(signal.SIGTERM)
        house.wait(timeout=90)
    # Reason: the house prints its first login link for the owner, and nobody else.
    nest.heard["output of the house"] = said.read_bytes()


def _visit(nest: Nest, address: str) -> None:
    password, token = CANARIES["password"], CANARIES["meta token"]
    with httpx.Client(base_url=address, follow_redirects=True, timeout=30) as browser:
        for username, secret in (("ann", "wrong-" + password), (password, "x"), ("ann", password)):
            browser.get("/hub/login")
            form = {"username": username, "password": secret,
                    "_xsrf": browser.cookies.get("_xsrf", path="/hub/") or ""}  # fmt: skip
            answer = browser.post("/hub/login?next=", data=form)
            if username == "ann":
                nest.heard[f"login answered {len(nest.heard)}"] = answer.content
        for path in ("/services/web/", "/services/boards/", "/hub/home", "/api/v1/clients"):
            nest.heard[f"page {path}"] = browser.get(path).content
        for link in nest.links:
            nest.heard[f"answer to a link {len(nest.heard)}"] = (
                browser.get(f"/hub/welcome/{link}x").headers.__repr__().encode()
            )
        bearer = {"Authorization": f"Bearer {token}"}
        for path in ("/api/v1/clients", "/api/meta/campaigns", "/hub/api/user"):
            nest.heard[f"api {path}"] = browser.get(path, headers=bearer).content
        body = {"object": "page", "entry": [{"id": token}]}
        hook = browser.post(
            "/webhooks/meta", json=body, headers={"X-Hub-Signature-256": "sha256=0"}
        )
        nest.heard["hook"] = hook.content


def test_a_canary_would_be_heard() -> None:
    """The control: each spelling is found."""
    for what, secret in CANARIES.items():
        for way in spellings(secret):
            assert found_in({"here": b"..." + way + b"..."}, {what: secret}) == [(what, "here")]


def test_no_output_log_answer_or_command_line_sings(nest: Nest) -> None:
    outputs = {k: v for k, v in nest.heard.items() if not k.startswith("environ")}
    assert len(outputs) > 70
    assert any(b" INFO adlab." in v for v in outputs.values())
    assert found_in(outputs, nest.secrets()) == []


def test_no_process_holds_more_than_it_needs(nest: Nest) -> None:
    environments = {k: v for k, v in nest.heard.items() if k.startswith("environ")}
    assert len(environments) >= 6
    held = found_in(environments, nest.secrets())
    for what, place in held:
        allowed = [may for name, may in MAY_HOLD.items() if name in place.partition(":")[2]]
        assert any(what in may for may in allowed), (what, place)


def test_the_databases_dump_and_log_do_not_sing(nest: Nest) -> None:
    dump: dict[str, bytes] = {}
    with psycopg.connect(_adlab_database(nest)) as link:
        tables = link.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = "
            "c.relnamespace WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema'"
        ).fetchall()
        for schema, name in tables:
            query = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, name))
            with link.cursor().copy(query) as copy:
                dump[f"{schema}.{name}"] = b"".join(bytes(row) for row in copy)
        counted = link.execute("SELECT query FROM sec.pg_stat_statements").fetchall()
        dump["statements"] = repr(counted).encode()
    assert len(dump["sec.connection"]) > 50
    assert b"acme" in dump["app.client"]
    assert found_in(dump, nest.secrets()) == []


def _adlab_database(nest: Nest) -> str:
    return ensure_servers(nest.home).admin_url


def test_the_cache_does_not_sing(nest: Nest) -> None:
    url = ensure_servers(nest.home).redis_url
    if url is None:
        pytest.skip("no cache here")
    keys = redis.Redis.from_url(url)
    dump = {repr(k): k + (keys.dump(k) or b"") for k in keys.scan_iter(count=1000)}
    assert found_in(dump, nest.secrets()) == []


def test_no_file_of_the_home_sings(nest: Nest) -> None:
    files = _files(nest.home)
    assert any("postgres" in name and "log" in name for name in files), sorted(files)[:50]
    assert any(name.endswith("backup.tar") for name in files)
    assert found_in(files, nest.secrets()) == []
    for name in files:
        mode = stat.S_IMODE(Path(name).stat().st_mode)
        if re.search(r"secret|password|\.key$|/keys/", name.removeprefix(str(nest.home))):
            assert mode & 0o077 == 0, (name, oct(mode))


def _files(home: Path) -> dict[str, bytes]:
    """All of the home, and of the folder the servers' own system user keeps, logs and data."""
    roots, pointer = [home], home / "data-location"
    if pointer.is_file():
        roots.append(Path(pointer.read_text().strip()))
    found = {}
    for path in (p for root in roots for p in root.rglob("*")):
        try:
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 100_000_000:
                found[str(path)] = path.read_bytes()
        except FileNotFoundError:
            # Reason: the servers run; they drop files as they go.
            continue
    return found


def test_errors_say_no_token_however_they_are_printed() -> None:
    token, secret = CANARIES["odd token"], CANARIES["app secret"]
    said: dict[str, bytes] = {}
    with parrot() as address:
        graph = GraphClient(
            address, "v26.0", token, app_secret=secret, retry=Retry(attempts=2, first_wait=0.0),
            sleep=lambda _: None,
        )  # fmt: skip
        said["client"] = repr(graph).encode() + str(graph).encode()
        for number in range(6):
            try:
                graph.get(f"me/{number}")
            except AdlabError as error:
                chain: BaseException | None = error
                while chain is not None:
                    text = f"{chain!r} {chain} {vars(chain)}" if chain is error else f"{chain!r}"
                    said[f"{number} {type(chain).__name__}"] = redact(text).encode()
                    chain = chain.__cause__ or chain.__context__
        graph.close()
    assert len(said) > 4
    assert found_in(said, {"odd token": token, "app secret": secret}) == []
