import json

import numpy as np
import pandas as pd
import pytest

from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.evaluation import lessons
from kerckhoffs.evaluation.ladder import CONTROL, LINES
from kerckhoffs.plots import ladder


def line(
    attacker, error, group="keyed", advantage=np.nan, options="", attack="pgd", epsilon=0.1, best=True, **attack_options
):
    values = {
        "epsilon": epsilon,
        "attacker": attacker,
        "options": options,
        "crafted_on": "model",
        "attack": attack,
        "attack_options": json.dumps(attack_options),
        "evaluated_on": group,
        "keys": 1,
        "samples": 100,
        "error": error,
        "error_low": error - 0.05,
        "error_high": error + 0.05,
        "queries": 1.0,
        "advantage": advantage,
        "advantage_low": advantage - 0.1,
        "advantage_high": advantage + 0.1,
        "best": best,
    }
    return {name: values[name] for name in LINES}


def table(*lines):
    return pd.DataFrame(lines)


def test_each_rung_shows_its_best_attack_with_interval_and_advantage_in_the_order_of_the_lines():
    lines = table(
        line("noise", 0.1, attack="noise"),
        line("twin", 0.2, attack="fgsm", advantage=0.3, best=False),
        line("twin", 0.4, advantage=0.1),
        line("twin", 0.5, group="control"),
        line("key", 1.0, epsilon=0.2),
    )
    drawn = ladder.figure(lines, 0.1)
    errors = {trace.name: trace for trace in drawn.data if trace.xaxis == "x"}
    assert list(errors["keyed"].x) == [0.1, 0.4]
    assert list(errors["control"].x) == [0.5]
    assert errors["keyed"].error_x.array == pytest.approx([0.05, 0.05])
    [advantage] = [trace for trace in drawn.data if trace.xaxis == "x2"]
    assert list(advantage.x) == [0.1]
    assert errors["keyed"].marker.symbol != errors["control"].marker.symbol, "not by colour alone"
    assert len(drawn.layout.yaxis.categoryarray) == 2


def test_a_foreign_name_is_no_html():
    drawn = ladder.figure(table(line("twin", 0.2, group="<a href=x>")), 0.1)
    assert drawn.data[0].name == "&lt;a href=x&gt;"


@pytest.mark.parametrize(
    ("options", "attack_options", "words"),
    [
        ("number=4:of=logits", "{}", "Gray box: several keys of their own, number 4"),
        ("number=4:of=probabilities", "{}", "Gray box: several keys of their own, number 4, of probabilities"),
        ("", '{"max_queries": 300}', "Gray box: several keys of their own, 300 queries"),
    ],
)
def test_a_rungs_words_say_what_tells_it_from_others(options, attack_options, words):
    assert ladder.rung_words("own-keys", options, attack_options) == words


def test_curves_run_along_what_an_attacker_has_more_of():
    lines = table(
        *(line("scores", error, attack="square", max_queries=many) for many, error in ((1000, 0.9), (100, 0.2))),
        *(
            line("substitute", error, options=f"queries={many}:answers=scores")
            for many, error in ((10, 0.1), (100, 0.3))
        ),
        line("own-key", 0.3),
        *(line("own-keys", error, options=f"number={many}:of=logits") for many, error in ((2, 0.4), (8, 0.5))),
        line("part-of-key", 0.3, options="share=0.5:places=random:draws=1"),
    )
    queries = ladder.along(lines, 0.1, "queries")
    assert list(zip(queries["attacker"], queries["value"], queries["error"], strict=True)) == [
        ("scores", 100, 0.2),
        ("scores", 1000, 0.9),
        ("substitute", 10, 0.1),
        ("substitute", 100, 0.3),
    ]
    assert list(ladder.along(lines, 0.1, "number")["value"]) == [1, 2, 8]
    assert ladder.along(lines, 0.1, "share").empty, "one point is no curve"
    drawn = ladder.curve(lines, 0.1, "number")
    assert list(drawn.data[0].x) == [1, 2, 8]
    assert len(ladder.curve(lines, 0.1, "queries").data) == 2


def test_every_attacker_has_its_lesson_and_its_number_is_the_measured_one():
    assert set(lessons.LESSONS) == set(ATTACKERS)
    assert all(each.endswith(".") for each in lessons.LESSONS.values())
    lines = table(
        line("twin", 0.25, advantage=0.5), line("twin", 0.1, advantage=0.6), line("twin", 0.75, group=CONTROL)
    )
    said = lessons.lesson("twin", lines, 0.1)
    assert "it leaves 25.0 (20.0 to 30.0) % wrong" in said
    assert "and 75.0 (70.0 to 80.0) % of the control" in said
    assert "50.0 (40.0 to 60.0) points" in said
    assert lessons.lesson("key", lines, 0.1) == lessons.LESSONS["key"]
