"""docs/lesson.md: a lesson of 45 minutes, with links, questions and answers that were measured: a teacher's page.

    python -m docs.lesson > docs/lesson.md

prints it from the steps below, results/ladder and results/keylab; a test compares them, and opens every link.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pandas as pd

from kerckhoffs.evaluation import ladder
from kerckhoffs.evaluation.keytests import report

RESULTS = Path(__file__).parent.parent / "results"
MODEL = "mnist-table1-keyed"
HERE = "http://127.0.0.1:8501"
HEAD = """# A lesson: is a secret key worth anything?

45 minutes, for people who know what a neural network is. You need one machine with a projector: `streamlit run app.py`,
and the links below. Each step has a question: let everybody answer before you show what happens. The answers are
measured on {samples} test images and {keys} keys, with 95 % intervals, each for the strongest attack that was tried on
that rung (docs/ladder.md has all of them). Print the questions: they are the last page.

The links hide what a step does not need; "Show all controls" at the bottom brings it back.

"""


@dataclass(frozen=True)
class Step:
    """A step of the lesson.

    Args:
        minutes: it takes.
        title: its idea.
        link: the state of Play, or of another page, that it opens.
        do: what to show.
        ask: the question, before it is shown.
        answer: what comes out, with {names} of `figures`.
        page: the page of the link, "" for Play.
    """

    minutes: int
    title: str
    link: Mapping[str, str]
    do: str
    ask: str
    answer: str
    page: str = ""

    @property
    def address(self) -> str:
        """Its link."""
        return f"{HERE}/{self.page}" + (f"?{urlencode(self.link, safe=',')}" if self.link else "")


STEPS = (
    Step(
        5,
        "A picture that fools a network",
        {"attack": "fgsm", "epsilon": "0.05", "hide": "key,takeaway,attacker"},
        "A 7, and FGSM with a small budget ε: the largest change of a pixel. Move ε up slowly.",
        "At which ε does the classical network stop reading 7? Would you have?",
        "By 0.15 it reads 2 with certainty, and everybody still sees a 7. With everything known, the strongest attack "
        "at ε 0.1 misleads the keyed network in {key_1}, the classical one in {control_key_1}.",
    ),
    Step(
        6,
        "Kerckhoffs's principle, and a key",
        {"attack": "fgsm", "epsilon": "0.15", "hide": "takeaway,image,attack"},
        "Panel 4: send the pixels through P. The attacker knows all of this but the order.",
        "There are 784! orders. How long does guessing take?",
        "Half of them take 10 to the power of {years} years on one core here. Guessing is not the danger.",
    ),
    Step(
        7,
        "Who knows what",
        {"attack": "fgsm", "epsilon": "0.15", "hide": "key,takeaway,image,navigation"},
        "The paper's attacker: a classical twin, no key. Then go up to ε 0.2 and 0.3.",
        "The keyed one still reads 7 at 0.15. At 0.3 too?",
        "No. Crafted on a classical twin, the strongest attack misleads the keyed one in {twin_1} at 0.1, {twin_2} at "
        "0.2 and {twin_3} at 0.3.",
    ),
    Step(
        5,
        "The control",
        {"attack": "fgsm", "epsilon": "0.2", "control": "true", "hide": "key,takeaway,image,navigation"},
        "A third classifier beside them: no key, trained independently, never seen by the attacker.",
        "The attacker has neither of the two. Which of them withstands more?",
        "At ε 0.2 the attack that does best on the keyed one misleads it in {twin_2}, and the control, which is shown "
        "the same images, in {control_twin_2}. Against this attacker the key helped: its advantage, control minus "
        "keyed, is {advantage_twin_2} points. Keep that in mind for the next two steps.",
    ),
    Step(
        5,
        "Noise",
        {"dial": "noise", "attack": "noise", "epsilon": "0.3", "hide": "key,takeaway,image,navigation"},
        "No attacker at all: every pixel up or down by ε, at random.",
        "Which of the two is misled by noise?",
        "The keyed one: {noise_3} at 0.3, the control {control_noise_3}. Behind a permutation a network cannot use "
        "that neighbours belong together; what it learns in its place gives way to noise sooner.",
    ),
    Step(
        6,
        "A key of one's own, and not even the design",
        {"dial": "data", "attack": "fgsm", "epsilon": "0.2", "hide": "key,takeaway,image,navigation"},
        "The attacker trains a plain fully connected network, then (rung 7) one behind a key of their own.",
        "It does not know of pixels that are permuted. Does what fools it carry over?",
        "At 0.2: from a fully connected network {mlp_2} of the keyed one, and {control_mlp_2} of the control; from "
        "behind an own key {own_2} and {control_own_2}. Against the twin the key helped; against these two it harms.",
    ),
    Step(
        6,
        "The leak",
        {"dial": "part-of-key", "by_share": "0.5", "attack": "fgsm", "epsilon": "0.2", "hide": "key,takeaway,image"},
        "The attacker has the weights and a share of the key, and guesses the rest. Move the share.",
        "With half of the key, is the attacker half as good?",
        "At 0.2, knowing 0, 30, 50, 70 and 100 % of the order: {leak_0}, {leak_3}, {leak_5}, {leak_7} and {leak_10}. "
        "On clean images the network reads {half_clean} wrong with half of its key.",
    ),
    Step(
        5,
        "So, is it worth anything?",
        {},
        "The Ladder page: every attacker from nothing to the key.",
        "Which attacker does the key stop, whom the control would not have stopped?",
        "Read it off: right of 0 on the right-hand side the key helped on that rung. But whoever knows more can do all "
        "that is below: with the data and the design alone, the strongest of all leaves {design_2} wrong at 0.2, and "
        "{control_design_2} of the control. Then read docs/defences.md for what does hold.",
        page="ladder",
    ),
)


def figures() -> dict[str, str]:
    """What the answers quote."""
    points = ladder.read_points(RESULTS / "ladder" / f"{MODEL}.csv")
    tests = report.read(RESULTS / "keylab" / f"{MODEL}.csv")

    used: list[pd.Series] = []

    def of(attacker: str, tenths: int, options: str = "") -> pd.Series:
        """What a rung comes to."""
        at = points[(points["attacker"] == attacker) & (points["epsilon"].round(6) == tenths / 10)]
        used.append(at[(at["level"] == "") & at["options"].str.match(options or "$")].iloc[0])
        return used[-1]

    found = {}
    for word, (attacker, options) in {
        "key": ("key", ""),
        "twin": ("twin", ""),
        "noise": ("noise", ""),
        "mlp": ("data", "network=mlp"),
        "own": ("own-key", ""),
    }.items():
        for tenths in (1, 2, 3):
            point = of(attacker, tenths, options)
            found[f"{word}_{tenths}"] = f"{ladder.share(point)} %"
            found[f"control_{word}_{tenths}"] = f"{ladder.share(point, 'control_error')} %"
            found[f"advantage_{word}_{tenths}"] = ladder.share(point, "advantage")
    known = points[(points["level"] == "data and design") & (points["epsilon"] == 0.2)].iloc[0]
    for name, side in (("design_2", "error"), ("control_design_2", "control_error")):
        found[name] = f"{ladder.share(known, side)} %"
    for tenths in range(11):
        found[f"leak_{tenths}"] = f"{ladder.share(of('part-of-key', 2, f'share={tenths / 10}:'))} %"
    found["samples"] = " to ".join(map(str, sorted({point["samples"] for point in used})))
    found["keys"] = " to ".join(map(str, sorted({point["keys"] for point in used})))
    found["years"] = f"{report.one(tests, 'guesses', 'half of all keys')['value']:.0f}"
    found["half_clean"] = f"{100 * report.one(tests, 'leak', '0.5')['value']:.0f} %"
    return found


def page() -> str:
    """The page, in Markdown."""
    assert sum(step.minutes for step in STEPS) == 45
    known = figures()
    parts, minute = [HEAD.format(**known)], 0
    for number, step in enumerate(STEPS, 1):
        parts.append(
            f"## {number}. {step.title} (minute {minute} to {minute + step.minutes})\n\n"
            f"[Open]({step.address}). {step.do}\n\n**Ask:** {step.ask}\n\n"
            f"**Measured:** {step.answer.format(**known)}\n\n"
        )
        minute += step.minutes
    parts.append("## To print: the questions\n\n")
    parts += [
        f"{number}. {step.ask}\n\n   ......................................\n\n" for number, step in enumerate(STEPS, 1)
    ]
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    print(page(), end="")
