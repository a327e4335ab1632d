"""The command line: mounts every command, and turns errors into a line on stderr and an exit code.

Exit codes: 0 done, 1 the answer is no, 2 wrong usage or bad input. Command modules import only typer at their top, so
that `pointsman --help` stays quick.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from pointsman import __version__
from pointsman.errors import PointsmanError

from . import (
    collect_command,
    config_commands,
    demo_command,
    doctor_command,
    evaluate_command,
    features_command,
    gate_command,
    import_command,
    init_command,
    keys_commands,
    label_command,
    ledger_commands,
    plan_command,
    promote_command,
    report_command,
    route_command,
    serve_command,
    train_command,
    tune_command,
)

app = typer.Typer(
    name="pointsman",
    help="Sends each LLM request to the cheapest model that will answer it well, and proves it on your own traffic.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo_command.demo)
app.command("init")(init_command.init)
app.command("serve")(serve_command.serve)
app.command("route")(route_command.route)
app.command("import")(import_command.import_)
app.command("collect")(collect_command.collect)
app.command("label")(label_command.label)
app.command("train")(train_command.train)
app.command("features")(features_command.features)
app.command("tune")(tune_command.tune)
app.command("evaluate")(evaluate_command.evaluate)
app.command("report")(report_command.report)
app.command("gate")(gate_command.gate)
app.command("promote")(promote_command.promote)
app.command("plan")(plan_command.plan)
app.command("doctor")(doctor_command.doctor)
ledger_commands.register(app)
app.add_typer(keys_commands.app, name="keys", help="Make, list and revoke keys for the gateway's clients.")
app.add_typer(config_commands.app, name="config", help="Show, explain and check the configuration.")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pointsman {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line; an edge: every error ends here as one message, never as a traceback."""
    try:
        app()
    except PointsmanError as error:
        typer.secho(f"error: {error.message}", err=True, fg=typer.colors.RED)
        sys.exit(2)
    except BrokenPipeError:
        # The reader (head, less) has left; Python would complain once more while flushing stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("POINTSMAN_DEBUG"):
            raise
        typer.secho(
            f"error: {type(error).__name__}: {error}. This is a fault of Pointsman; "
            "POINTSMAN_DEBUG=1 shows where it happened.",
            err=True,
            fg=typer.colors.RED,
        )
        sys.exit(2)
