import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kerckhoffs import bench
from kerckhoffs.bench import Contestant, Result
from kerckhoffs.evaluation import Counted, judge
from kerckhoffs.evaluation.machine import machine
from kerckhoffs.evaluation.metrics import Distances

CLASSES = 3


@pytest.fixture
def model() -> nn.Module:
    """Class k is the brightest of the pixels 0, 1 and 2 of 1 x 2 x 2."""
    linear = nn.Linear(4, CLASSES, bias=False)
    linear.weight = nn.Parameter(torch.eye(CLASSES, 4))
    return nn.Sequential(nn.Flatten(), linear).eval().requires_grad_(False)


def images_of(labels: torch.Tensor) -> torch.Tensor:
    """Images that the model reads as these labels, by a lead of 0.5."""
    images = torch.full((len(labels), 4), 0.25)
    images[torch.arange(len(labels)), labels] = 0.75
    return images.view(-1, 1, 2, 2)


LABELS = torch.tensor([0, 1, 2, 0, 1])
TARGETS = (LABELS + 1) % CLASSES


def contestant(run, norm="l2", name="it") -> Contestant:
    return Contestant(name, "here 1", norm, "minimal", "defaults", run)


def measured(run, model, **options) -> Result:
    given = dict(targeted=False) | options
    labels = TARGETS if given["targeted"] else LABELS
    return bench.measure(contestant(run), model, images_of(LABELS), labels, **given)


def unchanged(model, images, labels, targeted):
    return images


def exchange(model, images, labels, targeted):
    """Show what the next class looks like."""
    return images_of((model(images).argmax(1) + 1) % CLASSES)


# What is counted


def gradients(model, images, labels, targeted, steps=3):
    for _ in range(steps):
        some = images.clone().requires_grad_(True)
        torch.autograd.grad(model(some).sum(), some)
    return images


def test_forwards_and_gradients_are_counted_in_images(model):
    result = measured(gradients, model)
    assert (result.forwards, result.gradients) == (15, 15)
    row = bench.table([result]).iloc[0]
    assert (row["forwards"], row["gradients"], row["examples"]) == (3, 3, 5)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_only_forwards_count(mode, model):
    def run(model, images, labels, targeted):
        with mode():
            model(images[:2])
        return images

    result = measured(run, model)
    assert (result.forwards, result.gradients) == (2, 0)


def test_a_forward_that_is_never_differentiated_is_no_gradient(model):
    def run(model, images, labels, targeted):
        model(images.requires_grad_(True))
        return images.detach()

    result = measured(run, model)
    assert (result.forwards, result.gradients) == (5, 0)


def test_every_backward_through_the_same_logits_counts(model):
    def run(model, images, labels, targeted):
        some = images.clone().requires_grad_(True)
        logits = model(some)
        for number in range(CLASSES):
            torch.autograd.grad(logits[:, number].sum(), some, retain_graph=True)
        return images

    result = measured(run, model)
    assert (result.forwards, result.gradients) == (5, 15)


@pytest.mark.parametrize(
    "wrap", [lambda model: nn.Sequential(nn.Identity(), model), copy.deepcopy, lambda model: lambda x: model(x) * 2]
)
def test_an_attack_may_wrap_or_copy_the_model(wrap, model):
    result = measured(lambda model, *rest: gradients(wrap(model), *rest), model)
    assert (result.forwards, result.gradients) == (15, 15)


def test_a_counted_model_says_and_is_what_the_model_is(model):
    images = images_of(LABELS)
    counted = Counted(model)
    assert torch.equal(counted(images), model(images))
    assert not counted.training
    assert not any(parameter.requires_grad for parameter in counted.parameters())


def test_seconds_and_memory_are_measured(model):
    result = measured(unchanged, model)
    assert 0 < result.seconds < 1
    assert 0 <= result.cpu_seconds < 1
    assert 10 < result.peak_mib < 10_000


def test_memory_that_was_held_for_a_while_shows_in_the_peak(model):
    def run(model, images, labels, targeted):
        torch.ones(2**26)  # 256 MiB
        return images

    assert measured(run, model).peak_mib > measured(unchanged, model).peak_mib + 100


# What a contestant gets


@pytest.mark.parametrize(("batch", "sizes"), [(0, [5]), (1, [1] * 5), (2, [2, 2, 1]), (9, [5])])
def test_images_come_in_batches(batch, sizes, model):
    seen = []

    def run(model, images, labels, targeted):
        seen.append(len(images))
        assert images.shape[0] == labels.shape[0]
        return images

    result = measured(run, model, batch=batch)
    assert seen == sizes
    assert result.images is not None
    assert torch.equal(result.images, images_of(LABELS))


def test_a_contestant_cannot_change_the_images_of_others(model):
    images, labels = images_of(LABELS), LABELS.clone()

    def run(model, images, labels, targeted):
        images.zero_()
        labels.zero_()
        return images

    result = bench.measure(contestant(run), model, images, labels, targeted=False)
    assert torch.equal(images, images_of(LABELS))
    assert torch.equal(labels, LABELS)
    assert float(result.distortion("l2")[1]) == pytest.approx(math.sqrt(3 * 0.25**2 + 0.75**2))


def test_global_random_numbers_are_the_same_for_each_and_go_on_as_before(model):
    drawn = []

    def run(model, images, labels, targeted):
        drawn.append(float(torch.rand(())))
        return images

    torch.manual_seed(5)
    expected = float(torch.rand(()))
    torch.manual_seed(5)
    measured(run, model)
    measured(run, model)
    assert drawn[0] == drawn[1]
    assert float(torch.rand(())) == expected


# Who judges


def test_success_untargeted_is_any_other_class(model):
    result = measured(exchange, model)
    assert result.success is not None
    assert result.success.all()
    assert measured(unchanged, model).success.sum() == 0


def test_success_targeted_is_the_target_alone(model):
    assert measured(exchange, model, targeted=True).success.all()
    twice = measured(lambda m, x, t, _: images_of((t + 1) % CLASSES), model, targeted=True)
    assert twice.success.sum() == 0


def test_images_are_judged_in_small_batches_of_float32(model):
    sizes = []

    class Watched(nn.Module):
        def forward(self, images):
            assert images.dtype == torch.float32
            sizes.append(len(images))
            return model(images)

    count = judge.JUDGED_AT_ONCE + 3
    labels = torch.zeros(count, dtype=torch.int64)
    bench.measure(contestant(unchanged), Watched(), images_of(labels), labels, targeted=False)
    assert sizes == [judge.JUDGED_AT_ONCE, 3]


def test_a_model_that_an_attack_leaves_in_training_mode_is_judged_as_it_came(model):
    model.append(nn.Dropout(1.0)).eval()

    def run(model, images, labels, targeted):
        model.train()
        return images

    assert measured(run, model).success.sum() == 0


def lie(change):
    def run(model, images, labels, targeted):
        result = images.clone()
        return change(result)

    return run


def put(value):
    def change(images):
        images[-1, 0, 0, 0] = value
        return images

    return change


def fail(images):
    raise RuntimeError("out of\nluck")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put(1.0001), "ValueError: what it returned must lie in [0, 1], but range from 0.25 to 1.0001"),
        (put(-1e-6), "must lie in [0, 1]"),
        (put(math.nan), "must be finite, but 1 values are NaN or infinite"),
        (put(math.inf), "must be finite"),
        (lambda images: images[:2], "must have shape (5, 1, 2, 2), but has (2, 1, 2, 2)"),
        (lambda images: images.flatten(1), "must have shape (N, C, H, W) with no empty side, but has (5, 4)"),
        (lambda images: images.double(), "must be float32, but is float64"),
        (lambda images: images.numpy(), "must be a torch.Tensor, but is a ndarray"),
        (lambda images: None, "must be a torch.Tensor, but is a NoneType"),
        (fail, "RuntimeError: out of luck"),
    ],
)
def test_what_is_no_image_is_an_error_and_neither_robust_nor_a_success(change, sentence, model):
    result = measured(lie(change), model)
    assert sentence in result.error
    assert (result.images, result.success, result.sizes) == (None, None, None)
    row = bench.table([result]).iloc[0]
    assert row["error"] == result.error
    assert row[["success", "median_l0", "mean_l2", "median_linf"]].isna().all()
    assert bench.security_curve([result]).empty
    assert f"it: ERROR, nothing can be said of it: {result.error}" in bench.summary([result])


def test_an_error_in_a_later_batch_is_an_error_of_the_whole(model):
    def run(model, images, labels, targeted):
        return images if labels[0] == 0 else fail(images)

    assert measured(run, model, batch=1).error == "RuntimeError: out of luck"


def test_ctrl_c_is_no_error_of_the_contestant(model):
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(interrupted, model)


def test_what_requires_gradients_is_taken_as_it_is(model):
    result = measured(lambda m, x, *_: x.requires_grad_(True), model)
    assert result.error == ""
    assert not result.images.requires_grad


@pytest.mark.parametrize(
    ("images", "labels", "batch", "reason"),
    [
        (images_of(LABELS) + 1, LABELS, 0, r"images must lie in \[0, 1\]"),
        (images_of(LABELS), LABELS[:2], 0, "labels must be int64 of shape"),
        (images_of(LABELS), LABELS, -1, "batch must be at least 0, but is -1"),
    ],
)
def test_the_callers_own_mistakes_are_raised(images, labels, batch, reason, model):
    with pytest.raises(ValueError, match=reason):
        bench.measure(contestant(unchanged), model, images, labels, targeted=False, batch=batch)


# Distortion


def result_of(sizes: list[float], success: list[bool], norm="l2") -> Result:
    size = torch.tensor(sizes)
    return Result(
        contestant(unchanged, norm),
        examples=len(sizes),
        seconds=1.0,
        cpu_seconds=1.0,
        forwards=1,
        gradients=1,
        peak_mib=1.0,
        images=torch.zeros(len(sizes), 1, 1, 1),
        success=torch.tensor(success),
        sizes=Distances(l0=size.long(), l2=size, linf=size),
    )


def test_distortion_of_known_images(model):
    row = bench.table([measured(exchange, model)]).iloc[0]
    assert row["median_l0"] == row["mean_l0"] == 2
    assert row["median_l2"] == pytest.approx(math.sqrt(0.5))
    assert row["mean_linf"] == 0.5


@pytest.mark.parametrize(
    ("success", "median"),
    [
        ([True] * 4, 2.5),
        ([False, True, True, True], 3.5),
        ([True, True, False, False], math.inf),
        ([False] * 4, math.inf),
    ],
)
def test_a_failure_is_infinite_in_the_median_and_left_out_of_the_mean(success, median):
    sizes = [1.0, 2.0, 3.0, 4.0]
    row = bench.table([result_of(sizes, success)]).iloc[0]
    assert row["median_l2"] == median
    mean = np.mean([size for size, good in zip(sizes, success, strict=True) if good] or [math.nan])
    assert row["mean_l2"] == pytest.approx(mean, nan_ok=True)
    assert row["success"] == sum(success) / 4


def test_conditions_are_columns_of_every_row():
    results = [result_of([1.0], [True]), result_of([2.0], [False])]
    table = bench.table(results, model="m", seed=3)
    assert table["model"].tolist() == ["m", "m"]
    assert table["seed"].tolist() == [3, 3]


def test_the_summary_shows_each_contestant_with_its_settings():
    text = bench.summary([result_of([1.0, 1.0], [True, False])])
    assert "success %" in text.splitlines()[0]
    assert "50" in text.splitlines()[1].split()
    assert text.splitlines()[-1] == "it: here 1, defaults"
    assert bench.summary([]) == "nothing was measured"


# The security curve


def test_the_curve_of_known_distances():
    curve = bench.security_curve([result_of([2.0, 1.0, 2.0, 3.0], [True, True, True, False])])
    assert curve.to_dict("list") == {
        "attack": ["it"] * 3,
        "norm": ["l2"] * 3,
        "budget": [0, 1, 2],
        "success": [0, 0.25, 0.75],
    }


def test_an_image_that_needs_no_change_is_there_at_budget_zero():
    curve = bench.security_curve([result_of([0.0, 1.0], [True, True])])
    assert curve[["budget", "success"]].to_numpy().tolist() == [[0, 0.5], [1, 1]]


def test_the_curve_has_the_norm_of_its_contestant_and_one_part_each():
    curve = bench.security_curve([result_of([3.0], [True], "l0"), result_of([0.5], [True], "linf")])
    assert curve["norm"].tolist() == ["l0", "l0", "linf", "linf"]
    assert curve["budget"].tolist() == [0, 3, 0, 0.5]


@given(st.lists(st.tuples(st.floats(0, 100, width=32), st.booleans()), min_size=1, max_size=30))
def test_the_curve_rises_from_budget_zero_to_the_share_of_successes(examples):
    sizes, success = map(list, zip(*examples, strict=True))
    curve = bench.security_curve([result_of(sizes, success)])
    assert curve["budget"].iloc[0] == 0
    assert curve["budget"].is_monotonic_increasing
    assert curve["budget"].is_unique
    assert curve["success"].is_monotonic_increasing
    assert curve["success"].iloc[-1] == pytest.approx(sum(success) / len(success))
    for _, point in curve.iterrows():
        within = sum(good and size <= point["budget"] for size, good in examples)
        assert point["success"] == pytest.approx(within / len(examples))


# Examples


def test_examples_are_the_first_that_the_model_reads_right(model):
    wrong = LABELS.clone()
    wrong[1] = 0
    images, labels = bench.examples(model, images_of(LABELS), wrong, count=3, targets="none")
    assert labels.tolist() == [0, 2, 0]
    assert torch.equal(images, images_of(labels))


def test_random_targets_are_other_classes_and_the_same_for_a_seed(model):
    labels = LABELS.repeat(20)
    given = dict(count=100, targets="random")
    images, targets = bench.examples(model, images_of(labels), labels, **given, seed=1)
    assert len(images) == 100
    assert not (targets == labels).any()
    assert set((targets - labels).remainder(CLASSES).tolist()) == {1, 2}
    assert torch.equal(bench.examples(model, images_of(labels), labels, **given, seed=1)[1], targets)
    assert not torch.equal(bench.examples(model, images_of(labels), labels, **given, seed=2)[1], targets)


def test_all_targets_are_every_other_class_of_every_image(model):
    images, targets = bench.examples(model, images_of(LABELS), LABELS, count=2, targets="all")
    assert targets.tolist() == [1, 2, 2, 0]
    assert torch.equal(images, images_of(torch.tensor([0, 0, 1, 1])))


@pytest.mark.parametrize(
    ("count", "targets", "reason"),
    [
        (0, "none", "images must be between 1 and 5, those that the model reads right, but is 0"),
        (6, "none", "but is 6"),
        (1, "some", "unknown targets 'some'; choose one of: random, all, none"),
    ],
)
def test_examples_refuses(count, targets, reason, model):
    with pytest.raises(ValueError, match=reason):
        bench.examples(model, images_of(LABELS), LABELS, count=count, targets=targets)


def test_the_table_survives_a_csv_file(tmp_path, model):
    table = bench.table(
        [measured(exchange, model), measured(lie(fail), model), measured(unchanged, model)], **machine()
    )
    table.to_csv(tmp_path / "table.csv", index=False)
    again = pd.read_csv(
        tmp_path / "table.csv", keep_default_na=False, na_values={c: [""] for c in table if c != "error"}
    )
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
