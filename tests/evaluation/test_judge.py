import dataclasses
import io
import math
import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from kerckhoffs import data, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation import examples, experiments, judge
from kerckhoffs.evaluation.examples import COLUMNS, Samples
from kerckhoffs.evaluation.experiments import Block, Experiment
from kerckhoffs.evaluation.judge import Verdict, percent, predict, succeeded
from tests.linear import random_linear
from tests.states import Watched, every_state, states

CLASSES = ("cat", "dog", "owl")
CAT, DOG, OWL = range(3)
CLASSICAL, KEYED = "classical classifier", "keyed classifier"


class Says(nn.Module):
    """Gives the same logits for every image."""

    def __init__(self, *logits: float, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits, dtype=dtype))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(images), -1)


def verdict(
    before: int = CAT,
    after: int = CAT,
    *,
    target: int | None = None,
    crafted_success: bool = True,
    crafted_on: str = CLASSICAL,
    evaluated_on: str = KEYED,
    confidence: float = 0.75,
) -> Verdict:
    """A verdict on the picture of a cat."""
    return Verdict(crafted_on, evaluated_on, CAT, target, before, after, confidence, crafted_success)


# Predictions

IMAGES = torch.full((2, 1, 3, 3), 0.5)


def test_probabilities_are_the_softmax_of_the_logits():
    found = predict(Says(math.log(1), math.log(2), math.log(5)), IMAGES)
    assert torch.allclose(found, torch.tensor([[0.125, 0.25, 0.625]] * 2))


def test_probabilities_are_float32_whatever_the_model_computes_in():
    found = predict(Says(0.0, 1.0, 3.0, dtype=torch.bfloat16), IMAGES)
    assert found.dtype == torch.float32
    assert torch.allclose(found.sum(1), torch.ones(2), atol=1e-6)


def test_large_logits_give_certainty_and_not_nan():
    assert predict(Says(1e4, 0.0), IMAGES).tolist() == [[1.0, 0.0]] * 2


def test_judging_leaves_no_gradients():
    network = nn.Sequential(nn.Flatten(), nn.Linear(9, 3))
    assert not predict(network, IMAGES).requires_grad


def test_images_at_exactly_0_and_1_are_accepted():
    assert predict(Says(0.0, 1.0), torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)).shape == (2, 2)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([[0.5]], "images must be a torch.Tensor, but is a list"),
        (IMAGES.double(), "images must be float32, but is float64"),
        ((255 * IMAGES).to(torch.uint8), "images must be float32, but is uint8"),
        (IMAGES[0], "images must have shape (N, C, H, W) with no empty side, but has (1, 3, 3)"),
        (IMAGES[:0], "images must have shape (N, C, H, W) with no empty side, but has (0, 1, 3, 3)"),
        (IMAGES * 255, "images must lie in [0, 1], but range from 127.5 to 127.5"),
        (IMAGES - 0.75, "images must lie in [0, 1], but range from -0.25 to -0.25"),
        (IMAGES.where(torch.eye(3) == 0, math.nan), "images must be finite, but 6 values are NaN or infinite"),
        (IMAGES.where(torch.eye(3) == 0, math.inf), "images must be finite, but 6 values are NaN or infinite"),
    ],
    ids=["list", "float64", "bytes", "no batch", "empty", "0 to 255", "negative", "nan", "infinite"],
)
def test_images_that_are_none_are_refused_with_what_is_wrong(images, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        predict(Says(0.0, 1.0), images)


@pytest.mark.parametrize("logit", [math.nan, math.inf, -math.inf])
def test_logits_that_are_not_finite_are_refused(logit):
    with pytest.raises(ValueError, match="logits that are not finite"):
        predict(Says(0.0, logit), IMAGES)


@every_state
def test_the_judge_says_the_same_whatever_is_switched_on_around_it(state):
    model = Watched(random_linear(classes=4)[0])
    images = torch.rand(40, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    counted = judge.Counted(model)
    expected = predict(model, images), judge.predictions(model, images)
    with state():
        before = states()
        found = predict(counted, images.clone()), judge.predictions(counted, images.clone())
        assert states() == before
    for mine, theirs in zip(expected, found, strict=True):
        assert torch.equal(mine, theirs)
        assert not theirs.is_inference()
    assert counted.calls.forwards == 80
    assert counted.calls.gradients == 0


@every_state
def test_models_are_loaded_and_rows_are_made_the_same_whatever_is_switched_on_around_it(state):
    def made():
        attacks = {"fgsm": {"epsilon": 0.2}, "hop_skip_jump": {"max_queries": 60}}
        rows = examples.evaluate(attacks, MODELS[0], MODELS, targets=["untargeted", "random"], stop=2)
        return rows.drop(columns="seconds")

    expected = made()
    with state():
        before = states()
        found = made()
        model = zoo.load(MODELS[1])
        assert states() == before
    pd.testing.assert_frame_equal(found, expected)
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    assert not any(each.is_inference() for each in model.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_a_model_of_another_precision_is_not_judged_but_told_what_to_do(dtype):
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 3)).to(dtype)
    with pytest.raises(ValueError, match="model must take float32 images, .*call model.float"):
        predict(model, IMAGES)
    assert predict(model.float(), IMAGES).shape == (2, 3)


# Verdicts


@pytest.mark.parametrize(
    ("before", "after", "crafted_success", "outcome"),
    [
        (CAT, DOG, True, "fooled"),
        (CAT, DOG, False, "fooled"),
        (CAT, CAT, True, "still right"),
        (CAT, CAT, False, "no evidence"),
        (DOG, DOG, True, "was wrong before"),
        (DOG, OWL, True, "was wrong before"),
        (DOG, CAT, True, "was wrong before"),
        (DOG, DOG, False, "was wrong before"),
    ],
)
def test_the_outcome_follows_from_before_after_and_the_attack(before, after, crafted_success, outcome):
    found = verdict(before, after, crafted_success=crafted_success)
    assert found.outcome() == outcome
    assert found.fooled == (outcome == "fooled")


def test_only_a_model_that_was_right_can_be_fooled():
    for before, after in product(range(3), range(3)):
        assert verdict(before, after).fooled == (before == CAT and after != CAT)


@pytest.mark.parametrize("crafted_on", [CLASSICAL, KEYED])
@pytest.mark.parametrize("evaluated_on", [CLASSICAL, KEYED])
def test_an_attack_that_failed_where_it_was_crafted_says_nothing_of_any_model(crafted_on, evaluated_on):
    found = verdict(crafted_success=False, crafted_on=crafted_on, evaluated_on=evaluated_on)
    assert found.says_nothing
    assert found.outcome() == "no evidence"
    assert found.sentence(CLASSES).endswith(
        f"The attack failed on the {crafted_on}, so this says nothing about the defence."
    )
    assert not verdict(crafted_success=True).says_nothing


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (verdict(CAT, DOG), "cat is now read as dog (75.0 %)."),
        (verdict(CAT, DOG, target=DOG), "cat is now read as dog (75.0 %)."),
        (verdict(CAT, DOG, target=OWL), "cat is now read as dog (75.0 %), though not as the target owl."),
        (verdict(CAT, CAT), "still read as cat (75.0 %)."),
        (verdict(CAT, CAT, target=OWL), "still read as cat (75.0 %)."),
        (verdict(DOG, OWL), "wrong before the attack too (dog for cat), now read as owl (75.0 %)."),
        (verdict(CAT, DOG, confidence=0.99999), "cat is now read as dog (> 99.9 %)."),
    ],
)
def test_the_sentence_says_what_became_of_the_example(found, sentence):
    assert (
        found.sentence(CLASSES) == f"Crafted on the classical classifier, evaluated on the keyed classifier: {sentence}"
    )


def test_class_0_is_named_as_a_missed_target_like_any_other():
    found = Verdict(KEYED, KEYED, OWL, CAT, OWL, DOG, 0.75, True)
    assert found.sentence(CLASSES).endswith(": owl is now read as dog (75.0 %), though not as the target cat.")


@pytest.mark.parametrize("crafted_success", [True, False])
@pytest.mark.parametrize("target", [None, DOG])
@pytest.mark.parametrize(("crafted_on", "evaluated_on"), list(product((CLASSICAL, KEYED), repeat=2)))
def test_every_sentence_names_both_models_and_is_one_ended_sentence(crafted_on, evaluated_on, target, crafted_success):
    for before, after in product(range(3), range(3)):
        found = verdict(
            before,
            after,
            target=target,
            crafted_success=crafted_success,
            crafted_on=crafted_on,
            evaluated_on=evaluated_on,
        )
        sentence = found.sentence(CLASSES)
        assert sentence.startswith(f"Crafted on the {crafted_on}, evaluated on the {evaluated_on}: ")
        assert sentence.endswith(".")
        assert ".." not in sentence
        assert CLASSES[after] in sentence


# Success


@pytest.mark.parametrize(
    ("prediction", "target", "success"),
    [(CAT, None, False), (DOG, None, True), (DOG, DOG, True), (OWL, DOG, False), (CAT, DOG, False)],
)
def test_an_attack_succeeds_at_its_target_or_without_one_at_any_wrong_class(prediction, target, success):
    assert succeeded(prediction, CAT, target) is success


def test_class_0_is_a_target_like_any_other():
    assert succeeded(CAT, DOG, target=CAT)
    assert not succeeded(OWL, DOG, target=CAT)


# Shares for people


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0.0 %"),
        (1, "100.0 %"),
        (0.5, "50.0 %"),
        (0.1234, "12.3 %"),
        (0.001, "0.1 %"),
        (0.0009, "< 0.1 %"),
        (0.999, "99.9 %"),
        (0.9991, "> 99.9 %"),
    ],
)
def test_a_share_is_said_with_one_decimal(share, text):
    assert percent(share) == text


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
@example(math.nextafter(1, 0))
@example(math.nextafter(0, 1))
@example(math.nextafter(0.999, 1))
@example(math.nextafter(0.999, 0))
@example(math.nextafter(0.001, 0))
@example(math.nextafter(0.001, 1))
def test_a_share_is_never_rounded_to_certainty_or_impossibility(share):
    assert percent(share) not in ("100.0 %", "0.0 %")


# Rows

MODELS = ("mnist-table1-classical", "mnist-table1-keyed")
PIXELS = 3


class Reads(nn.Module):
    """Three classes; the class of an image is its brightest pixel of (1, 1, 3)."""

    def __init__(self, order: tuple[int, ...] = (0, 1, 2)) -> None:
        super().__init__()
        self.order = order

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 5 * images.flatten(1)[:, list(self.order)]


def one_block(monkeypatch, attack, *, targets="untargeted", images=None):
    """The rows of three images with an attack that is given as a function; the second model sees permuted pixels."""
    images = 0.6 * torch.eye(PIXELS)[:, None, None, :] + 0.2 if images is None else images
    monkeypatch.setattr(type(ATTACKS["fgsm"]), "run", lambda self, model, x, y, **_: attack(model, x, y))
    each = Experiment("fgsm", MODELS[0], MODELS, targets=targets, start=5, stop=5 + len(images))
    block = Block(0, 0, 5, 5 + len(images), len(images))
    labels = torch.arange(len(images)) % PIXELS
    samples = Samples(images, labels, tuple(f"test {i}" for i in range(5, 5 + len(images))))
    models = dict(zip(MODELS, (Reads(), Reads((1, 2, 0))), strict=True))
    rows = examples.examine(each, block, samples, models, zoo.models())
    return {name: rows[rows["evaluated_on"] == name].reset_index(drop=True) for name in MODELS}


def turn(model, images, labels):
    """Rotates the pixels, so that another is the brightest."""
    return images.roll(1, 3)


def test_success_is_judged_on_both_models_whatever_the_attack_claims(monkeypatch):
    rows = one_block(monkeypatch, turn)
    assert rows[MODELS[0]]["before"].tolist() == [0, 1, 2]
    assert rows[MODELS[0]]["after"].tolist() == [1, 2, 0]
    assert rows[MODELS[0]]["success"].all()
    assert rows[MODELS[1]]["before"].tolist() == [2, 0, 1]  # wrong already
    assert rows[MODELS[1]]["after"].tolist() == [0, 1, 2]  # and right by accident
    assert not rows[MODELS[1]]["success"].any()
    for name in MODELS:
        assert rows[name]["crafted_success"].all()
        assert rows[name]["crafted_after"].tolist() == [1, 2, 0]


def test_a_targeted_success_is_the_target_alone(monkeypatch):
    rows = one_block(
        monkeypatch, lambda m, x, y: 0.5 * nn.functional.one_hot(y, 3)[:, None, None].float(), targets="random"
    )
    assert (rows[MODELS[0]]["after"] == rows[MODELS[0]]["target"]).all()
    assert rows[MODELS[0]]["success"].all()
    rows = one_block(
        monkeypatch,
        lambda m, x, y: 0.5 * nn.functional.one_hot((y + 1) % 3, 3)[:, None, None].float(),
        targets="random",
    )
    assert not rows[MODELS[0]]["success"].any()


def test_a_row_says_which_sample_attack_model_and_key_it_is_about(monkeypatch):
    rows = one_block(monkeypatch, turn)
    keyed = rows[MODELS[1]].iloc[2]
    assert (keyed["dataset"], keyed["split"], keyed["index"], keyed["sample"]) == ("mnist", "test", 7, "test 7")
    assert (keyed["attack"], keyed["options"], keyed["targets"]) == ("fgsm", "{}", "untargeted")
    assert (keyed["crafted_on"], keyed["evaluated_on"]) == MODELS
    assert keyed["evaluated_on_key"] == zoo.card(MODELS[1]).fingerprint
    assert keyed["crafted_on_key"] == "no key"
    assert pd.isna(keyed["target"])
    assert keyed["label"] == 2


def test_distances_calls_and_seconds_are_measured_outside_the_attack(monkeypatch):
    def work(model, images, labels):
        for _ in range(3):
            x = images.clone().requires_grad_(True)
            torch.autograd.grad(model(x).sum(), x)
        model(images)
        return (images + torch.tensor([0.1, 0.0, 0.0])).clamp(0, 1)

    rows = one_block(monkeypatch, work)[MODELS[1]]
    assert rows["gradients"].tolist() == [3.0] * 3
    assert rows["forwards"].tolist() == [4.0] * 3
    assert rows["l0"].tolist() == [1] * 3
    assert np.allclose(rows["l2"], 0.1)
    assert np.allclose(rows["linf"], 0.1)
    assert (rows["seconds"] > 0).all()


def test_what_does_not_survive_8_bits_is_told(monkeypatch):
    def hair(model, images, labels):  # beyond the brightest, but by less than half a grey level
        return images.clone().index_fill_(3, torch.tensor([1]), float(images.max()) + 1e-3)

    rows = one_block(monkeypatch, hair, images=torch.tensor([[0.8, 0.2, 0.2]])[:, None, None])[MODELS[0]]
    assert rows["after"].item() == 1
    assert rows["after_8bit"].item() == 0


@pytest.mark.parametrize("wrong", [lambda x: x + 1, lambda x: x * torch.nan, lambda x: x.double()])
def test_what_is_no_image_is_no_evidence(monkeypatch, wrong):
    with pytest.raises(ValueError, match="what fgsm returned must"):
        one_block(monkeypatch, lambda model, images, labels: wrong(images))


def test_an_attack_that_breaks_comes_through(monkeypatch):
    def breaks(model, images, labels):
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        one_block(monkeypatch, breaks)


def test_evaluate_agrees_with_the_attack_run_by_hand():
    rows = examples.evaluate({"fgsm": {"epsilon": 0.2}}, MODELS[0], MODELS, stop=20)
    classical, keyed = (zoo.load(name) for name in MODELS)
    images, labels = data.load("mnist", indices=range(20))
    adversarial = ATTACKS["fgsm"].run(classical, images, labels, epsilon=0.2)
    for name, model in zip(MODELS, (classical, keyed), strict=True):
        mine = rows[rows["evaluated_on"] == name]
        assert mine["after"].tolist() == judge.predictions(model, adversarial).tolist()
        assert mine["index"].tolist() == list(range(20))
    assert rows["linf"].max() <= 0.2


def test_rows_survive_csv_and_no_cell_is_a_formula():
    rows = examples.evaluate(["fgsm"], MODELS[0], MODELS, targets=["untargeted", "random"], stop=3)
    text = rows.to_csv(index=False)
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(text), dtype=COLUMNS), rows)
    cells = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False).to_numpy().ravel()
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_an_uploaded_name_is_no_formula_and_no_missing_value():
    images, labels = data.load("mnist", indices=range(2))
    uploaded = Samples(images, labels, ("=1+1.png", "NA"))
    rows = examples.evaluate("fgsm", MODELS[0], MODELS[1], split="uploaded", stop=2, uploaded=uploaded)
    assert rows["sample"].tolist() == ["uploaded =1+1.png", "uploaded NA"]


def test_the_same_seed_gives_the_same_rows_and_another_one_others():
    def run(seed):
        rows = examples.evaluate({"pgd": {"iterations": 1}}, MODELS[0], MODELS, targets="random", seeds=[seed], stop=5)
        return rows.drop(columns=["seconds", "seed"])

    pd.testing.assert_frame_equal(run(3), run(3))
    assert not run(3).equals(run(4))


def test_a_universal_perturbation_is_fitted_on_samples_that_are_not_evaluated():
    each = Experiment("universal", MODELS[0], MODELS, start=850, stop=1000)
    images, _ = examples.samples(each, "mnist").training
    every, _ = data.load("mnist")
    assert torch.equal(images, every[750:850])
    with pytest.raises(ValueError, match="only 50 are left; evaluate fewer"):
        examples.samples(dataclasses.replace(each, start=0, stop=950), "mnist")


def test_hop_skip_jump_may_start_from_samples_that_are_not_evaluated():
    each = Experiment("hop_skip_jump", MODELS[0], MODELS, start=850, stop=1000)
    images, labels = examples.samples(each, "mnist").training
    every, _ = data.load("mnist")
    assert torch.equal(images, every[750:850])
    assert len(labels.unique()) == 10
    assert examples.samples(dataclasses.replace(each, start=0), "mnist").training is None
    assert examples.samples(dataclasses.replace(each, attack="fgsm"), "mnist").training is None


def test_samples_beyond_the_split_are_refused():
    with pytest.raises(ValueError, match="there are 1000 samples in test, so stop cannot be 1001"):
        examples.evaluate("fgsm", MODELS[0], MODELS, start=990, stop=1001)


def test_progress_is_told_after_every_block():
    told = []
    examples.evaluate(
        "fgsm", MODELS[0], MODELS[0], stop=experiments.BLOCK + 1, on_block=lambda *each: told.append(each)
    )
    assert told == [(experiments.BLOCK, experiments.BLOCK + 1), (experiments.BLOCK + 1, experiments.BLOCK + 1)]
