"""Run a report's notebook with parameters, in a process of its own and within a time limit.

`python -m adlab.reports.render` is that process: it reads a job from stdin, lets papermill run the
notebook, and writes the executed notebook beside it. What it inherits of our environment is named
here one by one, so that no secret comes along by accident.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from adlab.core.errors import ReportFailedError
from adlab.reports.catalog import check_parameters

TIME_LIMIT = 120.0
KERNEL = "python3"
TRACEBACK_LINES = 12
_CELL_FAILED = 3

# Reason: an allow list. A kernel runs whatever a notebook says; tokens and keys of the process
# that renders are no business of it.
_INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP",
    "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA",
    "LOCALAPPDATA", "PROGRAMDATA", "USERPROFILE", "MPLCONFIGDIR", "XDG_CACHE_HOME", "TZDIR",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
)  # fmt: skip


def run_notebook(
    notebook: Path,
    parameters: Mapping[str, Any],
    environment: Mapping[str, str],
    time_limit: float = TIME_LIMIT,
) -> dict[str, Any]:
    """Execute a notebook and return it with its outputs, as nbformat's JSON.

    Args:
        notebook: Its file; left as it is.
        parameters: Values for its cell tagged `parameters`.
        environment: Variables the kernel gets beside the harmless ones, such as a database login.
        time_limit: Seconds until everything it started is ended.

    Raises:
        ReportFailedError: If a cell fails or time runs out; names notebook, cell and its first
            line, and carries the end of the traceback.
        ValueError: If the notebook takes no such parameter.
    """
    check_parameters(notebook, parameters)
    with tempfile.TemporaryDirectory(prefix="adlab-report-") as folder:
        out = Path(folder) / "executed.ipynb"
        job = {"notebook": str(notebook), "out": str(out), "parameters": dict(parameters)}
        code, said = _in_process(job, child_environment(environment), time_limit, notebook.name)
        if code == _CELL_FAILED:
            raise _cell_error(json.loads(said.splitlines()[-1]), notebook.name, environment)
        if code != 0 or not out.is_file():
            raise ReportFailedError(
                f"{notebook.name} could not be run: {_clean(_tail(said), environment)}",
                "Open it in JupyterLab and run it there, or see adlab doctor.",
                notebook=notebook.name,
            )
        executed: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return executed


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process that runs a notebook: named variables, and the given ones."""
    kept = {
        n: v
        for n, v in os.environ.items()
        if n.upper() in _INHERITED or n.startswith("LC_") or n == "NO_COLOR"
    }
    return {
        **kept,
        # Reason: the notebook must run on this Python, not on a kernel a person once registered.
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "MPLBACKEND": "agg",
        **extra,
    }


def _in_process(
    job: Mapping[str, Any], environment: Mapping[str, str], time_limit: float, name: str
) -> tuple[int, str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "adlab.reports.render"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8", errors="replace", env=dict(environment),
    )  # fmt: skip
    with _ended_in_the_end(process):
        try:
            said, _ = process.communicate(json.dumps(job), timeout=time_limit)
        except subprocess.TimeoutExpired:
            raise ReportFailedError(
                f"{name} did not finish within {time_limit:g} seconds and was stopped.",
                "Ask for a shorter period, or see whether the database is busy (adlab doctor).",
                notebook=name,
            ) from None
    return process.returncode, said


@contextlib.contextmanager
def _ended_in_the_end(process: subprocess.Popen[str]) -> Iterator[None]:
    """End the process and its kernel, whatever happens: a kernel is a session of its own."""
    try:
        yield
    finally:
        if process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
            process.kill()
            process.communicate()


def _cell_error(
    failure: Mapping[str, Any], name: str, environment: Mapping[str, str]
) -> ReportFailedError:
    cell = int(failure["cell"])
    trace = "\n".join(f"    {line}" for line in failure["traceback"])
    message = (
        f"{name}, cell {cell} ({failure['line']}) failed: "
        f"{failure['error']}: {failure['message']}\n{trace}\n"
    )
    return ReportFailedError(
        _clean(message, environment),
        "Open the notebook in JupyterLab with the same parameters to look closer.",
        notebook=name,
        cell=cell,
    )


def _clean(text: str, environment: Mapping[str, str]) -> str:
    """Text without the secrets the kernel was given, whole or in part."""
    for value in environment.values():
        text = text.replace(value, "…")
        password = value.rpartition("@")[0].rpartition(":")[2]
        if len(password) >= 8:
            text = text.replace(password, "…")
    return text


def _tail(text: str, lines: int = TRACEBACK_LINES) -> str:
    return "\n".join(text.strip().splitlines()[-lines:]) or "it said nothing"


def _execute(job: Mapping[str, Any]) -> dict[str, Any] | None:
    """Let papermill run the job; what failed, or None. Runs in the child."""
    import re
    import warnings

    warnings.simplefilter("ignore")
    import papermill
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            job["notebook"], job["out"], parameters=job["parameters"], kernel_name=KERNEL,
            progress_bar=False, log_output=False, cwd=str(Path(job["out"]).parent),
        )  # fmt: skip
    except PapermillExecutionError as error:
        plain = [re.sub(r"\x1b\[[0-9;]*m", "", t) for t in error.traceback]
        lines = "\n".join(plain).strip().splitlines()
        first = next((s for s in str(error.source).splitlines() if s.strip()), "")
        return {
            # Reason: papermill counts from 0 and its own injected cell too; people count from 1.
            "cell": _place(job["notebook"], str(error.source)) or error.cell_index + 1,
            "line": first.strip()[:120],
            "error": error.ename,
            "message": error.evalue,
            "traceback": lines[-TRACEBACK_LINES:],
        }
    return None


def _place(notebook: str, source: str) -> int | None:
    """Number of the cell with that source in the notebook as its author sees it, from 1."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    for number, cell in enumerate(cells, start=1):
        if "".join(cell["source"]).strip() == source.strip():
            return number
    return None


def main() -> None:
    """Run the job on stdin; exit 3 with a JSON line when a cell failed."""
    failure = _execute(json.load(sys.stdin))
    if failure is not None:
        sys.stdout.write("\n" + json.dumps(failure) + "\n")
        sys.stdout.flush()
        sys.exit(_CELL_FAILED)


if __name__ == "__main__":
    main()
