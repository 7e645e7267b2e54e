"""The panel of a key's tests: what ships, what is tested here, and a private key of which nothing is seen."""

import dataclasses

import pytest
from streamlit.testing.v1 import AppTest

from kerckhoffs import data, zoo
from kerckhoffs.evaluation.keytests import TESTS, Subject, examine
from kerckhoffs.keys import Key
from kerckhoffs.ui import models
from kerckhoffs.ui.keylab import quality
from kerckhoffs.ui.keylab.testing import Testing
from kerckhoffs.ui.keylab.testing import testings as all_testings
from tests.leaks import traces
from tests.pages import SECONDS, words
from tests.ui.test_own_models import OWN, own  # noqa: F401  (a fixture)

SHIPPED, OTHER = "mnist-table1-keyed", "mnist-half-keyed"

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture(autouse=True)
def few_samples(monkeypatch):
    monkeypatch.setattr(quality, "SAMPLES", (10, 20, 30))


def panel():
    from kerckhoffs.ui.keylab.quality import quality
    from kerckhoffs.ui.page import sentences

    with sentences():
        quality()


def opened(model=SHIPPED):
    app = AppTest.from_function(panel, default_timeout=SECONDS).run()
    assert not app.exception
    if app.selectbox and models.card(model).title != app.selectbox(key="keylab_model").value:
        app.selectbox(key="keylab_model").set_value(models.card(model).title).run()
        assert not app.exception
    return app


def after_test(model):
    """The panel after a test of a classifier."""
    app = opened(model)
    app.button(key="keylab_begin").click().run()
    assert not app.exception
    testing = all_testings().of(models.card(model), 20)
    assert testing.wait(SECONDS)
    app.run()
    assert not app.exception
    return app, testing


def test_what_was_measured_is_shown_at_once_with_what_it_shows():
    app = opened()
    said = words(app.markdown)
    assert "The key is worth 6,413 bits; on 55,000 training images" in said
    assert "Behind 50 wrong keys" in said
    assert "no avalanche effect" in said
    assert "Behind their own keys 4 networks err on" in said
    assert "17.4 (14.3 to 21.0) % behind a block-wise shuffle" in said
    assert "Measured before, on the first 1000 samples" in words(app.caption)


def test_the_slider_tells_the_errors_at_a_share():
    app = opened()
    assert "With 50 % of the key the clean error is" in words(app.markdown)
    app.slider(key="keylab_share").set_value(100).run()
    said = words(app.markdown)
    assert "With 100 % of the key the clean error is 1.3" in said
    assert "after an attack with it 100.0" in said


def test_a_key_is_tested_in_the_background_and_once():
    assert not opened(OTHER).dataframe, "nothing is known of it"
    app, testing = after_test(OTHER)
    assert (testing.drawn, testing.error) == (testing.total, "")
    said = words(app.markdown)
    assert "Behind their own keys 2 networks err on" in said
    assert "Tested here on 20 samples" in words(app.caption)
    assert len(app.dataframe) == 3
    assert not [each for each in app.button if each.key == "keylab_begin"]
    assert all_testings().begin(models.card(OTHER), 20) is testing


def test_what_is_done_of_a_test_is_shown_while_it_is_at_work(monkeypatch):
    card = models.card(OTHER)
    testing = Testing(card, 20)
    subject, (images, labels) = Subject.load(OTHER), data.load("mnist", indices=range(20))
    lines = list(examine(subject, images, labels, wrong=2))
    testing.total, testing.drawn = 10, 4
    monkeypatch.setattr(all_testings(), "of", lambda card, samples: testing)
    for test in dict.fromkeys(line.test for line in lines):
        testing.lines += tuple(line for line in lines if line.test == test)
        app = opened(OTHER)
        assert not app.error
        assert f"**{TESTS[test]}**" in words(app.markdown)
    assert app.button(key="keylab_stop").click().run()
    assert testing.stopped


def test_a_test_can_be_stopped_and_begun_again():
    card = models.card(OTHER)
    testing = all_testings().begin(card, 1000)
    testing.stop()
    assert testing.wait(SECONDS)
    assert not testing.whole
    again = all_testings().begin(card, 10)
    assert again is not testing
    assert again.wait(SECONDS)
    assert again.whole


def test_nothing_of_a_private_key_is_shown_but_errors(own):  # noqa: F811
    app, testing = after_test(OWN)
    assert testing.whole
    assert "This key is private" in words(app.caption)
    sent = b"\n".join(element.proto.SerializeToString() for element in app.main if element.proto is not None)
    assert traces(sent, own) == []
    assert traces(repr(testing.lines).encode(), own) == []


def test_a_private_keys_draws_are_others_each_time(own):  # noqa: F811
    def dots():
        testing = all_testings().begin(models.card(OWN), 30)
        assert testing.wait(SECONDS)
        return [line.value for line in testing.lines if line.case.startswith("wrong key ")]

    first = dots()
    assert dots() == first, "what was found is kept"
    all_testings.clear()
    assert dots() != first


def test_a_missing_key_is_one_sentence():
    card = dataclasses.replace(zoo.card(OTHER), keys=(Key.generate(784).fingerprint,), key_files=())
    zoo.save(card, zoo.load(OTHER).network, zoo.own_folder())
    app, _ = after_test(f"own/{OTHER}")
    assert "cannot read the key" in words(app.error)
    assert app.button(key="keylab_begin")


def test_a_damaged_file_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "keylab").mkdir()
    (tmp_path / "keylab" / f"{SHIPPED}.csv").write_text("nothing")
    monkeypatch.setattr(quality, "RESULTS", tmp_path)
    app = AppTest.from_function(panel, default_timeout=SECONDS).run()
    assert not app.exception
    assert "is damaged; restore it" in words(app.error)


def test_without_a_keyed_classifier_it_says_so(monkeypatch):
    monkeypatch.setattr(models, "listed", lambda: ())
    app = AppTest.from_function(panel, default_timeout=SECONDS).run()
    assert "no classifier with a key" in words(app.info)
