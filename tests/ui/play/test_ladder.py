"""The ladder on the Play page: its rungs, what each costs, and what is made first, seen by every session."""

import re
from xml.etree import ElementTree

import pytest

from kerckhoffs import attackers, zoo
from kerckhoffs.attackers import ATTACKERS, Cost, crafted_on, kept, offered
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.plots import charts
from kerckhoffs.ui import models
from kerckhoffs.ui.making import makings
from kerckhoffs.ui.parts import scheme
from kerckhoffs.ui.play.experiment import compare, craft
from kerckhoffs.ui.play.price import price, span
from kerckhoffs.ui.play.script import script
from tests.pages import address, html, labels, opened, run_and_wait, verdicts, words
from tests.ui.play.ladder import climb
from tests.ui.play.test_words import CLASSICAL, KEYED, experiment
from tests.ui.test_making import LIMIT, Stub

SURROGATE = "mnist-table1-surrogate"
SEVERAL = {"dial": "own-keys", "by_number": "2", "by_of": "logits"}
MADE = "own-keys:number=2:of=logits@mnist-table1-keyed"

pytestmark = pytest.mark.usefixtures("fresh_caches")


def keep(model_id=MADE, cost=Cost(75.0, 0)):  # noqa: B008
    """Put what the surrogate learned in the place of what an attacker would make."""
    weights = zoo.load(SURROGATE).network.state_dict()
    for part in attackers.read(model_id).parts:
        kept.keep(part, weights, cost)


class Keeping(Stub):
    """A making that keeps something in the end."""

    def __call__(self, model_id, folder=None, on_progress=None):
        made = super().__call__(model_id, folder, on_progress)
        if made:
            keep(model_id)
        return made


@pytest.fixture
def make(monkeypatch):
    stub = Keeping()
    monkeypatch.setattr(attackers, "make", stub)
    yield stub
    stub.release.set()
    if making := makings().of(MADE):
        assert making.wait(LIMIT), "nothing is kept in the next test's home"


def button(app, label):
    return next(each for each in app.button if each.label == label)


def said(app):
    """The words over the bars."""
    return [each.proto.text for each in app.get("progress")]


def test_every_rung_that_there_can_be_is_offered_in_order_with_what_is_known():
    entry = zoo.card(KEYED)
    rungs = offered(entry, zoo.models())
    app = opened()
    assert [each.partition(" · ")[2] for each in app.selectbox(key="knowledge").options] == [
        ATTACKERS[name].name for name in rungs
    ]
    for number, name in enumerate(rungs, 1):
        climb(app, name)
        assert f"Rung {number} of {len(rungs)}. {ATTACKERS[name].summary}" in words(app.caption)
        assert address(app)["dial"] == name
        assert app.button(key="knowledge_down").disabled == (number == 1)
        assert app.button(key="knowledge_up").disabled == (number == len(rungs))


def test_a_step_goes_one_rung_up_or_down():
    app = opened(dial="labels")
    app.button(key="knowledge_up").click().run()
    assert app.selectbox(key="knowledge").value == "scores"
    app.button(key="knowledge_down").click().run()
    app.button(key="knowledge_down").click().run()
    assert address(app)["dial"] == "noise"


@pytest.mark.parametrize(("dial", "attack"), [("noise", "noise"), ("labels", "rays"), ("scores", "square")])
def test_an_attacker_has_the_attacks_that_read_no_more_than_they_have(dial, attack):
    app = opened(dial=dial)
    assert address(app)["attack"] == attack
    menu = next(each for each in app.selectbox if each.label == "Attack")
    reads = {
        ATTACKS[name].access for name in ATTACKS if any(ATTACKS[name].name == o.split(" · ")[0] for o in menu.options)
    }
    assert reads <= {"nothing", *ATTACKERS[dial].reads}
    assert (len(menu.options) == 1) == (dial == "noise")


def test_noise_is_never_said_to_be_crafted_on_a_model():
    app = opened(dial="noise")
    assert len(verdicts(app)) == 2
    assert all("Noise, crafted on nothing, evaluated on the" in each for each in verdicts(app))
    assert "Crafted on" not in words([*app.markdown, *app.caption])
    assert "Asked of the attacked model" not in html(app)
    assert "what was crafted on nothing and is evaluated on both" in words(app.caption)


DRAWN = {
    "noise": ("+ noise", "crafted on nothing"),
    "labels": ("class only", "crafted by asking"),
    "scores": ("scores", "crafted by asking"),
    "data": ("own network", "no key"),
    "twin": ("no key",),
    "twin-alike": ("no key, same training",),
    "own-key": ("P( · , k′)", "made-up key k′"),
    "own-key-alike": ("P( · , k′)", "same training"),
    "own-keys": ("4 networks", "4 made-up keys k′"),
    "substitute": ("own network", "learned from its answers"),
    "bypass": ("A", "a learned map A", "the same weights"),
    "recovery": ("P( · , k̂)", "a guessed key k̂", "the same weights"),
    "part-of-key": ("P( · , k̃)", "50 % of k, rest drawn", "the same weights"),
    "key": ("crafted on this one, key and all",),
}


@pytest.mark.parametrize("name", ATTACKERS)
def test_the_scheme_draws_what_each_attacker_has_and_says_it(name):
    root = ElementTree.fromstring(scheme.svg(ATTACKERS[name], zoo.card(KEYED)))
    drawn = [element.text for element in root.iter("text")]
    for part in DRAWN[name]:
        assert any(part in text for text in drawn), (part, drawn)
    [described] = [element.text for element in root.iter("desc")]
    assert ATTACKERS[name].summary in described
    assert re.search("[Cc]rafted", described)
    hatched = [element for element in root.iter("rect") if "hidden" in element.get("class")]
    assert all("used" not in element.get("class") for element in hatched), "nobody crafts on what is hidden"
    for element in root.iter("text"):
        assert 0 < float(element.get("y")) < float(root.get("viewBox").split()[3])


def test_the_scheme_follows_the_attackers_options():
    def drawn(name, **given):
        return scheme.svg(ATTACKERS[name], zoo.card(KEYED), given)

    assert "7 made-up keys" in drawn("own-keys", number=7)
    assert "25 % of k" in drawn("part-of-key", share=0.25)
    assert "made-up key" in drawn("substitute", start="surrogate")
    assert "made-up key" not in drawn("substitute", start="nothing")


def test_what_it_has_cost_is_said():
    entry = models.card(KEYED)
    assert price("noise", entry, ()) == "It costs nothing."
    assert "queries alone" in price("scores", entry, ())
    assert price("key", entry, ()) == price("part-of-key", entry, ()) == "It costs no training and no query."
    seconds = zoo.card(CLASSICAL).training["seconds"]
    assert price("twin", entry, ()) == f"Cost so far: {span(seconds)} of training."
    several = (("number", 2), ("of", "logits"))
    assert "has to be made first" in price("own-keys", entry, several)
    keep()
    first = zoo.card(SURROGATE).training["seconds"]
    assert price("own-keys", entry, several) == f"Cost so far: {span(75 + first)} of training."
    asked = crafted_on("substitute", entry)
    keep(asked, Cost(130.0, 1000))
    assert price("substitute", entry, ()) == "Cost so far: 2 min 10 s of training and 1000 queries."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "less than a second"), (59.4, "59 s"), (130, "2 min 10 s"), (3599, "59 min 59 s"), (3660, "1 h 1 min")],
)
def test_a_length_of_time_is_said_for_people(seconds, text):
    assert span(seconds) == text


def test_while_the_model_has_to_be_made_nothing_is_said_of_an_example(make):
    app = opened(**SEVERAL)
    assert "has to be made first:** the mean of 2 networks" in words(app.markdown)
    assert "for each surrogate a minute on a fast machine, some minutes on others" in words(app.caption)
    assert {"Make it"} <= labels(app.button)
    assert not verdicts(app)
    assert html(app).count("Clean image, read as <b>7 (") == 2
    assert "When the attacker's model is made" in words(app.caption)
    assert "Crafted on" not in words(app.markdown)
    assert not app.get("download_button")
    assert make.begun == []


def test_it_is_made_in_the_background_and_every_session_sees_it(make):
    app = opened(**SEVERAL)
    button(app, "Make it").click().run()
    assert make.at_work.acquire(timeout=LIMIT)
    assert not app.exception
    assert "Stop" in labels(app.button)
    assert "Make it" not in labels(app.button)
    making = makings().of(MADE)
    while making.progress is None:
        assert not making.wait(0.001)
    for session in (app.run(), opened(**SEVERAL)):  # a page that was loaded anew is another session
        [text] = said(session)
        assert "Part 1 of 2: epoch 1, 4.2 % wrong, 1 min 5 s so far, 1000 queries" in text
        assert "closing the tab does not stop it" in words(session.caption)
    app.slider(key="fgsm_epsilon").set_value(0.3).run()  # the page works meanwhile
    assert address(app)["epsilon"] == "0.3"
    make.release.set()
    assert making.wait(LIMIT)
    app.run()
    assert not app.exception
    assert len(verdicts(app)) == 3
    name = "attacker's model (several keys of their own)"
    assert all(f"Crafted on the {name}, evaluated on the" in each for each in verdicts(app))
    assert "has to be made first" not in words([*app.markdown, *app.caption])
    assert make.begun == [MADE]


def test_it_is_stopped_and_taken_up_again(make):
    app = opened(**SEVERAL)
    button(app, "Make it").click().run()
    assert make.at_work.acquire(timeout=LIMIT)
    button(app, "Stop").click().run()
    assert makings().of(MADE).wait(LIMIT)
    app.run()
    assert "goes on where it was" in words(app.caption)
    assert not app.error
    button(app, "Go on").click().run()
    assert make.at_work.acquire(timeout=LIMIT)
    assert make.begun == [MADE, MADE]


def test_what_it_refuses_is_one_sentence_and_it_can_be_tried_again(monkeypatch):
    def offline(model_id, folder=None, on_progress=None):
        raise ValueError("the training set of MNIST is not here; ![](//e.co/x.png)")

    monkeypatch.setattr(attackers, "make", offline)
    app = opened(**SEVERAL)
    button(app, "Make it").click().run()
    assert makings().of(MADE).wait(LIMIT)
    app.run()
    [error] = app.error
    assert error.value.startswith("the training set of MNIST is not here; `![](//e.co/x.png)`")
    assert "Make it" in labels(app.button)
    assert not [*app.success, *app.warning]


def test_what_was_made_is_attacked_drawn_and_taken_away():
    keep()
    made = experiment(knowledge="own-keys", given=(("number", 2), ("of", "logits")))
    assert made.crafted_on == MADE
    assert made.ready
    example = craft(made)(None)
    readings = compare(made, example)
    assert set(readings) == {CLASSICAL, KEYED, MADE}
    values = {}
    exec(compile(script(made), "experiment.py", "exec"), values)
    assert values["adversarial"].equal(example)
    card = models.card(MADE)
    assert card.sha256 == attackers.card(MADE).sha256
    assert models.model(MADE) is models.model(MADE), "loaded once"


def test_what_was_made_says_whose_it_is_and_no_errors_of_others():
    keep()
    said_of_it = words([*(app := opened(**SEVERAL)).markdown, *app.caption])
    assert ATTACKERS["own-keys"].summary in said_of_it
    assert "on 1 test samples" not in said_of_it


@pytest.mark.parametrize(("dial", "attack", "options"), [
    ("scores", "square", {"max_queries": "60", "epsilon": "0.05"}),
    ("labels", "rays", {"max_queries": "120"}),
])  # fmt: skip
def test_a_black_box_attack_shows_its_queries_and_what_they_brought(dial, attack, options):
    app = opened(dial=dial, attack=attack, **options)
    run_and_wait(app)
    assert re.search(r"Asked of the attacked model: \d+ queries, \d+ of them bad", html(app))
    assert "after so many queries" in words(app.caption)
    gradients = opened(dial="twin", attack="pgd", iterations="3")
    run_and_wait(gradients)
    assert "after so many queries" not in words(gradients.caption)


def test_the_curve_of_queries_has_gaps_while_there_is_no_example():
    figure = charts.query_curve([1, 10, 100], [None, 0.5, 0.25], "l2 distance")
    [line] = figure.data
    assert list(line.x) == [1, 10, 100]
    assert list(line.y) == [None, 0.5, 0.25]
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.yaxis.title.text == "l2 distance"
