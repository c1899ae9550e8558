"""One system user per person: what a notebook can reach of its neighbours and of the house."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from adlab.core.roles import Role
from adlab.hub.accounts import TEAM, Accounts, load_key
from adlab.storage import access
from adlab.storage.engine import transaction
from tests.hub import kernels
from tests.hub.accounts import forget_accounts, open_interpreter
from tests.hub.conftest import Running, opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as other users"),
]

LOOK = """
import os, json, socket, glob, resource, subprocess
def denied(work):
    try:
        work()
        return "reached"
    except (PermissionError, FileNotFoundError, ConnectionError, OSError) as error:
        return type(error).__name__
def reads(path):
    def work():
        if os.path.isdir(path):
            os.listdir(path)
        else:
            open(path, "rb").read(1)
    return denied(work)
def connects(path):
    def work():
        link = socket.socket(socket.AF_UNIX)
        link.connect(path)
    return denied(work)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(), "cwd": os.getcwd(),
    "home": os.path.expanduser("~"), "user": os.environ["USER"],
    "no_new_privileges": status["NoNewPrivs"].strip(),
    "capabilities": status["CapEff"].strip(),
    "variables": sorted(n for n in os.environ if n.startswith(("ADLAB", "META", "CONFIGPROXY"))),
    "read": {path: reads(path) for path in PATHS},
    "sockets": {path: connects(path) for path in SOCKETS},
    "write": {path: denied(lambda: open(path + "/x", "w")) for path in FOLDERS},
    "gallery": sorted(os.listdir("gallery")), "mine": sorted(os.listdir(".")),
    "processes": resource.getrlimit(resource.RLIMIT_NPROC)[0],
    "memory": resource.getrlimit(resource.RLIMIT_DATA)[0],
    "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "threads": os.environ.get("OMP_NUM_THREADS"),
}))
"""


@pytest.fixture(scope="module")
def house(
    plain_server: str, redis_url: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A house that gives each person an account; accounts and homes are removed afterwards."""
    people = Path(tempfile.mkdtemp(prefix="adl", dir="/var/lib"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, people, ignore_errors=True)
        stack.callback(forget_accounts, people)
        try:
            python = stack.enter_context(open_interpreter())
        except LookupError as reason:
            pytest.skip(f"no interpreter that other users can run: {reason}")
        home = tmp_path_factory.mktemp("users")
        found = stack.enter_context(opened(
            plain_server, redis_url, home, spawner="users", python=Path(python), people=people,
            client_folders=True, memory_limit="2G", cpu_limit=1,
        ))  # fmt: skip
        with transaction(found.engine) as connection:
            for name, username, slugs in (("Cara Analyst", "cara", ("nordlicht", "tokyo")),
                                          ("Rudi Root", "root", ("tokyo",))):  # fmt: skip
                access.store_person(connection, name, Role.ANALYST, username)
                for slug in slugs:
                    access.grant(connection, name, slug, Role.ANALYST)
        yield found


def servers_of(uid: int) -> list[psutil.Process]:
    """A person's processes."""
    return [p for p in psutil.process_iter() if p.uids().real == uid]


def account(house: Running, username: str) -> pwd.struct_passwd:
    """The system's account of a person."""
    from adlab.hub.people import load_people

    with transaction(house.engine) as connection:
        person = load_people(connection, [username])[username]
    plan = house.house.plan
    made = Accounts(Path(plan.servers.people), load_key(Path(plan.servers.people)))
    return pwd.getpwnam(made.name_of("adl", person.person_id))


def folder_of_team(house: Running, slug: str) -> Path:
    """What a client's team shares."""
    from sqlalchemy import text

    plan = house.house.plan
    made = Accounts(Path(plan.servers.people), load_key(Path(plan.servers.people)))
    with transaction(house.engine) as connection:
        number = connection.scalar(
            text("SELECT client_id FROM app.client WHERE slug = :slug"), {"slug": slug}
        )
    return Path(plan.servers.people) / "clients" / made.name_of(TEAM, number)


def test_a_notebook_reaches_nothing_of_its_neighbours_or_the_house(house: Running) -> None:
    with house.browser("Ann Analyst") as ann, house.browser("Ben Analyst") as ben:
        began = time.monotonic()
        hers = kernels.start(ann, "ann")
        print(f"server ready after {time.monotonic() - began:.1f} s")
        his = kernels.start(ben, "ben")
        kernels.run(ben, his, "open('secret.txt', 'w').write('tokyo'); x = 1")
        him, her = account(house, "ben"), account(house, "ann")
        running = servers_of(him.pw_uid)
        assert running
        sockets = [str(p) for p in Path(him.pw_dir, ".run").glob("*-ipc-*")]
        assert len(sockets) >= 4  # his kernel speaks over these
        plan = house.house.plan
        hub = next(c for c in house.parts.children if c.name == "hub")
        forbidden = [
            him.pw_dir, f"{him.pw_dir}/secret.txt", str(Path(him.pw_dir).parent),
            str(Path(plan.servers.people) / "clients"),
            plan.folder, f"{plan.folder}/jupyterhub.sqlite", f"{plan.servers.people}/accounts.key",
            f"{plan.folder}/jupyterhub_cookie_secret", str(house.house.logs), "/etc/shadow",
            str(folder_of_team(house, "tokyo")),
            *(f"/proc/{c.pid}/environ" for c in house.parts.children),
            *(f"/proc/{p.pid}/environ" for p in running), *(f"/proc/{p.pid}/mem" for p in running),
            f"/proc/{hub.pid}/mem",
        ]  # fmt: skip
        for path in forbidden[:8]:
            assert Path(path).exists(), path
        seen = kernels.told(ann, hers, (
            f"PATHS = {forbidden!r}\nSOCKETS = {sockets!r}\n"
            f"FOLDERS = {[plan.servers.gallery, plan.servers.people]!r}\n{LOOK}"
        ))  # fmt: skip
        assert {p: s for p, s in seen["read"].items() if s == "reached"} == {}
        assert set(seen["sockets"].values()) == {"PermissionError"}
        assert set(seen["write"].values()) == {"PermissionError"}
        assert (seen["uid"], seen["gid"]) == (her.pw_uid, her.pw_gid) != (0, 0)
        assert her.pw_name == seen["user"]
        assert "ann" not in seen["user"]
        assert len(seen["groups"]) == 2 + (her.pw_gid in seen["groups"])  # her clients' teams
        assert 0 not in seen["groups"]
        assert (seen["no_new_privileges"], int(seen["capabilities"], 16)) == ("1", 0)
        assert seen["cwd"] == seen["home"] == her.pw_dir
        assert seen["variables"] == ["ADLAB_DATABASE__URL"]
        assert "00_start_here.ipynb" in seen["gallery"]
        assert {"00_start_here.ipynb", "clients", "gallery"} <= set(seen["mine"])
        assert seen["processes"] == 1024
        assert seen["memory"] == 2 << 30
        assert seen["files"] == 4096
        assert seen["threads"] == "1"
        # One TCP port a kernel: an inbox for what its own children print, out of which nothing is
        # read. Her lines, her results and a debugger are nowhere to be listened to.
        for file in Path(her.pw_dir, ".run").glob("kernel-*.json"):
            assert json.loads(file.read_text())["transport"] == "ipc"
        mine = [p for p in servers_of(her.pw_uid) if "ipykernel" in " ".join(p.cmdline())]
        assert mine
        for process in mine:
            ports = [c for c in process.net_connections("inet") if c.status == "LISTEN"]
            assert len(ports) <= 1
            assert all(c.laddr.ip == "127.0.0.1" for c in ports)
        assert "debugger" not in kernels.run(ann, hers, (
            "print(get_ipython().kernel.kernel_info['supported_features'])"
        ))  # fmt: skip
        assert oct(Path(her.pw_dir).stat().st_mode)[-4:] == "0700"
        kernels.stop(ann, "ann")
        kernels.stop(ben, "ben")
        assert servers_of(her.pw_uid) == []


def test_a_person_called_root_is_not_root(house: Running) -> None:
    with house.browser("Rudi Root") as rudi:
        base = kernels.start(rudi, "root")
        uid = kernels.told(rudi, base, "import os; print(os.getuid())")
        assert uid == account(house, "root").pw_uid != 0
        kernels.stop(rudi, "root")


def test_what_hides_from_the_end_of_a_server_is_ended_too(house: Running) -> None:
    with house.browser("Ben Analyst") as ben:
        base = kernels.start(ben, "ben")
        kernels.run(ben, base, (
            "import subprocess\n"
            "subprocess.Popen(['setsid', 'sleep', '600'], start_new_session=True)"
        ))  # fmt: skip
        uid = account(house, "ben").pw_uid
        assert any("sleep" in p.name() for p in servers_of(uid))
        kernels.stop(ben, "ben")
        assert servers_of(uid) == []


def test_a_team_shares_its_clients_folder_and_nobody_else_does(house: Running) -> None:
    write = "open('clients/{}/plan.txt', 'a').write('{} was here. ')"
    read = "import json; print(json.dumps(open('clients/nordlicht/plan.txt').read()))"
    with (
        house.browser("Ann Analyst") as ann,
        house.browser("Cara Analyst") as cara,
        house.browser("Ben Analyst") as ben,
    ):
        hers, caras, his = (
            kernels.start(ann, "ann"), kernels.start(cara, "cara"), kernels.start(ben, "ben")
        )  # fmt: skip
        assert kernels.run(cara, caras, write.format("nordlicht", "cara")) == ""
        assert kernels.run(ann, hers, write.format("nordlicht", "ann")) == ""
        assert kernels.told(cara, caras, read) == "cara was here. ann was here. "
        place = folder_of_team(house, "nordlicht")
        assert oct(place.stat().st_mode)[-4:] == "2770"
        outside = f"open({str(place / 'plan.txt')!r}).read()"
        assert "FileNotFoundError" in kernels.run(ben, his, read)
        assert "PermissionError" in kernels.run(ben, his, outside)
        # Cara leaves the team, with a copy of a shell that would give her the group back.
        kernels.run(cara, caras, (
            "import shutil, os\nshutil.copy('/bin/cat', 'back')\n"
            f"os.chown('back', -1, os.stat({str(place)!r}).st_gid)\nos.chmod('back', 0o2755)"
        ))  # fmt: skip
        with transaction(house.engine) as connection:
            from sqlalchemy import text

            connection.execute(text(
                "DELETE FROM sec.access WHERE person_id = (SELECT person_id FROM sec.person "
                "WHERE username = 'cara') AND client_id = (SELECT client_id FROM app.client "
                "WHERE slug = 'nordlicht')"
            ))  # fmt: skip
        began = time.monotonic()
        uid = account(house, "cara").pw_uid
        while servers_of(uid):
            assert time.monotonic() - began < 60, "she is still there"
            time.sleep(0.3)
        print(f"a server whose team was left ended after {time.monotonic() - began:.1f} s")
        caras = kernels.start(cara, "cara")
        assert "FileNotFoundError" in kernels.run(cara, caras, read)
        assert "PermissionError" in kernels.run(cara, caras, outside)
        stolen = (
            f"import subprocess; print(subprocess.call(['./back', {str(place / 'plan.txt')!r}]))"
        )
        assert "Permission denied" in (said := kernels.run(cara, caras, stolen)), said
        assert "PermissionError" not in kernels.run(cara, caras, write.format("tokyo", "cara"))
        for browser, name in ((ann, "ann"), (cara, "cara"), (ben, "ben")):
            kernels.stop(browser, name)


# Reason: last, because the server that is asked for here may hang until it is given up.
def test_links_planted_in_a_home_lead_nobody_astray(house: Running) -> None:
    target = Path(house.house.plan.servers.people) / "of-root.txt"
    target.write_text("root's own")
    target.chmod(0o600)
    planted = ("00_start_here.ipynb", ".adlab-notebooks.json", "gallery", ".jupyter", ".run")
    with house.browser("Ben Analyst") as ben:
        base = kernels.start(ben, "ben")
        kernels.run(ben, base, (
            f"import os, shutil\nfor name in {planted!r}:\n"
            "    shutil.rmtree(name) if os.path.isdir(name) and not os.path.islink(name)"
            " else os.path.lexists(name) and os.unlink(name)\n"
            f"    os.symlink({str(target)!r}, name)"
        ))  # fmt: skip
        kernels.stop(ben, "ben")
        home = Path(account(house, "ben").pw_dir)
        assert (home / "gallery").readlink() == target
        # His server may not start like this; that is his own doing and nobody else's.
        ben.get("/hub/spawn/ben")
        time.sleep(5)
        assert target.read_text() == "root's own"
        assert (target.stat().st_uid, target.stat().st_mode & 0o777) == (0, 0o600)
        for name in planted:
            if (home / name).is_symlink():
                (home / name).unlink()
    target.unlink()
