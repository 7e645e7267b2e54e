from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from kerckhoffs.evaluation.advantage import advantage, error_over_keys, from_rows
from kerckhoffs.evaluation.metrics import wilson


@st.composite
def studies(draw):
    """Who is wrong on what, controls and keyed, each (K, S)."""
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=9))
    return draw(arrays(bool, shape)), draw(arrays(bool, shape))


@given(studies(), st.floats(0.01, 0.999))
def test_the_interval_holds_the_value_and_has_a_width(study, level):
    control, keyed = study
    found = advantage(control, keyed, level)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert found.value == pytest.approx(found.control_error - found.keyed_error)
    assert (found.keys, found.samples) == keyed.shape
    share, low, high = error_over_keys(keyed, level)
    assert share == pytest.approx(found.keyed_error)
    assert 0 <= low <= share <= high <= 1
    assert low < high


@given(studies())
def test_who_changes_sides_changes_the_sign(study):
    control, keyed = study
    one, other = advantage(control, keyed), advantage(keyed, control)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    _, low, high = error_over_keys(keyed)
    assert (1 - high, 1 - low) == pytest.approx(error_over_keys(~keyed)[1:])


@given(studies(), st.randoms())
def test_the_order_of_keys_and_samples_is_nothing(study, random):
    control, keyed = study
    rows, columns = (random.sample(range(number), number) for number in keyed.shape)
    mixed = [each[rows][:, columns] for each in study]
    assert astuple(advantage(*mixed)) == pytest.approx(astuple(advantage(control, keyed)))
    assert error_over_keys(mixed[1]) == pytest.approx(error_over_keys(keyed))


@given(studies())
def test_more_confidence_is_wider(study):
    narrow, wide = (advantage(*study, level) for level in (0.9, 0.99))
    assert wide.low <= narrow.low <= narrow.high <= wide.high


@given(studies(), st.integers(2, 5))
def test_copies_of_one_key_say_what_it_says(study, copies):
    one = [each[:1] for each in study]
    found, again = advantage(*one), advantage(*(each.repeat(copies, 0) for each in one))
    assert (again.value, again.low, again.high) == pytest.approx((found.value, found.low, found.high))


def test_one_key_has_the_interval_of_bonett_and_price():
    """14 samples speak for the key, 4 against it, of 100: with those added 15 and 5 of 102."""
    control, keyed = np.zeros((2, 1, 100), dtype=bool)
    control[0, :14] = keyed[0, 14:18] = True
    found = advantage(control, keyed)
    middle = 10 / 102
    half = 1.959964 * np.sqrt((20 / 102 - middle**2) / 101)  # 102 in the paper
    assert found.value == 0.1
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half))


@pytest.mark.parametrize("keys", [1, 2, 7])
def test_samples_that_all_say_the_same_leave_a_width(keys):
    all_wrong, all_right = np.ones((keys, 200), dtype=bool), np.zeros((keys, 200), dtype=bool)
    for control, keyed, value in ((all_wrong, all_right, 1), (all_wrong, all_wrong, 0), (all_right, all_wrong, -1)):
        found = advantage(control, keyed)
        assert found.value == value
        assert found.high - found.low > 0.01
    assert 0.95 < error_over_keys(all_wrong)[1] < 0.99
    assert 0.01 < error_over_keys(all_right)[2] < 0.05


def test_one_key_has_wilsons_interval_of_its_error():
    wrong = np.arange(50)[None] < 7
    assert error_over_keys(wrong) == (7 / 50, *wilson(7, 50))


def test_keys_that_differ_widen_the_interval_though_the_samples_agree():
    control = np.ones((2, 100), dtype=bool)
    alike, apart = (np.arange(100) < np.array(wrong)[:, None] for wrong in ([50, 50], [30, 70]))
    one, other = advantage(control, alike), advantage(control, apart)
    assert one.value == other.value == 0.5
    assert other.high - other.low > 3 * (one.high - one.low)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """A crossed probit model with 10 points between keys: samples alone would hold it half as often."""
    generator, held, held_error, draws = np.random.default_rng(0), 0, 0, 1000
    for _ in range(draws):
        latent = generator.normal(size=(2, 5, 150)) + generator.normal(size=150)
        wrong = latent + 0.4 * generator.normal(size=(2, 5, 1)) > 0
        found = advantage(*wrong)
        held += found.low <= 0 <= found.high
        _, low, high = error_over_keys(wrong[1])
        held_error += low <= 0.5 <= high
    assert 0.93 < held / draws < 0.98
    assert 0.93 < held_error / draws < 0.98


@pytest.mark.parametrize(
    ("control", "keyed", "level", "words"),
    [
        (np.ones((2, 3), bool), np.ones((2, 4), bool), 0.95, "same shape"),
        (np.ones((1, 0), bool), np.ones((1, 0), bool), 0.95, "neither of them 0"),
        (np.ones(3, bool), np.ones(3, bool), 0.95, r"bool \(keys, samples\)"),
        (np.ones((1, 3)), np.ones((1, 3)), 0.95, "float64"),
        (np.ones((1, 3), bool), np.ones((1, 3), bool), 1.0, "level"),
    ],
)
def test_what_is_no_study_is_refused(control, keyed, level, words):
    with pytest.raises(ValueError, match=words):
        advantage(control, keyed, level)


def rows(**after) -> pd.DataFrame:
    """Rows of evaluated models, by name the class that they read in each sample, in any order; all are zeros."""
    shared = {"dataset": "mnist", "split": "test", "attack": "square", "options": "{}", "targets": "untargeted"}
    frames = [
        pd.DataFrame(
            {"evaluated_on": name, "crafted_on": name, "index": np.arange(len(read)), "label": 0, "after": read}
        )
        for name, read in after.items()
    ]
    table = pd.concat(frames).assign(**shared, seed=0, target=pd.array([pd.NA] * sum(map(len, frames)), dtype="Int16"))
    return table.sample(frac=1, random_state=0)


def test_rows_are_matched_by_sample():
    table = rows(k1=[0, 0, 3], k2=[0, 1, 0], c1=[2, 2, 0], c2=[0, 4, 5], other=[1, 1, 1, 1])
    found = from_rows(table, ["k1", "k2"], ["c1", "c2"])
    control = np.array([[1, 1, 0], [0, 1, 1]], dtype=bool)
    keyed = np.array([[0, 0, 1], [0, 1, 0]], dtype=bool)
    assert found == advantage(control, keyed)
    assert (found.keys, found.samples) == (2, 3)
    assert found == from_rows(table.assign(crafted_on="surrogate"), ["k1", "k2"], ["c1", "c2"])


TABLE = rows(k1=[0, 0, 3], c1=[2, 2, 0], short=[0, 0])


@pytest.mark.parametrize(
    ("table", "keyed", "controls", "words"),
    [
        (TABLE, [], [], "needs its control"),
        (TABLE, ["k1", "short"], ["c1"], "there are 2 and 1"),
        (TABLE, ["k1"], ["k1"], "named twice"),
        (TABLE, ["k1"], ["c2"], "no rows are evaluated on c2"),
        (TABLE, ["k1"], ["short"], "short was not shown the samples of k1"),
        (TABLE.assign(label=(TABLE["evaluated_on"] == "c1").astype(int)), ["k1"], ["c1"], "not shown the samples"),
        (pd.concat([TABLE, TABLE]), ["k1"], ["c1"], "several examples of a sample"),
        (pd.concat([TABLE, TABLE.assign(attack="rays")]), ["k1"], ["c1"], r"share their attack.*'rays', 'square'"),
        (TABLE.assign(crafted_on="c1"), ["k1"], ["c1"], "has to see all or none"),
        (TABLE.assign(target=3), ["k1"], ["c1"], "untargeted"),
    ],
)
def test_rows_that_do_not_belong_together_are_refused(table, keyed, controls, words):
    with pytest.raises(ValueError, match=words):
        from_rows(table, keyed, controls)
