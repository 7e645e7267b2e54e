"""kerckhoffs defences: what there is to train, a line each, or all that is known of one."""

from typing import Annotated

import typer

from kerckhoffs.checks import check_choice
from kerckhoffs.defences import DEFENCES


def defences_command(
    defence: Annotated[str | None, typer.Argument(help="The id of one, to be told all that is known of it.")] = None,
) -> None:
    """List the defences; or say of one what it is, what it costs and what is known against it."""
    if defence is None:
        width = max(map(len, DEFENCES))
        print("\n".join(f"{entry.id:{width}}  {entry.name}" for entry in DEFENCES.values()))
        return
    check_choice(defence, DEFENCES, "defence")
    entry = DEFENCES[defence]
    print(f"{entry.name}\n{entry.summary}\nKnown against it: {entry.known}\nTrained {entry.trained}.\n{entry.source}")
