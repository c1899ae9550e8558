"""Running a notebook: parameters, failures, time, and what its process may know."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from adlab.core.errors import DeliveryError, ReportFailedError, UnknownObjectError
from adlab.reports.catalog import REPORTS, find_notebooks, find_report, read_parameters
from adlab.reports.render import child_environment, run_notebook


def notebook(folder: Path, *cells: str, name: str = "n.ipynb") -> Path:
    """A notebook whose first cell holds the parameters."""
    made = [
        {"cell_type": "code", "id": f"c{i}", "execution_count": None, "outputs": [],
         "metadata": {"tags": ["parameters"]} if i == 0 else {}, "source": source}
        for i, source in enumerate(cells)
    ]  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {
        "cells": made,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def printed(executed: dict[str, Any]) -> str:
    return "".join(
        "".join(o.get("text", "")) for c in executed["cells"] for o in c.get("outputs", ())
    )


def test_parameters_reach_the_notebook_and_secrets_of_ours_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("META_TOKEN", "EAA-secret")
    monkeypatch.setenv("ADLAB_SECRET_KEY", "ab" * 32)
    path = notebook(
        tmp_path, "who: str = 'nobody'  # whom to greet",
        "import os\nprint('hello', who, sorted(n for n in os.environ if 'ADLAB' in n or 'TOKEN' in n))",
    )  # fmt: skip
    done = run_notebook(path, {"who": "Ann"}, {"ADLAB_DATABASE__URL": "postgresql://u:p@h/d"})
    assert "hello Ann ['ADLAB_DATABASE__URL']\n" in printed(done)


def test_the_child_inherits_named_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    kept = child_environment({})
    assert "PGPASSWORD" not in kept
    assert "AWS_SECRET_ACCESS_KEY" not in kept
    assert kept["PATH"] == os.environ["PATH"]


def test_an_unknown_parameter_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = notebook(tmp_path, "client: str = ''\nperiod = 'last_month'", "1/0")
    with pytest.raises(ValueError, match="no parameter 'clinet'; it takes client, period"):
        run_notebook(path, {"clinet": "acme"}, {})


def test_a_failing_cell_is_named_with_its_first_line_and_without_secrets(tmp_path: Path) -> None:
    url = f"postgresql://nb_1:{'-'.join(('the', 'long', 'password'))}@127.0.0.1/adlab"
    path = notebook(
        tmp_path, "n: int = 1", "x = n",
        "# a comment\nimport os\nraise RuntimeError('no: ' + os.environ['ADLAB_DATABASE__URL'])",
        name="7_odd.ipynb",
    )  # fmt: skip
    with pytest.raises(ReportFailedError) as caught:
        run_notebook(path, {"n": 2}, {"ADLAB_DATABASE__URL": url})
    error = caught.value
    assert (error.notebook, error.cell) == ("7_odd.ipynb", 3)
    assert str(error).startswith("7_odd.ipynb, cell 3 (# a comment) failed: RuntimeError: no: …")
    assert "raise RuntimeError" in str(error)
    assert "the-long-password" not in str(error)


def test_a_notebook_that_takes_too_long_is_ended_with_its_kernel(tmp_path: Path) -> None:
    path = notebook(tmp_path, "n: int = 1", "import time\ntime.sleep(600)")
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    began = time.monotonic()
    with pytest.raises(ReportFailedError, match=r"n\.ipynb did not finish within 6 seconds"):
        run_notebook(path, {}, {}, time_limit=6)
    assert time.monotonic() - began < 20
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert [p for p in left if p.status() != psutil.STATUS_ZOMBIE] == []


def test_parameters_are_read_without_running_anything(tmp_path: Path) -> None:
    assert read_parameters(notebook(tmp_path, "a: str = 'x'  # why\nb = 3\nc: int")) == {
        "a": "'x'", "b": "3",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["no json", "[]", '{"cells": []}'])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(DeliveryError, match=r"x\.ipynb"):
        read_parameters(path)


def test_every_report_has_its_notebook_and_takes_what_the_service_gives() -> None:
    for report in REPORTS.values():
        taken = read_parameters(find_notebooks() / report.notebook)
        assert {"client", "period", "as_of", "arm_a", "arm_b"} <= set(taken)


def test_an_unknown_report_lists_those_there_are() -> None:
    with pytest.raises(UnknownObjectError, match="There is no report 'weekly'"):
        find_report("weekly")
