"""The house keeps its rules: layout, lists, documentation, secrets."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _tracked() -> list[str]:
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if out.returncode:
        pytest.skip("not a git checkout")
    return [line for line in out.stdout.splitlines() if (ROOT / line).exists()]


def test_top_level_holds_only_what_the_user_named() -> None:
    allowed = {
        "notebooks", "src", "dashboards", "jupyterhub_config.py", "tests", "environment.yml",
        "pyproject.toml", "README.md", "deploy",
    }  # fmt: skip
    top = {name.split("/")[0] for name in _tracked()}
    assert {t for t in top if not t.startswith(".")} <= allowed


def test_conda_users_get_the_same_packages() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert pip == PROJECT["dependencies"]


def test_no_module_is_longer_than_500_lines() -> None:
    long = {
        name: lines
        for name in _tracked()
        if name.endswith(".py")
        and (lines := len((ROOT / name).read_text(encoding="utf-8").splitlines())) > 500
    }
    assert long == {}


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_simulator_imports_nothing_of_adlab() -> None:
    for path in (ROOT / "src/adlab/simulator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [a.name for a in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )  # fmt: skip
            foreign = [
                n for n in names
                if n.split(".")[0] == "adlab" and not n.startswith("adlab.simulator")
            ]  # fmt: skip
            assert not foreign, f"{path}: {foreign}"


def test_every_command_is_documented_and_has_an_example() -> None:
    import typer

    from adlab.cli import app

    readme = (ROOT / "README.md").read_text()

    def walk(group: object, prefix: str) -> list[tuple[str, str]]:
        found = []
        for name, command in group.commands.items():  # type: ignore[attr-defined]
            if command.hidden:
                continue
            if hasattr(command, "commands"):
                found += walk(command, f"{prefix} {name}")
            else:
                found.append((f"{prefix} {name}", command.help or ""))
        return found

    commands = walk(typer.main.get_command(app), "adlab")
    assert len(commands) > 15
    assert [c for c, _ in commands if c not in readme] == []
    assert [c for c, text in commands if "Example:" not in text] == []


def test_every_setting_is_documented_with_an_example() -> None:
    from adlab.settings import EXAMPLES, Settings

    names = set()
    for name, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        top = f"ADLAB_{name.upper()}"
        names |= {f"{top}__{n.upper()}" for n in inner} if inner else {top}
    readme = (ROOT / "README.md").read_text()
    assert names == set(EXAMPLES)
    assert [n for n in names if n not in readme] == []


def test_the_table_of_roles_is_the_codes_own() -> None:
    from adlab.core.roles import role_table

    readme = (ROOT / "README.md").read_text()
    rows = [
        f"| `{r['role']}` | {r['purpose']} | {r['rights']} | {r['statement_seconds']} s "
        f"| {r['idle_seconds']} s | {r['connections']} | {r['rows']:,} |"
        for r in role_table()
    ]
    assert len(rows) == 8
    assert [row for row in rows if row not in readme] == []


def test_public_names_are_what_they_promise() -> None:
    import adlab

    assert sorted(adlab.__all__) == adlab.__all__ or set(adlab.__all__) == set(adlab._WHERE)
    for name in adlab.__all__:
        assert getattr(adlab, name) is not None
    with pytest.raises(AttributeError):
        adlab.nothing_of_that_name  # noqa: B018


def test_importing_adlab_is_quick_and_pulls_in_nothing_heavy() -> None:
    code = (
        "import sys, adlab, adlab.cli;"
        "bad = {'panel','pandas','scipy','statsmodels','hvplot','jupyterhub'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_secret_is_in_the_repository() -> None:
    scan = _secret_scan()
    assert scan.scan() == []


@pytest.mark.parametrize(
    "line",
    [
        "app_secret = '" + "0123456789abcdef" * 2 + "'",
        "token = EAA" + "B" * 60,
        "postgresql://adlab:" + "hunter2hunter2" + "@db.example.com/adlab",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
    ],
)
def test_the_secret_scan_finds_what_it_is_for(line: str) -> None:
    assert _secret_scan().scan_text(line)


def _secret_scan() -> object:
    spec = importlib.util.spec_from_file_location(
        "secret_scan", ROOT / "tests/architecture/secret_scan.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_field_names_and_statuses_are_metas_own() -> None:
    """`facebook-business` is the list; ours must not drift from it."""
    from facebook_business.adobjects.ad import Ad
    from facebook_business.adobjects.adaccount import AdAccount
    from facebook_business.adobjects.adset import AdSet
    from facebook_business.adobjects.adsinsights import AdsInsights
    from facebook_business.adobjects.campaign import Campaign

    from adlab.core.entities import Level
    from adlab.meta import fields

    def known(cls: type) -> set[str]:
        return {v for v in vars(cls.Field).values() if isinstance(v, str)}  # type: ignore[attr-defined]

    plain = {f.split("{")[0] for f in fields.AD}
    assert set(fields.ACCOUNT) <= known(AdAccount)
    assert set(fields.CAMPAIGN) <= known(Campaign)
    assert set(fields.AD_SET) <= known(AdSet)
    assert plain <= known(Ad)
    for wanted in fields.INSIGHTS.values():
        assert set(wanted) <= known(AdsInsights)
    for level, cls in ((Level.CAMPAIGN, Campaign), (Level.AD_SET, AdSet), (Level.AD, Ad)):
        statuses = {
            v for v in vars(cls.EffectiveStatus).values() if isinstance(v, str) and v.isupper()
        }
        assert set(fields.EDGE_STATUSES[level]) == statuses - {"DELETED"}
