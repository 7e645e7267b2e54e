"""kerckhoffs challenge: open one, serve it, see how it stands, reveal its key."""

import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from kerckhoffs import zoo
from kerckhoffs.challenge import begin, service
from kerckhoffs.challenge.routes import ROUTES
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.challenge.wire import ADDRESS
from kerckhoffs.checks import FileRefused
from kerckhoffs.cli import passphrases

challenge_app = typer.Typer(
    help="Beat the key: hide a key, let everybody attack, and reveal it at the end. docs/challenge.md."
)
Id = Annotated[str | None, typer.Argument(help="Of the challenge; the newest one by default.")]


class Norm(StrEnum):
    """In which a change is measured."""

    linf = "linf"
    l2 = "l2"


class Answers(StrEnum):
    """What a query is told."""

    labels = "labels"
    scores = "scores"


@challenge_app.command("new")
def challenge_new(
    model: Annotated[str, typer.Argument(help="A classifier of your own with a private key: own/...")],
    norm: Annotated[Norm, typer.Option(help="In which the change of an image is measured.")] = Norm.linf,
    budget: Annotated[float, typer.Option(help="The largest change.")] = 0.2,
    images: Annotated[int, typer.Option(help="The first so many test samples that it reads rightly.")] = 20,
    queries: Annotated[int, typer.Option(help="Images that a team may have judged.")] = 10_000,
    answers: Annotated[Answers, typer.Option(help="What a query is told.")] = Answers.labels,
    rate: Annotated[int, typer.Option(help="Of a team's queries in a minute.")] = 3000,
    at_once: Annotated[int, typer.Option(help="Of its images in a request.")] = 64,
    teams: Annotated[int, typer.Option(help="How many may join.")] = 100,
    days: Annotated[float, typer.Option(min=0, max=3650, help="Until it ends.")] = 0,
    hours: Annotated[float, typer.Option(min=0, max=87600, help="Until it ends; with --days both are added.")] = 0,
    invitation: Annotated[bool, typer.Option("--invitation", help="Only who has a word, printed once, joins.")] = False,
    note: Annotated[str, typer.Option(help="Commit to this text as well.")] = "",
    passphrase_file: passphrases.PassphraseFile = None,
) -> None:
    """Open a challenge on a classifier of your own, for a week unless you say otherwise."""
    span = timedelta(days=days, hours=hours) or timedelta(days=7)
    with passphrases.asking(passphrase_file):
        made, word = begin.new(
            model,
            images=images,
            invitation=invitation,
            note=note,
            norm=norm.value,
            budget=budget,
            answers=answers.value,
            queries=queries,
            rate=rate,
            at_once=at_once,
            teams=teams,
            end=datetime.now(UTC) + span,
        )
    print(f"challenge    {made.id}")
    print(f"commitment   {made.commitment}")
    print(f"ends         {made.rules.end:%Y-%m-%d %H:%M} UTC")
    if word:
        print(f"invitation   {word}   (shown this once)")
    print("publish the commitment; then serve it: kerckhoffs challenge serve, or kerckhoffs app")


@challenge_app.command("serve")
def challenge_serve(
    address: Annotated[
        str, typer.Option(help="127.0.0.1, this machine alone, by default; 0.0.0.0 opens it to the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8502,
    passphrase_file: passphrases.PassphraseFile = None,
) -> None:
    """Serve the challenges over HTTP and nothing else: no pages, no other classifier. Ctrl-C ends it."""
    import socket

    import uvicorn
    from starlette.applications import Starlette

    found = [each for each in service.listed() if each.state == "open"]
    if not found:
        raise ValueError("there is no open challenge; open one: kerckhoffs challenge new MODEL")
    with passphrases.asking(passphrase_file):
        for each in found:
            each.load()
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening = socket.create_server((address, port), family=family)
    except OSError as error:
        raise ValueError(f"cannot listen at {address}:{port}: {error.strerror}") from error
    at = f"http://{address}:{listening.getsockname()[1]}{ADDRESS}"
    for each in found:
        print(f"{each.id}  {each.rules.model}  {at}/{each.id}", flush=True)
    print(f"described at {at}/openapi.json", flush=True)
    config = uvicorn.Config(
        Starlette(routes=ROUTES), log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=20
    )
    uvicorn.Server(config).run([listening])


@challenge_app.command("status")
def challenge_status(challenge: Id = None) -> None:
    """Print the rules, the commitment and the leaderboard."""
    found = _named(challenge)
    rules = found.rules
    print(f"challenge    {found.id}, {found.state}, {rules.model}")
    print(f"commitment   {found.commitment}")
    print(f"ends         {rules.end:%Y-%m-%d %H:%M} UTC")
    print(rules.words().replace("**", ""))
    print(f"{'':4}{'team':42}{'fooled':>7}{'queries for it':>16}{'queries spent':>15}")
    for place, each in enumerate(found.leaderboard(), 1):
        print(f"{place:<4}{each.name:42}{each.fooled:>7}{each.queries:>16}{each.spent:>15}")


@challenge_app.command("reveal")
def challenge_reveal(
    challenge: Id = None,
    early: Annotated[bool, typer.Option("--early", help="Before the end, and so end it.")] = False,
    passphrase_file: passphrases.PassphraseFile = None,
) -> None:
    """Write the reveal, with which everybody can verify the commitment. THE KEY IS PUBLIC from then on."""
    found = _named(challenge)
    with passphrases.asking(passphrase_file):
        shown = found.reveal(early=early)
    print(f"commitment   {found.commitment}")
    print(f"reveal       {found.reveal_file()}")
    print(f"verify it    kerckhoffs key verify {found.commitment} {found.reveal_file()}")
    print(
        f"the reveal HOLDS THE KEY {shown.key.fingerprint}, and whoever asks is given it with the weights of "
        f"{', '.join(zoo.used_by(shown.key.fingerprint)) or found.rules.model}, which defends nothing any more",
        file=sys.stderr,
    )


def _named(id_: str | None) -> Challenge:
    if id_:
        return service.find(id_)
    if not (found := service.listed()):
        raise FileRefused(f"there is no challenge in {service.folder()}; open one: kerckhoffs challenge new MODEL")
    return found[0]
