"""The address of the Play page: it brings everything back, and nothing in it can break the page."""

import pytest

from kerckhoffs import zoo
from kerckhoffs.attackers import ALIASES, ATTACKERS
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.keys import Key
from kerckhoffs.ui import controls, link
from tests.foreign import active, read
from tests.pages import address, opened, run_and_wait, started, switch, verdicts, words
from tests.ui.play.ladder import climb

EXPERIMENT = {
    "set": "fashion-mnist",
    "network": "table2",
    "image": "sample",
    "sample": "23",
    "dial": "part-of-key",
    "by_share": "0.9",
    "by_places": "first-rows",
    "by_draws": "2",
    "attack": "pgd",
    "epsilon": "0.07",
    "step_size": "0.02",
    "iterations": "7",
    "loss": "ce",
    "random_start": "true",
    "restarts": "2",
    "arithmetic": "float32",
    "target": "3",
    "seed": "5",
}


pytestmark = pytest.mark.usefixtures("fresh_caches")


def test_an_address_brings_the_whole_experiment_back():
    app = opened(**EXPERIMENT)
    assert address(app) == EXPERIMENT
    assert not app.warning
    run_and_wait(app)
    assert len(verdicts(app)) == 3


@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_an_address_from_before_there_was_a_ladder_means_the_same(old, new):
    app = opened(dial=old)
    assert address(app)["dial"] == new
    assert app.selectbox(key="knowledge").value == new
    assert "refused" not in words(app.warning)


def test_an_address_from_before_the_arithmetic_could_be_chosen_means_the_exact_one():
    old = {name: value for name, value in EXPERIMENT.items() if name != "arithmetic"}
    app = opened(**old)
    assert address(app) == old | {"arithmetic": "exact"}
    assert not app.warning


def test_the_arithmetic_is_offered_where_it_counts():
    app = opened(attack="pgd")
    box = app.selectbox(key="pgd_arithmetic")
    assert (box.label, box.options, box.value) == ("arithmetic", ["exact", "float32"], "exact")
    assert "float32 rounds it as other libraries do" in box.help
    app.selectbox(key="pgd_loss").set_value("margin").run()
    assert not app.exception
    assert "pgd_arithmetic" not in {each.key for each in app.selectbox}
    assert "arithmetic" not in address(app)
    assert opened(attack="fgsm", arithmetic="float64").warning


def test_a_value_between_two_steps_of_its_slider_is_shown_as_it_is():
    slider = opened(epsilon="0.195").slider(key="fgsm_epsilon")
    assert slider.value == 0.195
    assert slider.proto.format % slider.value == "0.195"


def test_the_address_follows_what_is_chosen():
    app = opened()
    app.slider(key="fgsm_epsilon").set_value(0.2).run()
    app.segmented_control(key="network").set_value("table2").run()
    app.button(key="mnist_thumb_2").click().run()
    assert address(app)["epsilon"] == "0.2"
    assert address(app)["network"] == "table2"
    assert address(app)["sample"] == str(app.session_state["mnist_sample"])


def test_an_option_of_one_attack_is_not_taken_for_another_ones():
    app = opened(attack="fgsm", epsilon="0.4")
    app.selectbox(key="attack").select_index(
        list(app.selectbox(key="attack").options).index(
            next(each for each in app.selectbox(key="attack").options if each.startswith("BIM"))
        )
    ).run()
    assert app.slider(key="bim_epsilon").value == 0.15


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("set", "imagenet"),
        ("network", "table9"),
        ("image", "<script>"),
        ("sample", "1000"),
        ("sample", "-1"),
        ("sample", "1e3"),
        ("sample", "٣"),
        ("dial", "god"),
        ("attack", "../../etc/passwd"),
        ("epsilon", "nan"),
        ("epsilon", "99"),
        ("epsilon", "-0.1"),
        ("epsilon", "0,5"),
        ("target", "7"),  # the true class
        ("target", "10"),
        ("target", ""),
    ],
)
def test_a_hostile_value_is_one_sentence_and_the_default(name, value):
    app = opened(**{name: value})
    assert len(app.warning) == 1
    assert f"The address's {name} was refused" in app.warning[0].value
    assert address(app).get(name) != value
    assert address(app)["epsilon"] == "0.15"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("epsilon", "abc", "'abc' is no number"),
        ("iterations", "1.5", "'1.5' is no whole number"),
        ("random_start", "yes", "'yes' is neither true nor false"),
        ("loss", "x", "unknown loss 'x'"),
    ],
)
def test_what_is_no_value_of_an_option_is_said_in_own_words(name, value, reason):
    app = opened(attack="pgd", **{name: value})
    assert app.warning[0].value.startswith(f"The address's {name} was refused: `{reason}")


@pytest.mark.parametrize("value", ["![](//e.co/x.png)", "`![](//e.co/x.png)`", "[a](//e.co) https://e.co"])
@pytest.mark.parametrize("name", ["set", "loss", "drawing"])
def test_what_a_refused_value_quotes_is_shown_as_code_and_never_as_an_image_or_a_link(name, value):
    shown = opened(attack="pgd", **{name: value}).warning[0].value
    assert shown.startswith(f"The address's {name} was refused: `")
    assert active(shown) == []
    assert value[:20] in read(shown), "backticks too"


def test_another_page_that_reads_the_address_says_itself_what_it_refuses():
    app = started()
    app.query_params["epsilon"] = "abc"
    switch(app, "batch").run()
    assert not app.exception
    assert "The address's epsilon was refused" in words(app.warning)
    app.run()
    assert not app.warning


@pytest.mark.parametrize("name", ["drawing", "upload"])
@pytest.mark.parametrize("value", ["%%%", "A" * 4999, "🔑", "AAAA"])
def test_a_hostile_drawing_or_picture_is_one_sentence(name, value):
    app = opened(image=name, **{name: value})
    assert len(app.warning) == 1
    assert f"The address's {name} was refused" in app.warning[0].value


def test_values_that_are_too_long_or_unknown_are_left_out():
    app = opened(drawing="A" * (link.MAX_CHARACTERS + 1), theme="x", key="1,2,3", __proto__="1")
    assert not app.warning
    known = {f"{controls.BY}{option.name}" for option in ATTACKERS["twin"].options}
    known |= {"set", "network", "image", "sample", "dial", "attack", "epsilon", "arithmetic"}
    assert set(address(app)) == known


def test_a_refusal_is_said_once():
    app = opened(epsilon="99")
    assert "refused" in words(app.warning)
    app.run()
    assert "refused" not in words(app.warning)


def test_an_address_of_gradients_for_a_black_box_is_refused():
    app = opened(dial="black-box", attack="fgsm")
    assert "The address's attack was refused" in words(app.warning)
    assert address(app)["attack"] == "square"


def test_no_option_of_any_attack_has_a_name_that_the_address_uses_otherwise():
    used = {"set", "network", "image", "sample", "drawing", "upload", "dial", "attack", "target", "seed", "meant"}
    used |= {f"{controls.BY}{option.name}" for attacker in ATTACKERS.values() for option in attacker.options}
    for attack in ATTACKS.values():
        assert not used & {option.name for option in attack.options}


@pytest.mark.parametrize(("name", "value"), [("share", "2"), ("share", "nan"), ("places", "all"), ("draws", "0.5")])
def test_a_hostile_option_of_an_attacker_is_one_sentence_and_the_default(name, value):
    app = opened(dial="part-of-key", **{f"by_{name}": value})
    assert f"The address's by_{name} was refused" in words(app.warning)
    assert address(app)[f"by_{name}"] == str(
        next(o.default for o in ATTACKERS["part-of-key"].options if o.name == name)
    )


def test_an_option_of_one_attacker_is_not_taken_for_another_ones():
    app = opened(dial="own-keys", by_number="7", by_share="0.25")
    climb(app, "part-of-key")
    assert address(app)["by_share"] == "0.5"
    assert "by_number" not in address(app)
    assert address(climb(app, "own-keys"))["by_number"] == "7"


def test_the_address_holds_no_key():
    app = opened(**EXPERIMENT)
    key = Key.load(zoo.shipped_folder() / "fashion-mnist-table2-keyed.key.json", public=True)
    text = str(address(app))
    assert key.fingerprint not in text
    assert repr(float(key.values[0]))[:10] not in text
