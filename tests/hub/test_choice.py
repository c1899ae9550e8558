"""What may start servers here: chosen, refused with a way out, or described as data."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from adlab.core.errors import SettingsError
from adlab.hub.accounts import Accounts, longest_home
from adlab.hub.choice import choose_servers, why_unreachable
from adlab.hub.limits import thread_variables
from adlab.hub.plan import Plan, Servers, read_plan
from adlab.hub.spawners import CLASSES, hub_options, spawner_class, spawner_options
from adlab.settings import HubSettings
from tests.hub.test_parts import PLAN

ELSEWHERE = {"image": "registry.example.com/adlab:1", "connect_host": "hub", "network": "notes"}
CLOSED = Path("/srv/private/python")
BARE = Path("/usr/bin/python3")


def choose(*, root: bool, demo: bool = False, near: bool = False, **wishes: object) -> Servers:
    return choose_servers(
        HubSettings(**wishes), Path("/srv/adlab"), demo=demo, loopback_store=near, is_root=root,
        reaches=lambda python: "a folder is closed to them" if python == str(CLOSED) else "",
    )  # fmt: skip


def test_root_gives_each_person_an_account_and_the_demo_does_not() -> None:
    assert choose(root=True).spawner == "users"
    assert choose(root=True, demo=True).spawner == "local"
    assert choose(root=False, demo=True).spawner == "local"


def test_nothing_chosen_without_root_names_both_ways_out() -> None:
    with pytest.raises(SettingsError) as caught:
        choose(root=False)
    told = str(caught.value)
    assert "root" in told
    assert "ADLAB_HUB__SPAWNER" in told
    assert "ADLAB_HUB__TRUST_EVERYBODY=1" in told


def test_one_system_user_for_all_needs_saying_so_and_says_why() -> None:
    with pytest.raises(SettingsError) as caught:
        choose(root=False, spawner="local")
    told = str(caught.value)
    assert "read everybody's files and environment" in told
    assert "database login" in told
    assert choose(root=False, spawner="local", trust_everybody=True).spawner == "local"
    # Trust alone chooses nothing.
    assert choose(root=True, trust_everybody=True).spawner == "users"


def test_accounts_need_root_and_an_interpreter_they_can_run() -> None:
    with pytest.raises(SettingsError, match="only root may"):
        choose(root=False, spawner="users")
    with pytest.raises(SettingsError, match="ADLAB_HUB__PYTHON") as caught:
        choose(root=True, python=CLOSED)
    assert "closed to them" in str(caught.value)
    with pytest.raises(SettingsError, match="too long a path"):
        choose(root=True, people=Path("/a" * 30))
    assert len(longest_home(choose(root=True).people)) <= 50


@pytest.mark.skipif(os.geteuid() != 0, reason="only root tries as another user")
def test_an_interpreter_in_a_closed_folder_is_found_out(tmp_path: Path) -> None:
    hidden = tmp_path / "python"
    hidden.symlink_to(sys.executable)
    tmp_path.chmod(0o700)
    assert why_unreachable(str(hidden)) == "a folder above it is closed to them"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root tries as another user")
@pytest.mark.skipif(not BARE.exists(), reason=f"there is no {BARE}")
def test_an_interpreter_without_adlab_is_found_out() -> None:
    has_it = subprocess.run([BARE, "-I", "-c", "import adlab"], capture_output=True, check=False)
    if has_it.returncode == 0:
        pytest.skip(f"{BARE} has adlab installed")
    assert "No module named" in why_unreachable(str(BARE))


def test_team_folders_are_for_accounts_only() -> None:
    with pytest.raises(SettingsError, match="needs ADLAB_HUB__SPAWNER=users, not local"):
        choose(root=True, spawner="local", trust_everybody=True, client_folders=True)


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_servers_elsewhere_need_an_image_a_way_back_and_a_store_they_reach(kind: str) -> None:
    if importlib.util.find_spec(CLASSES[kind][0]) is None:
        with pytest.raises(SettingsError, match=rf"adlab\[hub-{kind}\]"):
            choose(root=False, spawner=kind, **ELSEWHERE)
        return
    with pytest.raises(SettingsError, match="ADLAB_HUB__IMAGE and ADLAB_HUB__CONNECT_HOST"):
        choose(root=False, spawner=kind)
    with pytest.raises(SettingsError, match="ADLAB_DATABASE__URL"):
        choose(root=False, spawner=kind, near=True, **ELSEWHERE)
    assert choose(root=False, spawner=kind, **ELSEWHERE).image == ELSEWHERE["image"]


def elsewhere(kind: str) -> Plan:
    """A plan with every limit set."""
    servers = Servers(
        spawner=kind, image=ELSEWHERE["image"], network="notes", namespace="notes",  # type: ignore[arg-type]
        connect_host="hub.internal", memory_bytes=2 << 30, cpus=1.5, gallery="/srv/gallery",
        people="/srv/people",
    )  # fmt: skip
    return replace(PLAN, servers=servers)


def test_containers_get_a_private_home_a_read_only_gallery_and_nothing_of_the_host() -> None:
    told = spawner_options(elsewhere("docker"))
    assert told["image"] == ELSEWHERE["image"]
    assert (told["mem_limit"], told["cpu_limit"]) == (2 << 30, 1.5)
    assert told["volumes"] == {
        "adlab-home-{escaped_username}": "/home/analyst",
        "/srv/gallery": {"bind": "/home/analyst/gallery", "mode": "ro"},
    }
    assert "docker.sock" not in json.dumps(told)
    assert told["network_name"] == "notes"
    assert told["extra_create_kwargs"] == {"user": "1000:1000"}
    host = told["extra_host_config"]
    assert host["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in host["security_opt"]
    assert host["privileged"] is False
    assert host["pids_limit"] == 1024


def test_pods_get_no_service_account_and_keep_their_home() -> None:
    told = spawner_options(elsewhere("kubernetes"))
    assert told["automount_service_account_token"] is False
    assert "service_account" not in told
    assert told["allow_privilege_escalation"] is told["privileged"] is False
    assert (told["uid"], told["gid"]) == (1000, 1000)
    assert told["container_security_context"]["capabilities"] == {"drop": ["ALL"]}
    assert told["namespace"] == "notes"
    assert told["delete_pvc"] is False
    assert (told["mem_limit"], told["cpu_limit"]) == (2 << 30, 1.5)
    mounts = {m["name"]: m for m in told["volume_mounts"]}
    assert mounts["gallery"]["readOnly"] is True
    assert "user_server" not in told["pvc_name_template"]  # one home for all of a person's servers
    assert hub_options(elsewhere("kubernetes"))["hub_connect_url"] == "http://hub.internal:2"
    assert hub_options(PLAN) == {"hub_bind_url": "http://127.0.0.1:2"}


def test_units_are_closed_off_and_limited() -> None:
    told = spawner_options(elsewhere("systemd"))
    assert told["isolate_tmp"] is told["isolate_devices"] is told["disable_user_sudo"] is True
    assert told["unit_extra_properties"]["ProtectSystem"] == "strict"
    assert (told["mem_limit"], told["cpu_limit"]) == (2 << 30, 1.5)


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_every_option_is_one_the_package_knows(kind: str) -> None:
    if importlib.util.find_spec(CLASSES[kind][0]) is None:
        pytest.skip(f"{CLASSES[kind][0]} is not installed: its options are compared with nothing")
    known = spawner_class(elsewhere(kind).servers).class_traits()
    for name, value in spawner_options(elsewhere(kind)).items():
        assert name in known, name
        known[name]._validate(spawner_class(elsewhere(kind).servers).__new__(
            spawner_class(elsewhere(kind).servers)), value)  # fmt: skip


def test_a_plan_with_everything_travels_whole() -> None:
    from adlab.hub.plan import Provider

    provider = Provider("oidc", "us", "hush", issuer="https://login", mfa=("amr", "mfa"))
    plan = replace(elsewhere("docker"), provider=provider)
    assert read_plan(plan.environment()) == plan
    assert "hush" not in repr(provider)


def test_accounts_are_named_by_number_and_key_and_by_nothing_people_choose() -> None:
    one, other = Accounts(Path("/p"), b"k" * 32), Accounts(Path("/p"), b"x" * 32)
    names = {one.name_of("adl", number) for number in range(200)}
    assert len(names) == 200
    assert all(len(name) == 12 and name.startswith("adl-") for name in names)
    assert one.name_of("adl", 1) == one.name_of("adl", 1) != other.name_of("adl", 1)


def test_limits_are_told_to_libraries_as_well() -> None:
    assert thread_variables(None) == {}
    assert thread_variables(0.5)["OMP_NUM_THREADS"] == "1"
    assert thread_variables(2)["OPENBLAS_NUM_THREADS"] == "2"
