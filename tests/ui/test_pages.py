"""The pages as Streamlit runs them, without a browser (tests/browser has one)."""

import dataclasses
import json
import re
import shutil
import threading

import pandas as pd
import pytest

from kerckhoffs import data, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.checks import FileRefused
from kerckhoffs.defences import DEFENCES
from kerckhoffs.evaluation.judge import predictions
from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.keys import Key
from kerckhoffs.ui import jobs, speed
from kerckhoffs.ui import page as frame
from kerckhoffs.ui.controls import ACCESS, STRENGTHS
from kerckhoffs.ui.jobs import Job
from kerckhoffs.ui.pages import MOVED, PAGES
from kerckhoffs.ui.play import live
from kerckhoffs.ui.play.experiment import Crafting
from tests import ROOT
from tests.pages import SECONDS, choose_attack, html, labels, opened, run_and_wait, switch, verdicts, words
from tests.ui.play.ladder import climb

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_a_page_opens_without_an_error_and_says_that_the_keys_are_public(page):
    app = opened(page)
    assert "demonstration models are **public**" in words(app.caption)
    assert len(app.title) == 1


def test_how_it_works_computes_its_figures_and_says_whose_idea_it_is():
    app = opened("how_it_works")
    assert "Taran" in words(app.caption)
    assert len(app.get("plotly_chart")) == 2
    assert "6413 bits" in words(app.markdown)
    assert "MNIST, Table 1, classical: read as" in html(app)


def test_how_it_works_answers_its_question_for_the_keyed_classifier_and_for_one_without_a_key():
    said = words(opened("how_it_works").markdown)
    images, labels = data.load("mnist", indices=range(100))
    classical, keyed, control = (
        zoo.load(f"mnist-{each}") for each in ("table1-classical", "table1-keyed", "table2-classical")
    )
    adversarial = ATTACKS["fgsm"].run(classical, images, labels, epsilon=0.3, perturb_all=True)
    ends = []
    for whose, model in (("keyed classifier misreads", keyed), ("control without any key", control)):
        wrong = int((predictions(model, adversarial) != labels).sum())
        ends.append(wilson(wrong, 100))
        low, high = (100 * end for end in ends[-1])
        assert f"{whose} **{wrong} of 100** (95 % interval {low:.0f} to {high:.0f} %" in said
    assert ("nothing here shows that the key helps" in said) == (ends[0][1] >= ends[1][0])


def test_each_error_of_a_classifier_has_its_interval():
    table = opened("defences").dataframe[0].value.set_index("Classifier")
    card = zoo.models()["mnist-table1-keyed"]
    low, high = (100 * end for end in wilson(round(5000 * card.validation_error), 5000))
    said = table.loc[card.title, "Validation error"]
    assert said == f"{100 * card.validation_error:.2f} ({low:.2f} to {high:.2f}) %"


def test_costs_times_and_keys_stand_beside_each_classifier():
    app, cards = opened("defences"), zoo.models()
    table = app.dataframe[0].value.set_index("Classifier")
    assert len(table) == len(cards)
    for card in cards.values():
        row, twin = table.loc[card.title], cards[zoo.model_id(card.dataset, card.network, "classical")]
        assert row["Clean error, %"] == 100 * card.test_error
        cost = row["Cost, points"]
        assert pd.isna(cost) if card is twin else cost == 100 * (card.test_error - twin.test_error)
        assert 0 < row["ms an image, here"] < 10_000
        assert row["Training, minutes"] == card.training["seconds"] / 60
        assert row["Networks"] == card.entry.networks
        bits = card.entry.entropy_bits(data.DATASETS[card.dataset].shape)
        assert row["Key bits"] == (f"{bits:.0f}" if card.keyed else "no key")
    assert f"lists all {len(DEFENCES)} defences that can be trained" in words(app.markdown)


def test_each_defence_that_is_here_has_its_card():
    app = opened("defences")
    said = words(app.markdown)
    here = {card.defence for card in zoo.models().values()}
    for name, defence in DEFENCES.items():
        assert (f"`{name}`" in said) == (name in here)
        assert (defence.summary in said) or name not in here
    assert app.tabs[0].label == "No defence"


def test_a_time_is_measured_once_in_a_process_and_a_classifier_that_cannot_be_loaded_has_none(monkeypatch):
    entry = zoo.card("mnist-table1-keyed")
    speed._measured.clear()
    first = speed.milliseconds(entry)
    assert speed.known(entry)
    monkeypatch.setattr(speed, "model", lambda name: pytest.fail("measured again"))
    assert speed.milliseconds(entry) == first

    def lost(name):
        raise FileRefused("its key is not here")

    monkeypatch.setattr(speed, "model", lost)
    assert speed.milliseconds(dataclasses.replace(entry, sha256="")) is None


def test_addresses_that_moved_lead_to_pages_that_are_there():
    assert set(MOVED.values()) <= {page.name for page in PAGES}
    assert not set(MOVED) & {page.name for page in PAGES}


def test_every_page_in_the_folder_is_in_the_navigation():
    files = {path.stem for path in (ROOT / "pages").glob("*.py")}
    assert files == {page.name for page in PAGES}


def test_play_opens_on_an_example_that_flips_the_classical_classifier():
    app = opened()
    assert any(
        "Fooled" in verdict and "Crafted on the classical classifier, evaluated on the classical classifier" in verdict
        for verdict in verdicts(app)
    )


def test_each_verdict_names_what_it_was_crafted_on_and_evaluated_on():
    app = opened()
    for knowledge, crafted in (("twin", "classical"), ("key", "keyed")):
        climb(app, knowledge)
        shown = verdicts(app)
        assert len(shown) == 2
        for kind in ("classical", "keyed"):
            assert any(
                f"Crafted on the {crafted} classifier, evaluated on the {kind} classifier" in verdict
                for verdict in shown
            )


def test_epsilon_0_fools_nobody_and_is_called_no_evidence():
    app = opened()
    app.slider(key="fgsm_epsilon").set_value(0.0).run()
    assert not app.error
    assert not app.success
    assert len(app.warning) == 2
    for verdict in app.warning:
        assert "No evidence" in verdict.value
        assert "still read as" in verdict.value
        assert "says nothing about the defence" in verdict.value


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("network", ["table1", "table2"])
def test_every_pair_of_models_can_be_played(dataset, network):
    app = opened()
    app.segmented_control(key="dataset").set_value(dataset).run()
    app.segmented_control(key="network").set_value(network).run()
    assert not app.exception
    assert len(verdicts(app)) == 2


def test_the_target_menu_leaves_out_the_true_class_and_a_target_is_judged():
    app = opened()
    menu = next(box for box in app.selectbox if box.label == "Target")
    assert len(menu.options) == 1 + 9
    menu.select_index(1).run()
    assert not app.exception
    assert len(verdicts(app)) == 2


def test_a_thumbnail_chooses_its_sample_and_the_arrows_turn_the_strip():
    app = opened()
    before = app.session_state["mnist_sample"]
    app.button(key="mnist_next").click().run()
    label = app.button(key="mnist_thumb_0").label
    app.button(key="mnist_thumb_0").click().run()
    assert not app.exception
    assert app.session_state["mnist_sample"] != before
    assert label.startswith(f"Sample {app.session_state['mnist_sample']},")
    strip = [button.label for button in app.button if button.key and button.key.startswith("mnist_thumb_")]
    assert [each.endswith(", chosen") for each in strip] == [True] + [False] * (len(strip) - 1)


def test_choosing_a_class_shows_a_sample_of_it():
    app = opened()
    app.segmented_control(key="mnist_class").set_value(3).run()
    assert not app.exception
    _, labels = data.load("mnist")
    assert labels[app.session_state["mnist_sample"]] == 3


def test_what_was_chosen_is_still_there_after_a_visit_to_another_page():
    app = opened()
    app.segmented_control(key="dataset").set_value("fashion-mnist").run()
    app.slider(key="fgsm_epsilon").set_value(0.07).run()
    app.segmented_control(key="fashion-mnist_class").set_value(3).run()
    app.button(key="fashion-mnist_thumb_2").click().run()
    chosen = app.session_state["fashion-mnist_sample"]
    switch(app, "defences").run()
    switch(app, "play").run()
    assert not app.exception
    assert app.segmented_control(key="dataset").value == "fashion-mnist"
    assert app.segmented_control(key="fashion-mnist_class").value == 3
    assert app.slider(key="fgsm_epsilon").value == 0.07
    assert app.session_state["fashion-mnist_sample"] == chosen


def test_cw_waits_for_its_button_runs_in_a_worker_and_is_judged():
    app = opened()
    choose_attack(app, "cw_l2")
    assert "has not run" in words(app.caption)
    assert not verdicts(app)
    assert html(app).count("Clean image, read as <b>7 (") == 2
    assert "l∞ 0.000 (0 of 255 grey levels) · l2 0.00 · l0 0 of 784 pixels" in html(app)
    app.number_input(key="cw_l2_iterations").set_value(60).run()
    run_and_wait(app)
    assert "Finished" in words(app.caption)
    assert any("Fooled" in v and "evaluated on the classical classifier" in v for v in verdicts(app))


def test_an_attack_that_ends_before_its_first_picture_is_drawn_is_finished_on_the_whole_page(monkeypatch):
    monkeypatch.setattr(Job, "wait_for_step", lambda job, seconds: job.wait_for_end(SECONDS))
    app = opened()
    choose_attack(app, "pgd")
    app.number_input(key="pgd_iterations").set_value(3).run()
    next(button for button in app.button if button.label.startswith("Run")).click().run()
    assert len(verdicts(app)) == 2
    assert "Finished" in words(app.caption)
    assert "Run PGD" in labels(app.button)
    assert "When the attack has run" not in words(app.caption)


def test_an_attack_that_breaks_off_is_a_sentence_and_can_be_run_again(monkeypatch):
    class Broken(Crafting):
        def __call__(self, on_step):
            raise ValueError("the model fell asleep")

    monkeypatch.setattr(live, "craft", Broken)
    app = opened()
    choose_attack(app, "pgd")
    next(button for button in app.button if button.label.startswith("Run")).click().run()
    app.session_state["job"].wait_for_end(SECONDS)
    app.run()
    assert "the model fell asleep" in words(app.error)
    assert "Broke off" in words(app.caption)
    assert "Run PGD" in labels(app.button)


def test_an_attack_that_nobody_watched_is_called_stopped(monkeypatch):
    left = threading.Event()
    on_step = Job.on_step
    monkeypatch.setattr(Job, "on_step", lambda job, step: left.wait(SECONDS) and on_step(job, step))
    app = opened()
    choose_attack(app, "pgd")
    next(button for button in app.button if button.label.startswith("Run")).click().run()
    switch(app, "defences").run()
    monkeypatch.setattr(jobs, "ORPHANED_SECONDS", -1.0)  # long ago
    left.set()
    app.session_state["job"].wait_for_end(SECONDS)
    switch(app, "play").run()
    assert not app.exception
    assert "as nobody had watched it" in words(app.caption)
    assert "Finished" not in words(app.caption)


def test_an_attack_for_which_there_is_no_room_leaves_its_button(monkeypatch):
    monkeypatch.setattr(jobs, "WAITING", 0)
    app = opened()
    choose_attack(app, "pgd")
    next(button for button in app.button if button.label.startswith("Run")).click().run()
    assert "try again in a moment" in words(app.error)
    assert "Run PGD" in labels(app.button)


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_is_on_the_menu_with_its_options(attack):
    app = opened()
    choose_attack(app, attack)
    entry = ATTACKS[attack]
    shown = labels([*app.slider, *app.number_input, *app.toggle, *app.selectbox])
    expected = {each.name.replace("_", " ") for each in entry.options if each.when is None} - {"perturb all"}
    assert expected <= shown
    assert ("Target" in shown) == entry.targeted
    assert bool(verdicts(app)) == (entry.cost == 1), "what is slow waits for its button"


def test_the_menu_goes_from_gradients_to_nothing_and_from_one_step_to_many():
    app = opened()
    options = app.selectbox(key="attack").options
    groups = [option.split(" · ")[-1].removeprefix("reads ").split(", ") for option in options]
    assert len(groups) == len(ATTACKS)
    assert groups == sorted(groups, key=lambda group: (ACCESS.index(group[0]), STRENGTHS.index(group[1])))


def test_an_option_is_shown_where_it_counts():
    app = opened()
    choose_attack(app, "pgd")
    assert "restarts" in labels(app.number_input)
    app.toggle(key="pgd_random_start").set_value(False).run()
    assert "restarts" not in labels(app.number_input)
    app.number_input(key="pgd_iterations").set_value(3).run()
    run_and_wait(app)
    assert len(verdicts(app)) == 2


def test_a_universal_perturbation_is_fitted_on_other_samples():
    app = opened()
    choose_attack(app, "universal")
    assert "never on the one that is shown" in words(app.caption)
    app.number_input(key="universal_passes").set_value(1).run()
    app.number_input(key="universal_max_iterations").set_value(1).run()
    run_and_wait(app)
    assert len(verdicts(app)) == 2


def test_a_result_of_other_settings_is_never_shown():
    app = opened()
    choose_attack(app, "cw_l2")
    app.number_input(key="cw_l2_iterations").set_value(5).run()
    next(button for button in app.button if button.label.startswith("Run")).click().run()
    job = app.session_state["job"]
    job._future.result(timeout=SECONDS)
    app.button(key="mnist_thumb_3").click().run()
    assert "has not run" in words(app.caption)
    assert not verdicts(app)
    assert html(app).count("Clean image, read as <b>7 (") == 2
    assert "l∞ 0.000 (0 of 255 grey levels) · l2 0.00 · l0 0 of 784 pixels" in html(app)


@pytest.fixture
def broken_models(tmp_path, monkeypatch):
    """A copy of the shipped models that a test may break."""
    folder = tmp_path / "models"
    shutil.copytree(zoo.shipped_folder(), folder)
    monkeypatch.setenv("KERCKHOFFS_MODELS", str(folder))
    return folder


def remove_manifest(folder):
    (folder / "manifest.json").unlink()
    return "manifest.json is missing"


def remove_weights(folder):
    (folder / "mnist-table1-classical.safetensors").unlink()
    return "cannot read the weights"


def tamper_with_weights(folder):
    path = folder / "mnist-table1-classical.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    return "were changed"


def exchange_the_key(folder):
    shutil.copy(folder / "mnist-table2-keyed.key.json", folder / "mnist-table1-keyed.key.json")
    return "is not the key of mnist-table1-keyed"


def truncate_the_key(folder):
    (folder / "mnist-table1-keyed.key.json").write_text('{"format": ')
    return "is not a key file"


def forget_a_model(folder):
    path = folder / "manifest.json"
    record = json.loads(path.read_text())
    record["models"] = [card for card in record["models"] if card["id"] != "mnist-table1-keyed"]
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    "breakage",
    [remove_manifest, remove_weights, tamper_with_weights, exchange_the_key, truncate_the_key],
)
def test_a_broken_model_is_one_sentence_on_the_page_and_no_traceback(broken_models, breakage):
    expected = breakage(broken_models)
    app = opened()
    assert len(app.error) == 1
    assert expected in app.error[0].value
    assert "\n" not in app.error[0].value
    assert not app.success


def test_a_model_that_is_not_there_is_not_offered_and_its_address_is_refused(broken_models):
    forget_a_model(broken_models)
    app = opened(right="mnist-table1-keyed")
    assert not app.error or "Fooled" in app.error[0].value
    assert any("'mnist-table1-keyed' is none of" in warning.value for warning in app.warning)
    assert "keyed" not in app.selectbox(key="right_mnist_table1").options


def test_no_key_is_on_the_page():
    app = opened()
    key = Key.load(zoo.shipped_folder() / "mnist-table1-keyed.key.json", public=True)
    page = str(app.main) + str(app.sidebar) + str(app.session_state._state.filtered_state)
    assert repr(float(key.values[0]))[:12] not in page
    assert str(key.permutation()[:6].tolist())[1:-1] not in page


def test_a_page_gives_its_turn_back_and_goes_without_one_when_others_keep_theirs(monkeypatch):
    turns = threading.BoundedSemaphore(1)
    monkeypatch.setattr(frame, "AT_ONCE", turns)
    monkeypatch.setattr(frame, "PATIENCE", 0.01)
    with pytest.raises(RuntimeError), frame.page("Broken", "A page"):
        raise RuntimeError("a page that breaks")
    assert turns.acquire(blocking=False)  # as another page, which is slow
    with frame.page("Patient", "A page"):
        assert not turns.acquire(blocking=False)
    assert not turns.acquire(blocking=False)  # what it did not have it did not give back


def test_after_a_reload_the_page_finds_the_attack_that_was_running(fresh_caches, monkeypatch):
    monkeypatch.setattr(jobs, "UNWATCHED_SECONDS", -1.0)
    chosen = dict(attack="pgd", iterations="3", epsilon="0.2")
    app = opened(**chosen)
    run_and_wait(app)
    again = opened(**chosen)
    assert again.session_state["job"] is app.session_state["job"]
    assert verdicts(again) == verdicts(app)
    assert "has not run" not in words(again.caption)
    assert "has not run" in words(opened(**(chosen | {"epsilon": "0.1"})).caption)


def test_a_black_box_attack_says_how_many_queries_it_spent(fresh_caches):
    app = opened(dial="scores", attack="square", max_queries="30", epsilon="0.05")
    run_and_wait(app)
    [said] = re.findall(r"Asked of the attacked model: (\d+) queries", html(app))
    assert 1 < int(said) <= 30


def test_sizes_are_also_said_in_grey_levels(fresh_caches):
    app = opened(epsilon="0.2")
    assert "ε is 51 of 255 grey levels" in words(app.caption)
    assert "l∞ 0.200 (51 of 255 grey levels)" in html(app)
    assert "Asked of the attacked model: 1 gradient" in html(app)
