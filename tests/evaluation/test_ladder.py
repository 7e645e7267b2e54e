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


def test_the_rungs_stand_in_the_order_of_the_ladder_and_the_best_attack_is_marked():
    parts = [
        rows(KEYED, KEYED, [1, 1, 1, 1], epsilon=0.1),
        rows(TWIN, KEYED, [1, 0, 0, 0], attack="fgsm", epsilon=0.1),
        rows(TWIN, KEYED, [1, 1, 0, 0], epsilon=0.1),
        rows(KEYED, KEYED, [0, 0, 0, 0], attack="noise", epsilon=0.1),
    ]
    lines = read(parts)
    assert list(lines["attacker"]) == ["noise", "twin", "twin", "key"]
    assert dict(zip(lines["attack"], lines["best"], strict=True)) == {"noise": True, "fgsm": False, "pgd": True}


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
    groups = ladder.groups([card])
    lines = ladder.lines(made, groups, Group(ladder.CONTROL, (control.id,)), ladder.budgets(what))
    keyed = lines[lines["evaluated_on"] == groups[0].name]
    assert list(dict.fromkeys(keyed["attacker"])) == ["noise", "own-key", "part-of-key", "key"]
    errors = keyed[keyed["best"]].groupby("attacker")["error"].max()
    assert errors["key"] == 1.0
    assert errors["noise"] <= errors["key"]
    shown = ladder.brief(lines)
    assert list(shown["attacker"].str.split().str[0]) == ["noise", "own-key", "part-of-key", "key"]
    assert set(shown["evaluated on"]) == {groups[0].name}
    for name in ("attacked error %", "control %", "key advantage %"):
        assert shown[name].str.contains(" to ").all()
    alone = ladder.brief(lines[lines["evaluated_on"] == ladder.CONTROL])
    assert set(alone["evaluated on"]) == {ladder.CONTROL}


def test_of_a_rung_the_strongest_attack_at_each_budget_of_queries_is_shown_with_the_control_under_the_same():
    budgets = {100: ([1, 0, 0, 0], [1, 1, 0, 0]), 300: ([1, 1, 1, 0], [1, 1, 1, 1])}
    asked = [
        rows(name, name, wrong, "square", epsilon=0.1, max_queries=many)
        for many, both in budgets.items()
        for name, wrong in zip((KEYED, CONTROL), both, strict=True)
    ]
    carried = [
        rows("mnist-mlp-classical", name, wrong, attack, epsilon=0.1)
        for attack, both in {"fgsm": ([1, 1, 0, 0], [0, 0, 0, 1]), "pgd": ([1, 0, 0, 0], [1, 1, 1, 1])}.items()
        for name, wrong in zip((KEYED, CONTROL), both, strict=True)
    ]
    lines = ladder.lines(
        pd.concat([*asked, *carried]), (Group("keyed", (KEYED,), "table1"),), Group(ladder.CONTROL, (CONTROL,)), (0.1,)
    )
    shown = ladder.brief(lines)
    assert list(shown["attack"]) == ["square max_queries=100", "square max_queries=300", "fgsm"]
    assert [each.split(" ")[0] for each in shown["attacked error %"]] == ["25.0", "75.0", "50.0"]
    assert [each.split(" ")[0] for each in shown["control %"]] == ["50.0", "100.0", "25.0"]


def test_measured_ladders_are_in_the_order_of_the_sets(tmp_path):
    for name in ("fashion-mnist-table1-keyed", "other", "mnist-table2-keyed", "mnist-table1-keyed"):
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
