"""Proves that the built wheel works away from the checkout: `python tests/wheel.py`.

Builds it, looks inside, installs it alone into a fresh virtual environment that borrows the
dependencies of the one that runs this, and then, in an empty folder, does what people do.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MUST_HAVE = (
    "adlab/py.typed", "adlab/_share/jupyterhub_config.py", "adlab/_share/dashboards/client.py",
    "adlab/_share/dashboards/overview.py", "adlab/_share/notebooks/00_start_here.ipynb",
    "adlab/_share/notebooks/90_monthly_report.ipynb", "adlab/hub/templates/login.html",
    "adlab/_share/notebooks/mappings/ab_pair.yaml", "adlab/ui/assets/board.css",
    "adlab/ui/assets/board.js", "adlab/ui/assets/templates/board.html",
    "adlab/ui/assets/inter-LICENSE.txt", "adlab/reports/report.typ",
    "adlab/reports/fonts/inter-LICENSE.txt", "adlab/storage/sql/read_clients.sql",
    "adlab/storage/migrations/versions/m0001_people.py",
)  # fmt: skip
JUNK = re.compile(
    r"(^|/)(__pycache__|\.ipynb_checkpoints)(/|$)|\.pyc$|\.sqlite$|\.env$|cookie_secret|\.log$"
)
ENTRY_POINTS = ("adlab = adlab.cli:main", "adlab-typst = adlab.reports.typst_exporter:")


def main() -> int:
    """Build, install, try; 0 when all of it works."""
    began = time.monotonic()
    # Reason: below /tmp and open to all, as the embedded servers of root belong to another user.
    with tempfile.TemporaryDirectory(prefix="adlab-wheel-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        wheel = build(place / "dist")
        inspect(wheel)
        python = install(wheel, place / "venv")
        try_it(python, place)
    print(f"the wheel works ({time.monotonic() - began:.0f} s)")
    return 0


def build(folder: Path) -> Path:
    """An sdist of the checkout, and the wheel of that sdist, as releases are built."""
    say("build")
    tools = folder / "tools"
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    run(sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check",
        "--target", str(tools), *wanted)  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(tools)}
    builder = (sys.executable, "-m", "hatchling", "build", "-d", str(folder), "-t")
    run(*builder, "sdist", cwd=ROOT, env=env)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
        check([n for n in names if JUNK.search(n)] == [], "the sdist holds junk", names)
        archive.extractall(folder / "source", filter="data")
    run(*builder, "wheel", cwd=next((folder / "source").iterdir()), env=env)
    return next(folder.glob("*.whl"))


def inspect(wheel: Path) -> None:
    """All that belongs is inside, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        points = next(n for n in names if n.endswith(".dist-info/entry_points.txt"))
        declared = archive.read(points).decode()
    check([n for n in MUST_HAVE if n not in names] == [], "the wheel lacks a file", names)
    check(
        [n for n in names if JUNK.search(n) or "/tests/" in n] == [],
        "what does not belong is inside",
        names,
    )
    outside = [n for n in names if not n.startswith("adlab/") and ".dist-info/" not in n]
    check(outside == [], "the wheel writes outside its package", outside)
    for line in ENTRY_POINTS:
        check(line in declared, f"no entry point {line}", declared)


def install(wheel: Path, venv: Path) -> Path:
    """A fresh environment with this wheel, borrowing the dependencies of the present one."""
    say("install")
    run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    python = venv / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps",
        "--no-index", "--disable-pip-version-check", str(wheel))  # fmt: skip
    site = next((venv / "lib").glob("python*/site-packages"))
    # Reason: a plain path in a .pth file comes after the environment's own packages, and .pth
    # files of the borrowed folder (the editable adlab's) are not read.
    (site / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return python


def try_it(python: Path, place: Path) -> None:
    """What people do, in an empty folder with a home of its own."""
    empty, home = place / "empty", place / "home"
    empty.mkdir()
    home.mkdir(mode=0o755)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ADLAB_", "PYTHON"))}
    env |= {"ADLAB_HOME": str(home), "PATH": f"{python.parent}{os.pathsep}{env['PATH']}",
            # Reason: the environment of this check lies where no other account may look.
            "ADLAB_HUB__SPAWNER": "local", "ADLAB_HUB__TRUST_EVERYBODY": "1"}  # fmt: skip
    env.pop("VIRTUAL_ENV", None)
    adlab = str(python.parent / "adlab")

    def ours(*command: str) -> str:
        return run(*command, cwd=empty, env=env)

    where = ours(str(python), "-c", "import adlab; print(adlab.__file__)").strip()
    check(Path(where).is_relative_to(python.parents[1]), "another adlab is imported", where)
    try:
        print(ours(adlab, "--version").strip())
        say("adlab demo --once")
        said = ours(adlab, "demo", "--once")
        report = Path(said.strip().splitlines()[-1].split(": ", 1)[1])
        check(report.read_bytes()[:5] == b"%PDF-", "no PDF", str(report))
        check(report.is_relative_to(home), "the report lies elsewhere", str(report))
        say("notebook")
        notebook(python, ours, env, adlab, place)
        say("adlab hub")
        hub(adlab, empty, env)
    finally:
        ours(adlab, "reset", "--yes")
    check(list(empty.iterdir()) == [], "files appeared in the folder", str(list(empty.iterdir())))


def notebook(
    python: Path, ours: Callable[..., str], env: dict[str, str], adlab: str, place: Path
) -> None:
    """The first starter as an analyst, by `adlab user credential`."""
    ours(adlab, "user", "add", "wheel", "--role", "analyst")
    ours(adlab, "user", "grant", "wheel", "--client", "nordlicht-outdoor", "--role", "analyst")
    url = ours(adlab, "user", "credential", "wheel").strip()
    shipped = next(python.parents[1].glob("lib/*/site-packages/adlab/_share/notebooks"))
    env["ADLAB_DATABASE__URL"] = url
    env["JUPYTER_PATH"] = str(kernel(python, place))
    try:
        ours(str(python), "-m", "nbconvert", "--to", "notebook", "--execute",
             "--ExecutePreprocessor.kernel_name=wheel", "--output-dir", str(place),
             str(shipped / "00_start_here.ipynb"))  # fmt: skip
    finally:
        del env["ADLAB_DATABASE__URL"]
    text = (place / "00_start_here.ipynb").read_text(encoding="utf-8")
    check("Nordlicht Outdoor" in text, "the notebook does not show the client", text[-500:])
    check('"output_type": "error"' not in text, "the notebook failed", text[-500:])


def kernel(python: Path, place: Path) -> Path:
    """A kernel of the fresh environment; the borrowed one's starts the other interpreter."""
    folder = place / "jupyter" / "kernels" / "wheel"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(
        f'{{"argv": ["{python}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"], '
        '"display_name": "wheel", "language": "python"}', encoding="utf-8",
    )  # fmt: skip
    return place / "jupyter"


def hub(adlab: str, empty: Path, env: dict[str, str]) -> None:
    """The house: its login page, and a board that asks who is there."""
    from adlab.local import free_port

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([adlab, "hub", "--port", str(port)], cwd=empty, env=env,
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert process.stdout is not None
        check(url in process.stdout.readline(), "the hub did not start", str(process.poll()))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/hub/login", timeout=20) as page:
            check('id="password_input"' in page.read().decode(), "no login page", page.url)
        board = f"{url}/services/boards/client?client=nordlicht-outdoor"
        asked = urllib.request.Request(board, headers={"Accept": "text/html"})  # noqa: S310
        with urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
        ).open(asked, timeout=20) as page:
            check("/hub/login" in page.url, "a board does not ask who is there", page.url)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """A command's stdout; ends everything with what it said when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=180
    )
    check(done.returncode == 0, f"{' '.join(command)} ended {done.returncode}", done.stderr)
    return done.stdout


def check(holds: bool, problem: str, seen: object = "") -> None:
    """End with the problem, unless it holds."""
    if not holds:
        raise SystemExit(f"{problem}\n{str(seen)[-3000:]}")


def say(stage: str) -> None:
    """Name the stage."""
    print(f"• {stage} …", flush=True)


if __name__ == "__main__":
    sys.exit(main())
