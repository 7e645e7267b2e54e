"""What attackers have made can be crafted on in a batch."""

import pytest
import torch

from kerckhoffs import attackers
from kerckhoffs.attackers import kept
from kerckhoffs.attackers.kept import Cost
from kerckhoffs.evaluation import runs
from kerckhoffs.ui.batch import runner
from kerckhoffs.zoo import networks
from tests.pages import address, opened, words

pytestmark = pytest.mark.usefixtures("runs_end")
KEY = "batch_crafted_mnist"
SUBSTITUTE = "substitute:queries=1000:answers=scores:start=nothing@mnist-half-keyed"


@pytest.fixture
def made(kerckhoffs_home):
    torch.manual_seed(0)
    [part] = attackers.read(SUBSTITUTE).parts
    kept.keep(part, networks.build("half", "mnist").state_dict(), Cost(5.0, 1000))


def test_what_was_made_stands_in_the_menu_under_whom_it_is_against(made):
    menu = opened("batch").multiselect(key=KEY)
    assert (
        "Table 1, half as wide, keyed, attacked by substitute:queries=1000:answers=scores:start=nothing" in menu.options
    )
    assert any("attacked by part-of-key" in each for each in menu.options), "nothing has to be made for it"
    assert not any("attacked by bypass" in each for each in menu.options)


def test_any_attacker_can_be_typed_and_is_what_is_crafted_on(made, monkeypatch):
    monkeypatch.setattr(runner.runner(), "start", lambda run, *args, **kwargs: None)
    app = opened("batch")
    app.multiselect(key=KEY).set_value([SUBSTITUTE]).run()
    assert not app.exception
    assert "trains a network on the answers" in words(app.caption)
    app.number_input(key="batch_count").set_value(3).run()
    app.button(key="batch_start_button").click().run()
    assert not app.exception
    assert {each.crafted_on for each in runs.find(address(app)["run"]).experiments} == {SUBSTITUTE}


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("nobody@mnist-half-keyed", "unknown attacker"),
        ("own-keys:number=99@mnist-half-keyed", "number must be between 2 and 8"),
        ("bypass@mnist-half-keyed", "has to be made first"),
    ],
)
def test_what_cannot_be_crafted_on_is_one_sentence(typed, sentence):
    app = opened("batch")
    app.multiselect(key=KEY).set_value([typed]).run()
    assert not app.exception
    assert sentence in words([*app.error, *app.warning, *app.info])
