"""`adlab isolation …`: attack one's own store, as every role."""

from __future__ import annotations

import typer

from adlab.cli import output

app = typer.Typer(help="Attack your own store, as every role.", no_args_is_help=True)


@app.callback()
def _several() -> None:
    """Attack your own store, as every role."""


@app.command()
def check(json: output.Json = False) -> None:
    """Try every attack of the catalogue as every role, on the store in use. Exit 1 on a leak.

    People are made for it and dropped again; everything they do is rolled back.

    Example: adlab isolation check
    """
    from adlab import __version__, runtime
    from adlab.services import isolation

    house = runtime.build()
    run = isolation.check(house.engine, __version__, tell=lambda role: output.say(f"as {role} …"))
    closed = sum(v.outcome == "closed" for v in run.verdicts)
    spared = sum(v.outcome == "spared" for v in run.verdicts)
    problems = [*run.leaks, *run.unclear]
    found = [
        {"attack": v.attack, "as": v.subject, "outcome": v.outcome, "why": v.why} for v in problems
    ]
    seconds = (run.finished_at - run.started_at).total_seconds()
    if json:
        output.document(
            {
                "engine": run.engine, "attacks": run.attacks, "roles": run.roles,
                "tried": run.tried, "closed": closed, "spared": spared, "leaks": len(run.leaks),
                "unclear": len(run.unclear), "seconds": round(seconds, 1), "found": found,
            }
        )  # fmt: skip
    elif found:
        output.rows(found, ["attack", "as", "outcome", "why"], False)
    else:
        output.data("leaks: 0")
    for verdict in run.leaks:
        output.problem(f"LEAK: {verdict.attack} as {verdict.subject}")
    output.say(
        f"{run.attacks} attacks as {run.roles} ways in, {run.tried:,} statements on {run.engine} "
        "in "
        f"{seconds:.0f} s: {len(run.leaks)} leaks, {len(run.unclear)} unclear; {spared} left out "
        "(the role may, or it would change a live server)."
    )
    if problems:
        raise typer.Exit(1)
