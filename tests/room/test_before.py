"""What is sent of an example before the reveal: the same whatever comes out, of every attack and attacker."""

import json
from dataclasses import replace

import pytest

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.room import talk
from kerckhoffs.ui import models
from kerckhoffs.ui.play.experiment import compare
from kerckhoffs.ui.stage import examples, experiment, show
from tests.rooms import SEVEN

DEFENDED = models.card("mnist-table1-keyed")
LEADS = [
    (attacker, attack.id)
    for attacker in models.attackers(DEFENDED)
    for attack in ATTACKS.values()
    if models.may_run(attack, attacker, DEFENDED)
]
SOME = ("fgsm", "ddn", "square", "rays", "noise")  # of each kind


def scene(kind, attacker, attack, known=(), of="defended"):
    """One that asks whether an attack fools somebody."""
    [found] = talk.read(f"""
        [[scene]]
        show = "{kind}"
        heading = "One"
        play = "set=mnist&network=table1&dial={attacker}&attack={attack}&control=true"
        known = {list(known)}
        [scene.question]
        ask = "Fooled?"
        truth = "fooled"
        of = "{of}"
    """).scenes
    return found


def known(scene, made):
    """The ids of those whose verdicts are known."""
    return {id_ for name, id_ in examples._sides(made).items() if name in scene.known}


def views(monkeypatch, scene, fooled):
    """What is sent before and after, if an attack fools all or none, but for those of whom it is known."""

    def succeeds(made):
        return fooled or made.crafted_on in known(scene, made)

    def craft(made):
        changed = succeeds(made) or "perturb_all" in dict(made.options)
        return lambda on_step: (made.image + 0.1 * changed).clamp(0, 1)

    def compared(made, adversarial):
        found = {}
        for id_, reading in compare(made, adversarial).items():
            wrong = id_ == made.crafted_on if id_ in known(scene, made) else fooled
            verdict = replace(
                reading.verdict,
                before=made.label,
                after=(made.label + wrong) % 10,
                confidence=0.9 if wrong else 0.6,
                crafted_success=succeeds(made) and not made.of_nothing,
            )
            found[id_] = replace(reading, verdict=verdict)
        return found

    monkeypatch.setattr(examples, "craft", craft)
    monkeypatch.setattr(examples, "compare", compared)
    shown = examples.drawn(scene, SEVEN) if scene.draws else examples.shown(scene)
    return json.dumps([shown.before, shown.options]), json.dumps(shown.after)


def same(monkeypatch, scene):
    """Whether nothing before the reveal depends on what came out, as all after it does."""
    (before, after), (other, unlike) = (views(monkeypatch, scene, fooled) for fooled in (True, False))
    assert after != unlike
    return before == other


@pytest.mark.parametrize("attacker", dict.fromkeys(attacker for attacker, _ in LEADS))
def test_nothing_before_the_reveal_tells_what_came_out(attacker, monkeypatch):
    told = {}
    for attack in (attack for each, attack in LEADS if each == attacker):
        if not experiment.read(scene("example", attacker, attack).play).ready:
            pytest.skip("what it crafts on has to be made first")
        for kind in ("example", "draw") if attack in SOME else ("example",):
            told[attack, kind] = same(monkeypatch, scene(kind, attacker, attack))
    assert told
    assert [each for each, alike in told.items() if not alike] == []


@pytest.mark.parametrize("attack", SOME)
@pytest.mark.parametrize("attacker", ["noise", "twin", "key"])
@pytest.mark.parametrize("of", ["left", "defended"])
def test_no_verdict_that_is_known_tells_another_one(attacker, attack, of, monkeypatch):
    if (attacker, attack) not in LEADS:
        pytest.skip("no attack of this attacker")
    for names in ([], ["left"], ["attacked"], ["control"], ["left", "attacked"], ["defended", "control"]):
        asking = scene("example", attacker, attack, names, of)
        made = experiment.read(asking.play)
        if examples._sides(made)[of] not in known(asking, made):
            assert same(monkeypatch, asking), names


@pytest.mark.parametrize(
    ("name", "of", "words"),
    [
        ("left", "defended", "tell whether the attack failed; put attacked among them"),
        ("attacked", "defended", "asks about defended, whose verdict is said to be known"),
    ],
)
def test_verdicts_that_would_tell_are_refused_before_the_room_opens(name, of, words):
    source = scene("example", "key", "ddn", [name], of)
    with pytest.raises(ValueError, match=words):
        show.check(talk.Talk("", (source,), ""))
