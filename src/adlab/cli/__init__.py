"""The command line: `adlab <noun> <verb>`. Parse, call one service, print.

Data goes to stdout, talk to stderr; exit codes are 0 fine, 1 failed, 2 misused. Command modules
are imported when their command runs, so that `adlab --help` is quick.
"""

from __future__ import annotations

import sys

import typer
from typer import exceptions

from adlab.cli import output

app = typer.Typer(
    name="adlab",
    help="Analytics and optimisation workbench for Meta advertising.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _register() -> None:
    from adlab.cli import (
        accounts,
        audit,
        backfill,
        changes,
        clients,
        connections,
        conversions,
        demo,
        epochs,
        freshness,
        fx,
        hub,
        imports,
        isolation,
        keys,
        match,
        privacy,
        report,
        servers,
        sync,
        tokens,
        users,
        webhooks,
        worker,
    )  # fmt: skip

    app.add_typer(clients.app, name="client")
    app.add_typer(accounts.app, name="account")
    app.add_typer(connections.app, name="connection")
    app.add_typer(keys.app, name="key")
    app.add_typer(users.app, name="user")
    app.add_typer(tokens.app, name="token")
    app.add_typer(audit.app, name="audit")
    app.add_typer(privacy.app, name="privacy")
    app.add_typer(imports.app, name="import")
    app.add_typer(isolation.app, name="isolation")
    app.add_typer(fx.app, name="fx")
    app.add_typer(epochs.app, name="epoch")
    app.add_typer(report.app, name="report")
    app.add_typer(backfill.app, name="backfill")
    app.add_typer(changes.app, name="change")
    app.add_typer(conversions.app, name="conversions")
    app.add_typer(webhooks.app, name="webhooks")
    app.command("sync")(sync.sync)
    app.command("worker")(worker.worker)
    app.command("freshness")(freshness.freshness)
    app.command("match")(match.match)
    app.command("demo")(demo.demo)
    app.command("hub")(hub.hub)
    for command in servers.COMMANDS:
        app.command(command.__name__)(command)


_register()


def _print_version(wanted: bool) -> None:
    if wanted:
        from adlab import __version__

        output.data(__version__)
        raise typer.Exit


@app.callback()
def _top(
    version: bool = typer.Option(
        False,
        "--version",
        is_eager=True,
        callback=_print_version,
        help="Print the version and stop.",
    ),
) -> None:
    """Analytics and optimisation workbench for Meta advertising."""


def main() -> None:
    """Run the command line and leave with the promised exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command.

    Args:
        arguments: Without the program's name.

    Returns:
        0 fine, 1 failed, 2 misused.
    """
    from adlab.core.errors import AdlabError

    try:
        code = app(arguments, prog_name="adlab", standalone_mode=False)
    except exceptions.Exit as stop:
        return int(stop.exit_code)
    except exceptions.TyperException as error:
        if not arguments:
            output.say(error.format_message())
            return 2
        context = getattr(error, "ctx", None)
        where = f" (try: {context.command_path} --help)" if context else ""
        output.problem(f"{error.format_message()}{where}")
        return int(getattr(error, "exit_code", 2))
    except (exceptions.Abort, KeyboardInterrupt):
        output.problem("Interrupted; what was committed before is safe.")
        return 1
    except AdlabError as error:
        output.problem(str(error))
        return 1
    except ValueError as error:
        output.problem(str(error), error)
        return 2
    except Exception as error:
        output.problem(f"Unexpected {type(error).__name__}: {error}", error)
        return 1
    return int(code) if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
