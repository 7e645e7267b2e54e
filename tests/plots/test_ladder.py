import numpy as np
import pandas as pd
import pytest

from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation import lessons
from kerckhoffs.evaluation.ladder import CONTROL, POINTS
from kerckhoffs.plots import ladder


def point(attacker, error, group="keyed", control=np.nan, advantage=np.nan, options="", epsilon=0.1, **others):
    values = {
        "epsilon": epsilon,
        "level": "",
        "attacker": attacker,
        "options": options,
        "queries": 0,
        "crafted_on": "model",
        "attack": "pgd",
        "attack_options": "{}",
        "evaluated_on": group,
        "keys": 1,
        "samples": 100,
        "control_attacker": attacker,
        "control_options": options,
        "control_attack": "" if np.isnan(control) else "fgsm",
        "advantage_keys": 1,
        "advantage_samples": 100,
    }
    for name, value, width in (("error", error, 0.05), ("control_error", control, 0.05), ("advantage", advantage, 0.1)):
        values |= {name: value, f"{name}_low": value - width, f"{name}_high": value + width}
    return {name: (values | others)[name] for name in POINTS}


def table(*points):
    return pd.DataFrame(points)


def test_each_rung_shows_its_error_the_controls_and_the_advantage_with_intervals_in_the_order_of_the_points():
    points = table(
        point("noise", 0.1, attack="noise"),
        point("twin", 0.4, control=0.5, advantage=0.1),
        point("twin", 0.6, control=0.5, advantage=-0.1, group="another"),
        point("twin", 0.9, level="data and design"),
        point("key", 1.0, epsilon=0.2),
    )
    drawn = ladder.figure(points, 0.1)
    errors = {trace.name: trace for trace in drawn.data if trace.xaxis == "x"}
    assert {name: list(trace.x) for name, trace in errors.items()} == {
        "keyed": [0.1, 0.4],
        "another": [0.6],
        CONTROL: [0.5],
    }
    assert errors["keyed"].error_x.array == pytest.approx([0.05, 0.05])
    assert [each[2] for each in errors[CONTROL].customdata] == [ATTACKS["fgsm"].name]
    assert [list(trace.x) for trace in drawn.data if trace.xaxis == "x2"] == [[0.1], [-0.1]]
    assert len({trace.marker.symbol for trace in errors.values()}) == 3, "not by colour alone"
    assert len(drawn.layout.yaxis.categoryarray) == 2


def test_what_an_attacker_has_more_of_is_one_mark():
    points = table(
        *(point("data", 0.1, options=f"network={each}") for each in ("linear", "mlp", "cnn")),
        *(point("scores", error, queries=many) for many, error in ((100, 0.2), (300, 0.9), (1000, 0.9))),
        point("own-key", 0.5),
        point("own-key", 0.6, options="samples=100", keys=0),
        *(point("part-of-key", each, options=f"share={each}:draws=1") for each in (0.0, 0.4, 0.7, 1.0)),
    )
    [trace] = [each for each in ladder.figure(points, 0.1).data if each.xaxis == "x"]
    assert list(trace.x) == [0.1, 0.1, 0.1, 0.9, 0.5, 0.4]
    assert trace.y[3].replace("<br>", " ") == "Black box: scores, 1000 queries"


def test_a_foreign_name_is_no_html():
    drawn = ladder.figure(table(point("twin", 0.2, group="<a href=x>")), 0.1)
    assert drawn.data[0].name == "&lt;a href=x&gt;"


@pytest.mark.parametrize(
    ("options", "queries", "words"),
    [
        ("number=4:of=logits", 0, "Gray box: several keys of their own, number 4"),
        ("number=4:of=probabilities", 0, "Gray box: several keys of their own, number 4, of probabilities"),
        ("", 300, "Gray box: several keys of their own, 300 queries"),
    ],
)
def test_a_rungs_words_say_what_tells_it_from_others(options, queries, words):
    assert ladder.rung_words("own-keys", options, queries) == words


def test_curves_run_along_what_an_attacker_has_more_of():
    points = table(
        *(point("scores", error, attack="square", queries=many) for many, error in ((1000, 0.9), (100, 0.2))),
        *(
            point("substitute", error, options=f"queries={many}:answers=scores", control=error / 2)
            for many, error in ((10, 0.1), (100, 0.3))
        ),
        point("own-key", 0.3),
        *(point("own-keys", error, options=f"number={many}:of=logits") for many, error in ((2, 0.4), (8, 0.5))),
        point("own-keys", 0.45, options="number=8:of=probabilities"),
        point("part-of-key", 0.3, options="share=0.5:places=random:draws=1"),
        point("own-keys", 1.0, level="data and design", options="number=8:of=logits"),
    )
    queries = ladder.along(points, 0.1, "queries")
    assert list(zip(queries["attacker"], queries["evaluated_on"], queries["value"], queries["error"], strict=True)) == [
        ("scores", "keyed", 100, 0.2),
        ("scores", "keyed", 1000, 0.9),
        ("substitute", CONTROL, 10, 0.05),
        ("substitute", CONTROL, 100, 0.15),
        ("substitute", "keyed", 10, 0.1),
        ("substitute", "keyed", 100, 0.3),
    ]
    number = ladder.along(points, 0.1, "number")
    assert list(zip(number["value"], number["error"], strict=True)) == [(1, 0.3), (2, 0.4), (8, 0.5)]
    assert ladder.along(points, 0.1, "share").empty, "one point is no curve"
    drawn = ladder.curve(points, 0.1, "number")
    assert list(drawn.data[0].x) == [1, 2, 8]
    assert len(ladder.curve(points, 0.1, "queries").data) == 3


def test_the_control_of_who_has_the_weights_has_no_share_of_a_key():
    shares = (point("part-of-key", each, options=f"share={each}:draws=1", control=1.0) for each in (0.0, 0.5, 1.0))
    assert set(ladder.along(table(*shares), 0.1, "share")["evaluated_on"]) == {"keyed"}


def test_every_attacker_has_its_lesson_and_its_number_is_the_measured_one():
    assert set(lessons.LESSONS) == set(ATTACKERS)
    assert all(each.endswith(".") for each in lessons.LESSONS.values())
    points = table(
        point("twin", 0.25, control=0.75, advantage=0.5), point("noise", 0.1), point("twin", 0.9, level="nothing")
    )
    said = lessons.lesson("twin", points, 0.1)
    assert "it leaves 25.0 (20.0 to 30.0) % wrong" in said
    assert "and 75.0 (70.0 to 80.0) % of the control" in said
    assert "50.0 (40.0 to 60.0) points" in said
    assert lessons.lesson("noise", points, 0.1).endswith("it leaves 10.0 (5.0 to 15.0) % wrong.")
    assert lessons.lesson("key", points, 0.1) == lessons.LESSONS["key"]
