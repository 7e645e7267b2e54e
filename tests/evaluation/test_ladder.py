import json

import numpy as np
import pandas as pd
import pytest

from kerckhoffs import attackers, zoo
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation import examples, ladder
from kerckhoffs.evaluation.examples import COLUMNS
from kerckhoffs.evaluation.ladder import Group

KEYED, CONTROL, TWIN = "mnist-table1-keyed", "mnist-half-classical", "mnist-table1-classical"


def rows(crafted_on, evaluated_on, wrong, attack="pgd", linf=None, before=None, **options):
    """As many samples as `wrong` says, each wrong after the attack or not."""
    count = len(wrong)
    return pd.DataFrame(
        {
            "dataset": "mnist",
            "split": "test",
            "attack": attack,
            "options": json.dumps(options),
            "targets": "untargeted",
            "seed": 0,
            "crafted_on": crafted_on,
            "evaluated_on": evaluated_on,
            "index": np.arange(count),
            "label": 3,
            "before": 3 if before is None else before,
            "after": np.where(wrong, 5, 3),
            "linf": 0.1 if linf is None else linf,
            "forwards": 40.0,
        }
    )


def read(parts, groups=None, controls=("control",), epsilons=(0.1,)):
    groups = groups or (Group("keyed", (KEYED,), "table1"),)
    return ladder.lines(pd.concat(parts), groups, Group("without a key", controls), epsilons)


def read_points(parts, groups=None, controls=("control",), epsilons=(0.1,)):
    groups = groups or (Group("keyed", (KEYED,), "table1"),)
    return ladder.points(pd.concat(parts), groups, Group("without a key", controls), epsilons)


def test_a_line_has_the_error_of_its_attack_and_what_the_control_loses_to_the_same():
    both = [rows(TWIN, KEYED, [1, 0, 0, 0], epsilon=0.1), rows(TWIN, "control", [1, 1, 1, 0], epsilon=0.1)]
    keyed, control = read(both).to_dict("records")
    assert (keyed["attacker"], keyed["evaluated_on"], keyed["error"]) == ("twin", "keyed", 0.25)
    assert (control["evaluated_on"], control["error"]) == ("without a key", 0.75)
    assert keyed["advantage"] == 0.5
    assert keyed["advantage_low"] < 0.5 < keyed["advantage_high"]
    assert np.isnan(control["advantage"])


def test_against_the_weights_the_control_is_held_that_is_known_itself():
    made = "part-of-key:share=0.5:places=random:draws=1@" + KEYED
    parts = [
        rows(made, KEYED, [1, 0, 0, 0], epsilon=0.1),
        rows(KEYED, KEYED, [1, 1, 1, 1], epsilon=0.1),
        rows("control", "control", [1, 1, 0, 1], epsilon=0.1),
    ]
    lines = read(parts).set_index(["attacker", "evaluated_on"])
    assert lines.loc[("part-of-key", "keyed"), "options"] == "share=0.5:places=random:draws=1"
    assert lines.loc[("part-of-key", "keyed"), "advantage"] == 0.5
    assert lines.loc[("key", "keyed"), "advantage"] == -0.25


def test_the_rungs_stand_in_the_order_of_the_ladder_and_the_strongest_attack_is_a_rungs_point():
    parts = [
        rows(KEYED, KEYED, [1, 1, 1, 1], epsilon=0.1),
        rows(TWIN, KEYED, [1, 0, 0, 0], attack="fgsm", epsilon=0.1),
        rows(TWIN, KEYED, [1, 1, 0, 0], epsilon=0.1),
        rows(KEYED, KEYED, [0, 0, 0, 0], attack="noise", epsilon=0.1),
    ]
    assert list(read(parts)["attacker"]) == ["noise", "twin", "twin", "key"]
    points = read_points(parts)
    rungs = points[points["level"] == ""]
    assert list(zip(rungs["attacker"], rungs["attack"], rungs["error"], strict=True)) == [
        ("noise", "noise", 0.0),
        ("twin", "pgd", 0.5),
        ("key", "pgd", 1.0),
    ]
    assert points["advantage"].isna().all()


def test_each_side_is_judged_by_the_attack_that_does_most_to_it():
    tried = {"fgsm": ([1, 1, 0, 0], [1, 0, 0, 0]), "pgd": ([1, 0, 0, 0], [0, 1, 1, 1])}
    parts = [
        rows(TWIN, name, wrong, attack, epsilon=0.1)
        for attack, both in tried.items()
        for name, wrong in zip((KEYED, "control"), both, strict=True)
    ]
    lines = read(parts)
    assert list(lines[lines["evaluated_on"] == "keyed"]["advantage"]) == [-0.25, 0.5], "on the same examples"
    for point in read_points(parts).to_dict("records"):
        assert (point["attack"], point["error"]) == ("fgsm", 0.5)
        assert (point["control_attack"], point["control_error"]) == ("pgd", 0.75)
        assert point["advantage"] == 0.25
        assert point["advantage_low"] < 0.25 < point["advantage_high"]


def test_a_budget_of_queries_is_a_rung_of_its_own():
    budgets = {100: ([1, 0, 0, 0], [1, 1, 0, 0]), 300: ([1, 1, 1, 0], [1, 1, 1, 1])}
    parts = [
        rows(name, name, wrong, "square", epsilon=0.1, max_queries=many)
        for many, both in budgets.items()
        for name, wrong in zip((KEYED, "control"), both, strict=True)
    ]
    points = read_points(parts)
    columns = ["level", "queries", "error", "control_error"]
    assert points[columns].to_numpy().tolist() == [
        ["", 100, 0.25, 0.5],
        ["", 300, 0.75, 1.0],
        ["data, design, answers", 300, 0.75, 1.0],
    ]
    assert ladder.top(points, "scores", 0.1)["queries"] == 300
    equal = points.assign(error=0.5)
    assert ladder.top(equal, "scores", 0.1)["queries"] == 300, "of equals the last"
    assert ladder.top(points, "labels", 0.1) is None
    fewer = points.assign(keys=[2, 1, 1])
    assert ladder.top(fewer, "scores", 0.1)["queries"] == 100, "more keys say more"


def test_who_knows_more_can_do_what_those_do_who_know_less():
    recovered = f"recovery:iterations=2500@{KEYED}"
    parts = [
        rows("mnist-mlp-classical", KEYED, [1, 1, 1, 0], epsilon=0.1),
        rows("mnist-mlp-classical", "control", [1, 0, 0, 0], epsilon=0.1),
        rows(TWIN, KEYED, [1, 0, 0, 0], epsilon=0.1),
        rows(TWIN, "control", [1, 1, 1, 0], epsilon=0.1),
        rows(recovered, KEYED, [1, 1, 0, 0], epsilon=0.1),
        rows("control", "control", [1, 1, 1, 1], epsilon=0.1),
    ]
    points = read_points(parts)
    levels = points[points["level"] != ""]
    columns = ["level", "attacker", "error", "control_attacker", "control_error", "advantage"]
    assert levels[columns].to_numpy().tolist() == [
        ["the data", "data", 0.75, "data", 0.25, -0.5],
        ["data and design", "data", 0.75, "twin", 0.75, 0.0],
        ["data, design, weights", "data", 0.75, "key", 1.0, 0.25],
    ]
    before = [set()]
    for names in ladder.LEVELS.values():
        assert set(names) <= set(ATTACKERS)
        before.append(set(names))
    hidden = {name: set(entry.hidden) for name, entry in ATTACKERS.items()}
    for names in ladder.LEVELS.values():
        least = set.intersection(*(hidden[name] for name in names))
        assert all(least <= hidden[name] for name in names), "nobody of a level is given what the others never are"
    assert {name for names in ladder.LEVELS.values() for name in names} == set(ATTACKERS), "everybody has a level"


def test_an_advantage_says_of_how_many_pairs_and_samples_it_is():
    parts = [rows(TWIN, name, [1, 1, 0, 0], epsilon=0.1) for name in "ab"]
    parts += [rows(TWIN, "x", [1, 1, 1], epsilon=0.1)]
    [point] = (
        read_points(parts, (Group("keyed", ("a", "b"), "table1"),), ("x", "y")).query("level == ''").to_dict("records")
    )
    assert (point["keys"], point["samples"]) == (2, 4)
    assert (point["advantage_keys"], point["advantage_samples"]) == (1, 3)
    assert ladder.report(pd.DataFrame([point]))["keys, samples"].item() == "2, 4; advantage 1, 3"


@pytest.mark.parametrize("crafted", ["mnist-table1-adversarial", "mnist-table1-keyed-1", "own/mine"])
def test_what_is_no_attackers_is_on_no_rung(crafted):
    assert read([rows(crafted, KEYED, [1, 1], epsilon=0.1)]).empty


def test_over_several_keys_the_interval_is_wider_than_of_as_many_samples_of_one():
    ids, controls = ("a", "b", "c"), ("x", "y", "z")
    wrong = {"a": [1, 1, 1, 1], "b": [0, 0, 0, 0], "c": [1, 1, 0, 0]}
    parts = [rows(TWIN, name, wrong[name], epsilon=0.1) for name in ids]
    parts += [rows(TWIN, name, [1, 1, 1, 0], epsilon=0.1) for name in controls]
    keyed, control = read(parts, (Group("keyed", ids, "table1"),), controls).to_dict("records")
    assert (keyed["keys"], keyed["samples"], keyed["error"]) == (3, 4, 0.5)
    assert keyed["error_high"] - keyed["error_low"] > control["error_high"] - control["error_low"]
    assert keyed["advantage"] == 0.25


def test_an_attack_for_the_smallest_change_counts_at_every_budget_that_it_stays_within():
    sizes = np.array([0.05, 0.15, 0.25, 0.0])
    parts = [rows(KEYED, KEYED, [1, 1, 1, 1], attack="fmn_linf", linf=sizes, before=[3, 3, 3, 5])]
    assert list(read(parts, epsilons=(0.1, 0.2, 0.3))["error"]) == [0.5, 0.75, 1.0]
    assert read([rows(KEYED, KEYED, [1, 1], attack="cw_l2")]).empty, "another norm"


def test_other_epsilons_are_not_mixed_in():
    parts = [rows(TWIN, KEYED, [1, 1], epsilon=0.2), rows(TWIN, KEYED, [0, 1], epsilon=0.1)]
    assert list(read(parts)["error"]) == [0.5]
    assert list(read(parts, epsilons=(0.1, 0.2))["error"]) == [0.5, 1.0]


@pytest.mark.parametrize("defence", ["keyed", "keyed-adversarial", "adversarial", "kda", "shuffle-4"])
def test_every_rung_is_planned_that_makes_sense_and_read_back_as_itself(defence):
    network = "half" if defence == "kda" else "table1"
    keyed, control = zoo.card(f"mnist-{network}-{defence}"), zoo.card("mnist-table2-classical")
    what = ladder.plan([keyed], [control], ladder.rungs(), epsilons=(0.1,), samples=5)
    assert len({json.dumps([each.attack, each.crafted_on, each.named_options()]) for each in what}) == len(what)
    parts = [
        rows(each.crafted_on, name, [1, 0], each.attack, **each.options) for each in what for name in each.evaluated_on
    ]
    lines = read(parts, (Group("keyed", (keyed.id,), network),), (control.id,))
    expected = set(attackers.offered(keyed, [keyed.id]))
    assert set(lines.loc[lines["evaluated_on"] == "keyed", "attacker"]) == expected
    assert "bypass" not in set(lines.loc[lines["evaluated_on"] == "without a key", "attacker"])
    keyed_lines = lines[lines["evaluated_on"] == "keyed"]
    assert keyed_lines["advantage"].notna().all(), "a control is attacked likewise at every rung"
    for line in keyed_lines.to_dict("records"):
        assert ATTACKS[line["attack"]].content_with(ATTACKERS[line["attacker"]].reads)


def test_what_has_to_be_made_is_named_before_the_work():
    card = zoo.card(KEYED)
    every = ladder.rungs(keys=(2,), queries=(100,), shares=(0.5,))
    what = ladder.plan([card], [], every, epsilons=(0.1,), samples=5)
    assert {name.partition(":")[0].partition("@")[0] for name in ladder.to_make(what)} == {
        *("own-keys", "substitute", "bypass", "recovery")
    }


def test_a_ladder_of_what_is_there_end_to_end():
    card, control = zoo.card("mnist-half-keyed"), zoo.card("mnist-table1-classical")
    wanted = [
        rung for rung in ladder.rungs(shares=(0.5,)) if rung.attacker in ("noise", "own-key", "part-of-key", "key")
    ]
    what = ladder.plan([card], [control], wanted, epsilons=(0.3,), samples=6)
    made = pd.concat(
        examples.evaluate(
            {each.attack: each.options}, each.crafted_on, each.evaluated_on, start=each.start, stop=each.stop
        )
        for each in what
    )
    assert list(made.columns) == list(COLUMNS)
    cards = {each.id: each for each in (card, control)}
    lines, points = (each(made, what, cards) for each in (ladder.lines_of, ladder.points_of))
    rungs = points[points["level"] == ""].set_index("attacker")
    assert list(rungs.index) == ["noise", "own-key", "part-of-key", "key"]
    assert rungs.loc["key", "error"] == 1.0
    assert rungs.loc["noise", "error"] <= rungs.loc["key", "error"]
    assert rungs["advantage"].notna().all()
    highest = lines[lines["evaluated_on"] == card.title].groupby("attacker")["error"].max()
    assert (highest[rungs.index] == rungs["error"]).all()
    shown = ladder.report(points)
    assert set(shown["evaluated on"]) == {card.title}
    for name in ("attacked error %", "control %", "key advantage %"):
        assert shown[name].str.contains(" to ").all()
    alone = ladder.points(made, (), Group(ladder.CONTROL, (control.id,), control.network), (0.3,))
    assert set(alone["evaluated_on"]) == {ladder.CONTROL}
    assert (ladder.report(alone)["control %"] == "-").all()


def test_measured_ladders_are_in_the_order_of_the_sets(tmp_path):
    for name in ("fashion-mnist-table1-keyed", "other", "mnist-table2-keyed", "mnist-table1-keyed", "other.attacks"):
        (tmp_path / f"{name}.csv").touch()
    assert list(ladder.measured(tmp_path)) == [
        *("mnist-table1-keyed", "mnist-table2-keyed", "fashion-mnist-table1-keyed", "other")
    ]
    assert ladder.measured(tmp_path / "none") == {}


def test_a_run_of_attacks_for_the_smallest_change_alone_is_read_at_the_budgets_of_the_set():
    card = zoo.card(KEYED)
    what = ladder.plan([card], [], [ladder.Rung("labels", ladder.asking("rays", (10,)))], epsilons=(0.3,), samples=2)
    made = rows(KEYED, KEYED, [1, 1], attack="rays", linf=[0.15, 0.25], max_queries=10)
    found = ladder.lines_of(made, what, {KEYED: card})
    assert dict(zip(found["epsilon"], found["error"], strict=True)) == {0.1: 0.0, 0.2: 0.5, 0.3: 1.0}
