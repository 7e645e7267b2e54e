import pandas as pd
import pytest

from kerckhoffs import zoo
from kerckhoffs.evaluation import examples, ladder, runs
from kerckhoffs.ui import ladder as ladder_page
from kerckhoffs.ui.batch import runner
from tests.pages import address, opened, words

pytestmark = pytest.mark.usefixtures("runs_end")

KEYED, CONTROL = "mnist-half-keyed", "mnist-table1-classical"


@pytest.fixture(scope="module")
def made():
    """A small ladder: its rows, points and lines."""
    wanted = [
        rung for rung in ladder.rungs(shares=(0.5, 1.0)) if rung.attacker in ("noise", "own-key", "part-of-key", "key")
    ]
    what = ladder.plan([zoo.card(KEYED)], [zoo.card(CONTROL)], wanted, epsilons=(0.1, 0.3), samples=4)
    rows = pd.concat(
        examples.evaluate({each.attack: each.options}, each.crafted_on, each.evaluated_on, stop=4) for each in what
    )
    cards = {name: zoo.card(name) for name in (KEYED, CONTROL)}
    return rows, *(each(rows, what, cards) for each in (ladder.points_of, ladder.lines_of))


@pytest.fixture
def shipped(made, tmp_path, monkeypatch):
    """The same where the page looks for the shipped ones."""
    rows, points, lines = made
    folder = tmp_path / "ladder"
    folder.mkdir()
    points.to_csv(folder / f"{KEYED}.csv", index=False)
    lines.to_csv(folder / f"{KEYED}{ladder.ATTACKS}", index=False)
    rows.to_csv(folder / f"{KEYED}{ladder_page.ROWS}", index=False)
    monkeypatch.setattr(ladder_page, "SHIPPED", folder)
    return points


def test_without_a_result_the_page_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setattr(ladder_page, "SHIPPED", tmp_path / "nothing")
    app = opened("ladder")
    assert "No measured ladder is here" in words(app.info)
    assert app.button(key="ladder_start").label == "Climb"


def test_the_measured_ladder_is_shown_at_each_budget_with_what_its_rungs_show(shipped):
    app = opened("ladder")
    levels, rungs = (app.dataframe[place].value for place in (0, 1))
    expected = ladder.report(shipped[shipped["epsilon"] == 0.3])
    shown = [*rungs["attacker"], *levels["attacker"]]
    assert shown == list(expected["attacker"])
    assert "knows the key as well" in shown
    assert not rungs["key advantage %"].str.startswith("'").any(), "a negative share is no formula"
    assert "White box: the key has leaked" in words(app.markdown)
    assert "key advantage is" in words(app.markdown)
    app.segmented_control(key="shipped_epsilon").set_value(0.1).run()
    assert not app.exception
    expected = ladder.report(shipped[(shipped["epsilon"] == 0.1) & (shipped["level"] == "")])
    assert list(app.dataframe[1].value["attacked error %"]) == list(expected["attacked error %"])


def test_the_examples_of_a_point_lead_into_play(shipped):
    app = opened("ladder")
    points = app.selectbox(key="ladder_point")
    wanted = next(
        each for each in points.options if each.startswith("Gray box: a key of their own") and "FGSM, ε 0.3" in each
    )
    points.set_value(wanted).run()
    assert not app.exception
    rows = app.dataframe[2].value
    assert set(rows["crafted_on"]) == {"mnist-half-surrogate"}
    assert rows["Play"].str.contains("dial=own-key").any()


def test_a_damaged_file_is_one_sentence(shipped, tmp_path):
    (tmp_path / "ladder" / f"{KEYED}.csv").write_text("nothing")
    app = opened("ladder")
    assert "is damaged; restore it" in words([*app.error, *app.warning, *app.info])


def test_a_ladder_of_ones_own_is_climbed_in_a_run(monkeypatch):
    started = []
    monkeypatch.setattr(runner.runner(), "start", lambda run, *args, **kwargs: started.append(run))
    app = opened("ladder")
    rungs = app.multiselect(key="ladder_rungs_mnist-table1-keyed")
    assert any(each.startswith("White box") for each in rungs.options)
    assert not any("several keys" in each for each in rungs.options), "these have to be made first"
    app.number_input(key="ladder_samples").set_value(3).run()
    app.button(key="ladder_start").click().run()
    assert not app.exception
    run = runs.find(address(app)["run"])
    assert {each.stop for each in run.experiments} == {3}
    assert {each.attack for each in run.experiments} >= {"noise", "rays", "square", "pgd"}
