import numpy as np
import pytest
import torch

from kerckhoffs.checks import FileRefused, check_choice, check_images, check_labels, plain


def image(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(1, 1, 1, -1)


@pytest.mark.parametrize("images", [torch.zeros(1, 1, 1, 1), torch.ones(2, 3, 4, 5), image(0, 0.5, 1)])
def test_images_in_range_pass_with_both_ends(images):
    check_images(images)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        ([[0.0]], "images must be a torch.Tensor, but is a list"),
        (torch.zeros(1, 1, 2, 2, dtype=torch.float64), "images must be float32, but is float64"),
        (torch.zeros(1, 1, 2, 2, dtype=torch.uint8), "images must be float32, but is uint8"),
        (torch.zeros(28, 28), r"shape \(N, C, H, W\) with no empty side, but has \(28, 28\)"),
        (torch.zeros(0, 1, 28, 28), r"but has \(0, 1, 28, 28\)"),
        (torch.zeros(1, 1, 0, 28), r"but has \(1, 1, 0, 28\)"),
        (image(0, float("nan"), float("inf")), "images must be finite, but 2 values are NaN or infinite"),
        (image(0, -0.25), r"images must lie in \[0, 1\], but range from -0.25 to 0"),
        (image(0.5, 1.5), r"images must lie in \[0, 1\], but range from 0.5 to 1.5"),
        (torch.full((1, 1, 1, 1), 255.0), "but range from 255 to 255"),
    ],
)
def test_other_images_are_refused_with_their_value(images, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_images(images)


@pytest.mark.parametrize(
    ("value", "own"),
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.True_, True),
        (np.str_("l2"), "l2"),
        (np.array(2), 2),
        (torch.tensor(0.25), 0.25),
        (torch.tensor(True), True),
        (0.1, 0.1),
        ("0.1", "0.1"),
        (None, None),
    ],
)
def test_a_scalar_of_another_library_becomes_pythons_own(value, own):
    assert type(plain(value)) is type(own)
    assert plain(value) == own


def test_what_has_dimensions_stays_as_it_is():
    for value in (np.zeros(1), torch.zeros(1), [0]):
        assert plain(value) is value


def test_images_are_refused_under_the_name_of_the_argument():
    with pytest.raises(ValueError, match="^originals must lie"):
        check_images(image(2.0), "originals")


def test_labels_from_zero_pass():
    check_labels(torch.tensor([0, 9, 3]), 3)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([1, 2, 3], "labels must be a torch.Tensor, but is a list"),
        (torch.tensor([1.0, 2.0, 3.0]), r"labels must be int64 of shape \(3,\), but is float32 of shape \(3,\)"),
        (torch.tensor([1, 2, 3], dtype=torch.int32), "but is int32"),
        (torch.tensor([1, 2]), r"must be int64 of shape \(3,\), but is int64 of shape \(2,\)"),
        (torch.tensor([[1, 2, 3]]), r"but is int64 of shape \(1, 3\)"),
        (torch.tensor([1, -2, 3]), "labels must be class numbers from 0, but one is -2"),
    ],
)
def test_other_labels_are_refused_with_their_value(labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_labels(labels, 3)


def test_labels_are_refused_under_the_name_of_the_argument():
    with pytest.raises(ValueError, match="^targets must be"):
        check_labels(torch.tensor([-1]), 1, "targets")


def test_a_known_choice_passes():
    check_choice("b", {"a": 1, "b": 2}, "letter")


@pytest.mark.parametrize("value", ["c", "", "A", None, 1, ["a"]])
def test_an_unknown_choice_is_refused_with_its_value_and_the_choices(value):
    with pytest.raises(ValueError, match="unknown letter .*; choose one of: a, b$") as caught:
        check_choice(value, ["a", "b"], "letter")
    assert repr(value) in str(caught.value)


def test_a_refused_file_is_a_value_error():
    assert issubclass(FileRefused, ValueError)
