"""How good a key is, on networks that were made by hand and on the smallest shipped ones."""

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kerckhoffs import data, transforms, zoo
from kerckhoffs.evaluation import ladder
from kerckhoffs.evaluation.keytests import (
    Subject,
    absorbed,
    effective,
    errors,
    examine,
    fellows,
    guess,
    guesses,
    price,
    report,
    twin_of,
    work,
)
from kerckhoffs.evaluation.keytests import entropy as worth
from kerckhoffs.evaluation.keytests.subjects import transform_of
from kerckhoffs.evaluation.summaries import percent
from kerckhoffs.keys import Key
from kerckhoffs.transforms import TRANSFORMS
from kerckhoffs.transforms.base import log2_orders
from tests import ROOT

KEYED, SURROGATE, CLASSICAL = "mnist-half-keyed", "mnist-half-surrogate", "mnist-half-classical"


@pytest.fixture(scope="module")
def subject():
    return Subject.load(KEYED)


@pytest.fixture(scope="module")
def samples():
    return data.load("mnist", indices=range(40))


# What a key is worth


@st.composite
def columns(draw):
    """Images of a few places that are alike more often than not, (M, P)."""
    places, images = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    values = draw(st.lists(st.integers(0, 1), min_size=places * images, max_size=places * images))
    return torch.tensor(values, dtype=torch.float32).view(images, places)


@given(columns())
def test_orders_that_can_be_told_apart_are_those_that_make_different_images(drawn):
    places = drawn.shape[1]
    seen = {tuple(drawn[:, list(order)].flatten().tolist()) for order in itertools.permutations(range(places))}
    assert worth.orders(drawn) == pytest.approx(math.log2(len(seen)), abs=1e-9)


def different(name, shape, images, made):
    """How many of the keys, by what they make of the images, can be told apart; and their Shannon entropy."""
    counted: dict[bytes, int] = {}
    for key in made:
        seen = transforms.make(name, key, shape)(images)
        counted[seen.numpy().round(4).tobytes()] = counted.get(seen.numpy().round(4).tobytes(), 0) + 1
    shares = np.array(list(counted.values())) / sum(counted.values())
    return len(counted), float(-(shares * np.log2(shares)).sum())


def every_order(length):
    return [Key(np.array(order, dtype=np.float64)) for order in itertools.permutations(range(length))]


@pytest.mark.parametrize("name", ["permutation", "permutation-pixels", "shuffle-2", "negation-2"])
@pytest.mark.parametrize(
    "values",
    [
        [0, 0, 0, 0],
        [0, 0, 1, 0.25],
        [0.5, 0.5, 1, 0.25],
        [0.5, 0.5, 0.5, 0],
        [0.1, 0.2, 0.3, 0.4],
    ],
)
def test_the_effective_entropy_is_that_of_all_keys_counted(name, values):
    image = torch.tensor(values, dtype=torch.float32).view(1, 1, 2, 2)
    found = effective(name, image)
    assert found is not None
    _, entropy = different(name, (1, 2, 2), image, every_order(4))
    assert found.bits == pytest.approx(entropy, abs=1e-6)
    assert found.black == values.count(0)


def test_block_wise_places_are_alike_only_if_they_are_so_in_all_blocks():
    image = torch.tensor([[0, 0, 1, 0], [0, 0, 0, 0]], dtype=torch.float32).view(1, 1, 2, 4)
    found = effective("shuffle-2", image)
    assert found is not None
    assert found.bits == pytest.approx(math.log2(4))  # one place of a block is bright in the second block


def test_each_channel_counts_alone_or_all_together():
    image = torch.zeros(1, 3, 2, 2)
    image[0, 0, 0, 0] = 1
    bits = {name: effective(name, image) for name in ("permutation", "permutation-pixels", "permutation-channels")}
    assert {name: found.bits for name, found in bits.items() if found} == pytest.approx(
        {"permutation": math.log2(12), "permutation-pixels": 2, "permutation-channels": 2}
    )


def test_the_sign_of_a_coefficient_that_is_always_zero_is_worth_nothing():
    flat = torch.full((1, 1, 4, 4), 0.5)  # all but the mean is 0
    assert worth.effective("dct-high", flat).bits == 0
    ramp = flat + torch.linspace(-0.3, 0.4, 4)  # rows alike: horizontal frequencies alone
    vertical, horizontal = (worth.effective(f"dct-{band}", ramp).bits for band in ("vertical", "horizontal"))
    assert vertical == 0
    assert 0 < horizontal <= TRANSFORMS["dct-horizontal"].entropy_bits((1, 4, 4))


@pytest.mark.parametrize("name", ["levels-2", "projection"])
def test_what_is_not_computed_is_none(name):
    assert effective(name, torch.zeros(1, 1, 4, 4)) is None


def test_a_derived_key_is_worth_no_more_than_its_secret(samples):
    key = Key.derive(bytes(16), 784, "tests")
    assert effective("permutation", samples[0], key).bits == 128
    assert effective("permutation", samples[0]).bits > 3000
    assert effective("permutation", torch.zeros(1, 1, 28, 28), key).bits == pytest.approx(0, abs=1e-6)


def test_one_value_in_all_images_hides_everything_and_different_ones_nothing():
    ramp = torch.arange(16).view(1, 1, 4, 4) / 16
    assert effective("permutation", ramp).bits == pytest.approx(log2_orders(16))
    assert effective("permutation", torch.ones(2, 1, 4, 4)).bits == pytest.approx(0, abs=1e-9)


# Keys in the place of the right one


@pytest.mark.parametrize("pairs", [0, 1, 7, 392])
def test_swapping_moves_two_places_of_the_image_a_pair(subject, pairs):
    swapped = errors.swap(subject.key, pairs, np.random.default_rng(0))
    assert (swapped.permutation() != subject.key.permutation()).sum() == 2 * pairs


@pytest.mark.parametrize("pairs", [-1, 393])
def test_pairs_that_the_key_does_not_have_are_refused(subject, pairs):
    with pytest.raises(ValueError, match=f"between 0 and 392 .* is {pairs}"):
        errors.swap(subject.key, pairs, np.random.default_rng(0))


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_known_share_is_right_and_the_rest_is_not(subject, share):
    guessed = errors.guess_rest(subject.key, share, np.random.default_rng(0))
    right = guessed.permutation() == subject.key.permutation()
    assert round(784 * share) <= right.sum() <= round(784 * share) + 8
    assert sorted(guessed.values) == sorted(subject.key.values)


def test_the_right_key_errs_as_the_classifier_does_and_wrong_ones_as_a_guess(subject, samples):
    images, labels = samples
    right = errors.behind_the_key_of(subject, subject, images, labels)
    model = zoo.load(KEYED)
    assert (right[0] == (model(images).argmax(1) != labels).numpy()).all()
    wrong = errors.wrong_keys(subject, images, labels, np.random.default_rng(0), draws=4)
    assert wrong.shape == (4, 40)
    assert wrong.mean() > 0.7
    nothing = errors.swapped(subject, images, labels, np.random.default_rng(0), pairs=0, draws=1)
    everything = errors.leaked(subject, images, labels, np.random.default_rng(0), share=1.0, draws=1)
    assert (nothing == right).all()
    assert (everything == right).all()


def test_a_network_is_put_behind_the_keys_of_all_its_kind(subject, samples):
    cards = zoo.models()
    found = fellows(subject.card, cards.values())
    assert [card.id for card in found] == [KEYED, SURROGATE]
    other = Subject.load(SURROGATE)
    assert errors.behind_the_key_of(subject, other, *samples).mean() > 0.7
    assert {card.id for card in fellows(zoo.card("mnist-table1-keyed"), cards.values())} >= {
        "mnist-table1-keyed",
        "mnist-table1-keyed-adversarial",
        "mnist-table1-surrogate",
    }
    with pytest.raises(ValueError, match="the key has"):
        subject.behind(Key.generate(10))


def test_several_networks_behind_one_key_can_be_tested(samples):
    several = Subject.load("mnist-half-kda")
    images, model = samples[0], zoo.load("mnist-half-kda")
    assert len(several.networks) == 9
    assert torch.equal(several.behind(several.key)(images[:4]), model(images[:4]))
    assert [card.id for card in fellows(several.card, zoo.models().values())] == ["mnist-half-kda"]


@pytest.mark.parametrize(("name", "sentence"), [(CLASSICAL, "has no key to test"), ("ghost", "unknown model")])
def test_what_has_no_key_is_refused(name, sentence):
    with pytest.raises(ValueError, match=sentence):
        Subject.load(name)


def test_the_draws_of_a_private_key_cannot_be_repeated(subject):
    private = zoo.ModelCard(**{**vars(subject.card), "key_files": ()})
    public = [errors.drawing(subject.card, 3).integers(2**60) for _ in range(2)]
    assert public[0] == public[1]
    assert errors.drawing(private, 3).integers(2**60) != errors.drawing(private, 3).integers(2**60)


# Guessing


def test_guesses_are_rejected_by_the_first_image_that_is_misread(subject, samples):
    found = guess(subject, *samples, np.random.default_rng(0), seconds=0.05)
    assert found.guesses % guesses.AT_ONCE == 0
    assert found.left == 0
    assert 1 <= found.images_each < 2
    assert found.rate == found.guesses / found.seconds


def test_the_time_is_that_of_half_of_all_keys():
    year = guesses.SECONDS_A_YEAR
    assert guesses.log10_years(11, 1.0) == pytest.approx(math.log10(1024 / year))
    assert guesses.log10_years(11, 1.0, machines=1024) == pytest.approx(math.log10(1 / year))
    assert guesses.log10_years(log2_orders(784), 5000) == pytest.approx(1919, abs=1)


@pytest.mark.parametrize(
    ("years", "words"),
    [
        (1e-9, "less than a second"),
        (90 / guesses.SECONDS_A_YEAR, "1.5 minutes"),
        (1.0, "1.0 years"),
        (306, "306 years"),
    ],
)
def test_times_are_told_in_a_unit_that_fits(years, words):
    assert guesses.time_words(math.log10(years)) == words
    assert guesses.time_words(1917.4) == "10^1917 years"


# Absorbed


@pytest.mark.parametrize("name", ["shuffle-2", "shuffle-4", "negation-2", "negation-4"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_first_convolution_does_without_the_key_what_it_does_behind_it(name, bias):
    shape, generator = (3, 16, 8), torch.Generator().manual_seed(0)
    convolution = nn.utils.skip_init(nn.Conv2d, 3, 5, 8, stride=4, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        for parameter in convolution.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    images = torch.rand(6, *shape, generator=generator, dtype=torch.float64)
    key = Key(np.random.default_rng(0).standard_normal(TRANSFORMS[name].key_length(shape)))
    behind = convolution(transforms.make(name, key, shape)(images))
    without = absorbed(convolution, name, key)
    assert torch.allclose(without(images), behind, rtol=0, atol=1e-12)
    assert not torch.allclose(convolution(images), behind, atol=0.1)


def test_a_convolution_that_reads_parts_of_blocks_absorbs_nothing():
    key = Key.generate(16)
    for convolution in (nn.Conv2d(1, 2, 8, stride=2), nn.Conv2d(1, 2, 8, stride=4, padding=3), nn.Conv2d(1, 2, 6, 4)):
        with pytest.raises(ValueError, match="whole blocks of 4 x 4"):
            absorbed(convolution, "shuffle-4", key)
    with pytest.raises(ValueError, match="unknown absorbable transform 'permutation'"):
        absorbed(nn.Conv2d(1, 2, 4, 4), "permutation", key)


# All of it


@pytest.fixture(scope="module")
def lines(subject, samples):
    drawn, cards = [], zoo.models()
    twin = twin_of(subject.card, cards)
    assert twin == CLASSICAL
    made = list(
        examine(
            subject,
            *samples,
            others=[Subject.load(SURROGATE)],
            prices=[price(name, *samples, repeats=2) for name in (KEYED, twin)],
            train=samples[0],
            wrong=6,
            on_draw=lambda: drawn.append(1),
        )
    )
    assert len(drawn) == work(subject, 1, 6)
    return report.frame(made)


def test_every_error_has_an_interval_around_it(lines):
    shares = lines[(lines["unit"] == "share") & lines["low"].notna()]
    assert (shares["low"] <= shares["value"]).all()
    assert (shares["value"] <= shares["high"]).all()
    assert set(lines["test"]) == {"entropy", "guesses", "wrong-keys", "avalanche", "leak", "cross-keys", "price"}
    assert report.matrix(lines).loc[KEYED, KEYED] == report.one(lines, "wrong-keys", "right key")["value"]


def test_the_same_seed_gives_the_same_errors(subject, samples, lines):
    again = report.frame(examine(subject, *samples, wrong=6))
    for test in ("wrong-keys", "avalanche", "leak"):
        pd.testing.assert_frame_equal(
            lines[lines["test"] == test].reset_index(drop=True), again[again["test"] == test].reset_index(drop=True)
        )


def test_lines_are_kept_in_a_file_as_they_are(lines, tmp_path):
    from kerckhoffs.evaluation import tables

    (tmp_path / "lines.csv").write_bytes(tables.csv(lines))
    pd.testing.assert_frame_equal(report.read(tmp_path / "lines.csv"), lines)


def test_each_test_has_its_table_and_a_sentence_with_its_numbers(lines):
    found = report.tables(lines)
    assert list(found) == ["entropy", "guesses", "wrong-keys", "avalanche", "leak", "cross-keys", "price"]
    assert list(found["price"].columns) == ["measured", KEYED, CLASSICAL]
    said = {test: report.sentence(lines, test) for test in found}
    assert all(sentence.endswith(".") for sentence in said.values())
    assert "6,413 bits" in said["entropy"]
    assert "10^1919 years" in said["guesses"] or "10^1920 years" in said["guesses"]
    assert "Behind 6 wrong keys" in said["wrong-keys"]
    assert "no avalanche effect" in said["avalanche"]
    assert "With 50 % of the key the clean error is" in report.at_share(lines, 0.5)
    assert report.at_share(lines, 0.55) == ""
    assert report.sentence(lines, "attacked") == ""


def told(right, wrong, **more):
    """Lines of the errors behind the right key and wrong ones, with the avalanche of one."""
    values = {"right key": right, "wrong keys": wrong, "guessing": 0.9, "always the commonest class": 0.87}
    lines = [
        {"test": "wrong-keys", "case": case, "value": value, "low": value - 0.01, "high": value + 0.01}
        for case, value in values.items()
    ]
    lines += [
        {"test": test, "case": case, "value": value, "low": value, "high": value}
        for test, cases in more.items()
        for case, value in cases.items()
    ]
    return pd.DataFrame(lines).assign(draws=5, samples=100, unit="share", model="model")


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        (0.01, 0.89, "a wrong key is worth nothing"),
        (0.01, 0.5, "a wrong key is still worth something"),
        (0.01, 0.015, "a wrong key does as well as the right one"),
    ],
)
def test_a_sentence_says_what_wrong_keys_are_worth(right, wrong, sentence):
    assert sentence in report.sentence(told(right, wrong), "wrong-keys")


@pytest.mark.parametrize(
    ("errors_by_pairs", "sentence"),
    [
        ({"1": 0.01, "2": 0.02}, "not half of the way to guessing"),
        ({"1": 0.01, "2": 0.8}, "no avalanche effect"),
        ({"1": 0.8, "2": 0.9}, "the key has an avalanche effect"),
    ],
)
def test_a_sentence_says_whether_there_is_an_avalanche(errors_by_pairs, sentence):
    assert sentence in report.sentence(told(0.01, 0.9, avalanche=errors_by_pairs), "avalanche")


def test_a_sentence_says_what_a_leak_is_worth():
    said = report.sentence(told(0.01, 0.9, leak={"0": 0.9, "0.5": 0.6, "1": 0.01}), "leak")
    assert "50 % of the key" in said
    assert "100 % on 1.0" in said
    assert "knows nothing" in report.sentence(told(0.01, 0.9, leak={"0": 0.02, "1": 0.01}), "leak")


def test_the_ladder_tells_of_the_attacked_error_at_each_share():
    climbed = ladder.read_points(ROOT / "results" / "ladder" / "mnist-table1-keyed.csv")
    found = report.frame(report.attacked(climbed, "mnist-table1-keyed"))
    at = report.at_budget(found)
    assert sorted(set(at["share"])) == pytest.approx([number / 10 for number in range(11)])
    assert at.groupby("epsilon")["value"].apply(lambda each: each.is_monotonic_increasing).all()
    assert "Attacked at ε 0.2" in report.sentence(found, "attacked")


def test_what_is_absorbed_was_measured_to_change_nothing():
    said = report.absorbed(pd.read_csv(ROOT / "results" / "defences" / "summary.csv"))
    assert "19.4 (16.2 to 23.1) % wrong without a transform, 17.4 (14.3 to 21.0) % behind a block-wise shuffle" in said


# What ships

SHIPPED = sorted((ROOT / "results" / "keylab").glob("*.csv"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_ships_is_of_the_shipped_classifier(path):
    card, found = zoo.card(path.stem), report.read(path)
    right = report.one(found, "wrong-keys", "right key")
    assert (right["value"], right["samples"]) == (card.test_error, 1000)
    assert (found[found["test"] == "wrong-keys"]["case"].str.startswith("wrong key ")).sum() == 50
    transform, seen = transform_of(card.entry), report.one(found, "entropy", "samples")
    worth_now = transform and effective(transform.id, data.load(card.dataset)[0])
    assert (seen is None) == (worth_now is None)
    assert seen is None or seen["value"] == pytest.approx(worth_now.bits)
    assert set(report.tables(found)) >= {"entropy", "guesses", "wrong-keys", "avalanche", "leak", "price"}


def test_what_the_readme_says_of_each_is_what_was_measured():
    """A line a classifier: its error behind the right key, and behind wrong ones."""
    said = (ROOT / "results" / "keylab" / "README.md").read_text()
    assert len(SHIPPED) == 6
    for path in SHIPPED:
        right, wrong = (report.one(report.read(path), "wrong-keys", case) for case in ("right key", "wrong keys"))
        cells = [percent(*each[["value", "low", "high"]]) for each in (right, wrong)]
        assert f"| `{path.stem}` | {cells[0]} | {cells[1]} |" in said


def test_what_the_key_is_worth_on_the_training_images_is_what_ships(full_sets: Path):
    images, _ = data.load("mnist", "train")
    found, shipped = (
        effective("permutation", images),
        report.read(ROOT / "results" / "keylab" / "mnist-table1-keyed.csv"),
    )
    assert report.one(shipped, "entropy", "training images")["value"] == pytest.approx(found.bits)
    assert report.one(shipped, "entropy", "training images, always black")["value"] == found.black
