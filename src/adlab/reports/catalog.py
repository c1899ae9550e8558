"""Which reports exist, where their notebooks are, and which parameters these take."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adlab.core.errors import DeliveryError, UnknownObjectError

PARAMETERS_TAG = "parameters"


@dataclass(frozen=True)
class Report:
    """A report that can be rendered.

    Attributes:
        name: What people type.
        notebook: File name of its notebook.
        title: What stands on its cover.
        description: One sentence.
    """

    name: str
    notebook: str
    title: str
    description: str


REPORTS: dict[str, Report] = {
    r.name: r
    for r in (
        Report(
            "monthly",
            "90_monthly_report.ipynb",
            "Monthly report",
            "one calendar month of a client against the month before",
        ),
    )
}


def find_report(name: str) -> Report:
    """The report of that name.

    Raises:
        UnknownObjectError: If there is none; the message lists those there are.
    """
    found = REPORTS.get(name.strip().lower())
    if found is None:
        known = "; ".join(f"{r.name} ({r.description})" for r in REPORTS.values())
        raise UnknownObjectError(f"There is no report {name!r}.", f"Reports: {known}.")
    return found


def find_notebooks() -> Path:
    """The folder of notebooks: in a checkout, or inside the installed wheel.

    Raises:
        DeliveryError: If neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parents[1] / "notebooks", package / "_share" / "notebooks"):
        if any((folder / r.notebook).is_file() for r in REPORTS.values()):
            return folder
    raise DeliveryError("The reports' notebooks are missing.", "Install adlab again.")


def read_parameters(notebook: Path) -> dict[str, str]:
    """Parameters a notebook takes: name → its default, as Python spells it.

    Raises:
        DeliveryError: If the file is no notebook, or has no cell tagged `parameters`.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DeliveryError(
            f"{notebook.name} cannot be read as a notebook.", "Save it again in JupyterLab."
        ) from None
    for cell in cells:
        if PARAMETERS_TAG in cell.get("metadata", {}).get("tags", ()):
            return _assigned("".join(cell["source"]), notebook.name)
    raise DeliveryError(
        f"{notebook.name} has no cell tagged 'parameters', so nothing can be passed to it.",
        "Tag the cell that holds its defaults.",
    )


def _assigned(source: str, name: str) -> dict[str, str]:
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise DeliveryError(
            f"The parameters of {name} are no Python: {error.msg}, line {error.lineno}.",
            "Mend that cell.",
        ) from None
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = ast.unparse(node.value)
        elif isinstance(node, ast.Assign):
            found |= {
                t.id: ast.unparse(node.value) for t in node.targets if isinstance(t, ast.Name)
            }
    return found


def check_parameters(notebook: Path, given: Mapping[str, Any]) -> None:
    """Refuse parameters the notebook does not take; papermill would only warn.

    Raises:
        ValueError: If one is unknown; the message lists those it takes.
    """
    known = read_parameters(notebook)
    if unknown := [n for n in given if n not in known]:
        raise ValueError(
            f"{notebook.name} has no parameter {unknown[0]!r}; it takes {', '.join(known)}"
        )
