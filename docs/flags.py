"""docs/warnings.md: every flag of evaluation/flags.py, with when it is raised and what it means.

    python -m docs.flags > docs/warnings.md

prints the page from the registry; a test compares them.
"""

from kerckhoffs.evaluation.flags import FLAGS

HEAD = """# Warnings beside results

What to be wary of in a table of attacks, in the manner of AutoAttack's flags. They stand below the results of Batch,
below what `kerckhoffs evaluate`, `runs show` and `table3` print and in the `report.md` that these write. In a summary
(`summary.csv`, Batch's download) the column `warnings` names those that are about a line. Play says of its one image
whether the gradient vanishes, and whether a classifier answers at random.

A warning is no verdict on a defence. It says that an error is likely to be too low, because an attack did worse than
it could, or that one look is not enough. That there is none says that none of these was found, and no more.

Attacks are compared on the samples that both were tried on; several seeds and targets of a sample count as one, by
their mean. Rows that were made before there were warnings lack the two columns that are measured beside the attack,
`crafted_gradient` and `call_difference`; only the comparisons are made with them.

A randomised defence is judged by the mean of several calls, each of which is its mean over draws. The attack saw other
draws: an example may have failed in its eyes and count, or the reverse. What came back unchanged is not asked about
again.

"""


def page() -> str:
    """The page, in Markdown."""
    return HEAD + "\n".join(
        f"## {flag.title}\n\n`{flag.id}`\n\n**Raised if:** {flag.raised_if}\n\n**What it means:** {flag.means}\n"
        for flag in FLAGS.values()
    )


if __name__ == "__main__":
    print(page(), end="")
