"""kerckhoffs runs: the runs in your data folder, and what one has found."""

from typing import Annotated

import typer

from kerckhoffs.cli.show import Markdown, show
from kerckhoffs.evaluation import flags, listing, summaries
from kerckhoffs.evaluation.listing import Listed

runs_app = typer.Typer(help="List the runs in your data folder, the newest first; or show what one has found.")


@runs_app.callback(invoke_without_command=True)
def runs_command(context: typer.Context) -> None:
    """List the runs in your data folder, the newest first; or show what one has found."""
    if context.invoked_subcommand is None:
        found = listing.listed()
        print("\n\n".join(words(each) for each in found) or "there are no runs in your data folder yet")


@runs_app.command("show")
def runs_show(
    run: Annotated[str, typer.Argument(help="The id of a run in your data folder, or a run's folder.")],
    markdown: Markdown = False,
) -> None:
    """Print the summary of what is done of a run. `kerckhoffs evaluate --like RUN` begins the same again."""
    found = listing.named(run)
    rows = found.rows(flags.WITH_SUMMARY)
    print(words(listing.described(found.folder)) + "\n")
    if rows.empty:
        print(f"there are no rows yet; go on with: kerckhoffs evaluate --resume {found.folder}")
        return
    counted = summaries.summarise(rows)
    full, brief = summaries.report(counted), summaries.brief(counted)
    show(full, brief, flags.raised(rows), markdown=markdown, more="All columns: --markdown.")


def words(run: Listed) -> str:
    """A run in a few lines."""
    if run.problem:
        return f"{run.id}  {run.state}\n  {run.problem}"
    return (
        f"{run.id}  {run.state}, {run.done} of {run.total} examples\n"
        f"  begun {run.begun}: {', '.join(run.attacks)}\n"
        f"  crafted on {', '.join(run.crafted_on)}\n"
        f"  evaluated on {', '.join(run.evaluated_on)}\n"
        f"  {run.command}"
    )
