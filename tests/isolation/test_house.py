"""Outside SQL: a kernel's memory, the hub's API, addresses and numbers of others, files, the cache.

One house with everything in it. What other system users can reach is in `tests/hub/test_users.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import redis
from sqlalchemy import text
from tests.hub import kernels
from tests.hub.conftest import APP_SECRET, KEY, PASSWORD, Running, folder_of, opened
from tests.isolation.town import DAYS, SEALED, build_client

from adlab.realtime.events import Publisher
from adlab.storage.engine import transaction

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WORK = """
import adlab, os, json
lab = adlab.connect()
found = [repr(lab), repr(lab.clients())]
for name in ("insights", "objects", "overview"):
    try:
        found.append(repr(getattr(lab, name)("nordlicht"))[:200])
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")
for query in ("SELECT * FROM api.clients", "SELECT * FROM api.insights_daily LIMIT 500"):
    try:
        found.append(repr(lab.sql(query))[:300])
    except Exception as error:
        found.append(repr(error))
print(json.dumps({"pid": os.getpid(), "found": found,
                  "variables": {k: v for k, v in os.environ.items()}}))
"""

ODD = ("0", "-1", "999999", "99999999999999999999999", "1e3", "0x1", "１", "%00", "%F0%9F%92%A9",
       "1%20OR%201=1", "1';DROP%20TABLE%20app.client;--", "..%2F..%2Fetc%2Fpasswd", "null", "NaN",
       "a" * 5000)  # fmt: skip
CLIMBS = ("/../../../../etc/passwd", "/..%2f..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd",
          "/....//....//etc/passwd", "/..%5c..%5cetc%5cpasswd", "//etc/passwd",
          "/%252e%252e%252fetc%252fpasswd")  # fmt: skip


@pytest.fixture(scope="module")
def house(
    plain_server: str, redis_url: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The house, and a client in it that nobody but the staff knows."""
    for name in [n for n in os.environ if n.startswith("ADLAB_") and "TEST" not in n]:
        del os.environ[name]
    with opened(plain_server, redis_url, tmp_path_factory.mktemp("attacked")) as found:
        build_client(found.engine, "quillfeather", 77_077)
        with transaction(found.engine) as c:
            c.execute(
                text("INSERT INTO app.report (client_id, template, period, since, until, title, "
                     "sha256, pdf) SELECT client_id, 'month', 'm', :d, :d, 'Secret', 'x', :pdf "
                     "FROM app.client WHERE slug = 'quillfeather'"),
                {"d": DAYS[-1], "pdf": b"%PDF-quillfeather"},
            )  # fmt: skip
        yield found


@pytest.fixture(scope="module")
def kernel(house: Running) -> Iterator[dict[str, object]]:
    """What a kernel of Ann's tells of itself after real work; it lives on meanwhile."""
    with house.browser("Ann Analyst") as ann:
        base = kernels.start(ann, "ann")
        yield kernels.told(ann, base, WORK)
        kernels.stop(ann, "ann")


def _secrets(house: Running) -> dict[str, bytes]:
    plan = house.house.plan
    password = house.engine.url.password or "no password"
    return {
        "master key": KEY.encode(), "master key as bytes": bytes.fromhex(KEY),
        "app secret": APP_SECRET.encode(), "session key": plan.session_key.encode(),
        "sealed token": SEALED, "password of a person": PASSWORD.encode(),
        "owner's database password": password.encode(), "foreign client": b"quillfeather",
        "name of the foreign client": b"Quillfeather", "foreign account": b"77077001",
        "foreign campaign": b"77077000007",
    }  # fmt: skip


def _memory(pid: int) -> Iterator[bytes]:
    regions = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in regions:
            span, rights = line.split()[:2]
            if "r" not in rights or "[v" in line:
                continue
            begin, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except (OSError, OverflowError):
                continue


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_kernel_holds_nothing_worth_stealing(house: Running, kernel: dict[str, object]) -> None:
    pid = int(str(kernel["pid"]))
    server = psutil.Process(pid).parent()
    assert server is not None
    variables = kernel["variables"]
    assert isinstance(variables, dict)
    login = re.search(r"://(nb_[0-9a-f]+):", str(variables["ADLAB_DATABASE__URL"]))
    assert login, "the kernel works with a login of its own"
    for process in (pid, server.pid):
        told = Path(f"/proc/{process}/environ").read_bytes()
        told += Path(f"/proc/{process}/cmdline").read_bytes()
        seen_own_login = 0
        for region in (told, *_memory(process)):
            seen_own_login += login[1].encode() in region
            for what, secret in _secrets(house).items():
                assert secret not in region, f"{what} in process {process}"
        # Reason: a search that finds nothing at all would prove nothing.
        assert seen_own_login, process


def test_a_kernel_saw_its_own_client(kernel: dict[str, object]) -> None:
    assert "nordlicht" in str(kernel["found"]).lower()


def test_a_kernels_token_of_the_hub_is_good_for_its_own_server_only(
    house: Running, kernel: dict[str, object]
) -> None:
    variables = kernel["variables"]
    assert isinstance(variables, dict)
    headers = {"Authorization": f"token {variables['JUPYTERHUB_API_TOKEN']}"}
    with httpx.Client(base_url=house.url, headers=headers, timeout=20) as thief:
        for method, path in (
            ("GET", "/hub/api/users/ben"), ("GET", "/hub/api/users/nobody-such"),
            ("GET", "/hub/api/groups"), ("GET", "/hub/api/services"), ("GET", "/hub/api/proxy"),
            ("POST", "/hub/api/users/ben/tokens"), ("POST", "/hub/api/users/ben/server"),
            ("DELETE", "/hub/api/users/ben/server"), ("DELETE", "/hub/api/users/ben"),
            ("PATCH", "/hub/api/users/ann"), ("POST", "/hub/api/users/mallory"),
            ("POST", "/hub/api/groups/owners/users"), ("POST", "/hub/api/groups/mine"),
            ("POST", "/hub/api/shutdown"), ("PATCH", "/hub/api/proxy"),
            ("POST", "/hub/api/users/ben/shares"), ("GET", "/user/ben/api/status"),
            ("POST", "/hub/api/users/ann/tokens"),
        ):  # fmt: skip
            answer = thief.request(method, path, json={"admin": True, "users": ["ann"]})
            assert answer.status_code in (302, 403, 404, 405), (method, path, answer.status_code)
            if answer.status_code == 302:
                # Reason: to the login, where a token counts for nothing.
                assert answer.headers["location"].startswith("/hub/"), path
        listed = thief.get("/hub/api/users")
        assert listed.status_code == 403 or {u["name"] for u in listed.json()} <= {"ann"}
        foreign, missing = (thief.get(f"/hub/api/users/{n}") for n in ("ben", "nobody-such"))
        assert foreign.status_code == missing.status_code
        said = [re.sub("ben|nobody-such", "X", r.text) for r in (foreign, missing)]
        assert said[0] == said[1]


def test_others_reports_answer_as_missing_ones(house: Running) -> None:
    with transaction(house.engine) as c:
        number = c.scalar(text("SELECT max(report_id) FROM app.report"))
    with house.browser("Ann Analyst") as ann:
        base = "/services/web/reports"
        foreign, missing = ann.get(f"{base}/{number}.pdf"), ann.get(f"{base}/987654321.pdf")
        assert (foreign.status_code, missing.status_code) == (404, 404)
        said = [re.sub(r"reports/\d+\.pdf", "", page.text) for page in (foreign, missing)]
        assert said[0] == said[1]
        for odd in ODD:
            answer = ann.get(f"{base}/{odd}.pdf")
            assert answer.status_code in (400, 404, 414), (odd[:30], answer.status_code)


@pytest.mark.parametrize("person", ["Ann Analyst", "Nora Client"])
def test_guessed_clients_in_addresses_are_never_told(house: Running, person: str) -> None:
    with house.browser(person) as browser:
        pages = []
        for guess in ("quillfeather", "nosuch-client", *ODD):
            for address in (f"/services/boards/client?client={guess}",
                            f"/services/boards/?client={guess}",
                            f"/services/web/?client={guess}",
                            f"/api/v1/clients/{guess}", f"/api/v1/accounts/{guess}"):  # fmt: skip
                answer = browser.get(address)
                assert answer.status_code < 500, (address[:80], answer.status_code)
                assert "Quillfeather" not in answer.text, address[:80]
                if guess in ("quillfeather", "nosuch-client"):
                    pages.append((address.replace(guess, "X"), answer.status_code))
        assert pages[: len(pages) // 2] == pages[len(pages) // 2 :]


def test_no_address_climbs_out_of_its_folder(house: Running) -> None:
    with house.browser("Ann Analyst") as ann:
        for base in ("/services/web/assets/x", "/services/boards/static", "/services/web",
                     "/hub/static", "/services/boards/assets", "/user/ann/files",
                     "/user/ann/static"):  # fmt: skip
            for climb in CLIMBS:
                answer = ann.get(base + climb)
                assert "root:x:0:0" not in answer.text, base + climb
                assert answer.status_code < 500, base + climb


def test_contents_of_a_server_stay_in_its_folder(house: Running, kernel: dict[str, object]) -> None:
    (folder_of(house, "ann").parent / "outside.txt").write_text("outside of Ann's folder")
    with house.browser("Ann Analyst") as ann:
        ann.get("/user/ann/lab")
        for path in ("../outside.txt", "%2e%2e/outside.txt", "..%2foutside.txt", "/etc/passwd",
                     "../../../../../../etc/passwd"):  # fmt: skip
            answer = ann.get(f"/user/ann/api/contents/{path}")
            assert answer.status_code != 200 or "outside of Ann" not in answer.text, path
            assert "root:x:0:0" not in answer.text, path


def test_links_of_others_are_no_keys(house: Running) -> None:
    used = house.link("Ben Analyst")
    with house.browser() as ben:
        assert ben.get(used).status_code == 200
    parts = used.rsplit("/", 1)
    fresh = house.link("Ben Analyst").rsplit("/", 1)[1]
    middle = len(fresh) // 2
    swapped = "A" if fresh[middle] != "A" else "B"
    forged = (fresh[:-3] + "AAA", fresh[:middle] + swapped + fresh[middle + 1 :], fresh[::-1], "x",
              "." + fresh, fresh.split(".")[0])  # fmt: skip
    for token in (parts[1], *forged):
        with house.browser() as thief:
            thief.get(f"{parts[0]}/{token}")
            answer = thief.get("/hub/api/user", headers={"Accept": "application/json"})
            assert answer.status_code in (401, 403), token


def test_what_travels_and_stays_in_the_cache_is_no_data(
    house: Running, redis_url: str | None, kernel: dict[str, object]
) -> None:
    if redis_url is None:
        pytest.skip("no cache here")
    keys = redis.Redis.from_url(redis_url)
    channel = keys.pubsub()
    channel.psubscribe("*")
    assert Publisher(redis_url).publish(4711, {"kind": "insights"})
    heard = [m for _ in range(5) if (m := channel.get_message(timeout=0.5))]
    said = [m["data"] for m in heard if m["type"] == "pmessage" and b"4711" in m["channel"]]
    assert said == [b'{"kind": "insights"}']
    for key in keys.scan_iter(count=1000):
        raw = keys.dump(key) or b""
        for what, secret in _secrets(house).items():
            assert secret not in raw + key, (what, key)


def test_the_cache_wants_its_password(redis_url: str | None, kernel: dict[str, object]) -> None:
    if redis_url is None:
        pytest.skip("no cache here")
    variables = kernel["variables"]
    assert isinstance(variables, dict)
    assert not [k for k, v in variables.items() if "redis" in f"{k}{v}".lower()]
    path = re.sub(r"^unix://[^@]*@|\?.*$", "", redis_url)
    for password in (None, "", "wrong", "adlab"):
        with pytest.raises(redis.exceptions.RedisError):
            redis.Redis(unix_socket_path=path, password=password).keys("*")
