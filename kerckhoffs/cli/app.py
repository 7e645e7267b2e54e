"""The command line: kerckhoffs app, train, evaluate, key, challenge and the rest, which kerckhoffs --help lists.

Also as python -m kerckhoffs. Bad arguments end with status 2 and one line. A command reads its options, calls one
function and prints. To add one, write its file and its line here.
"""

import io
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from kerckhoffs import keys
from kerckhoffs.cli.attackers import attackers_app
from kerckhoffs.cli.bench import bench_command
from kerckhoffs.cli.challenge import challenge_app
from kerckhoffs.cli.defences import defences_command
from kerckhoffs.cli.keys import key_app
from kerckhoffs.cli.ladder import ladder_command
from kerckhoffs.cli.listing import runs_app
from kerckhoffs.cli.passphrases import PassphraseFile, asking
from kerckhoffs.cli.room import room_command
from kerckhoffs.cli.runs import evaluate_command, table3_command
from kerckhoffs.cli.serve import app_command
from kerckhoffs.cli.train import train_command

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    context: typer.Context,
    passphrase_file: PassphraseFile = None,
    handed_keys: Annotated[bool, typer.Option("--handed-keys", hidden=True)] = False,
) -> None:
    """Classifiers defended by a secret key, the attacks on them, and their honest evaluation."""
    if handed_keys:  # by the app, to a process that works for it
        for line in sys.stdin.buffer:
            keys.hold(keys.Key.read(line, "standard input"))
    context.with_resource(asking(passphrase_file))


app.add_typer(key_app, name="key")
app.command("app")(app_command)
app.command("defences")(defences_command)
app.add_typer(attackers_app, name="attackers")
app.command("train")(train_command)
app.command("evaluate")(evaluate_command)
app.command("ladder")(ladder_command)
app.add_typer(runs_app, name="runs")
app.command("table3")(table3_command)
app.command("bench")(bench_command)
app.add_typer(challenge_app, name="challenge")
app.command("room")(room_command)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot write is no reason to break off
            stream.reconfigure(errors="backslashreplace")
    try:
        command = typer.main.get_command(app)
        status = command(arguments or ["--help"], prog_name="python -m kerckhoffs", standalone_mode=False)
    except TyperException as error:
        return _refuse(error.format_message() if hasattr(error, "format_message") else str(error))
    except (ValueError, OSError) as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return status if isinstance(status, int) else 0


def _refuse(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2
