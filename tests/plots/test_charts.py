import base64
import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from kerckhoffs import plots
from kerckhoffs.evaluation.metrics import wilson
from kerckhoffs.plots import charts


def test_grey_keeps_every_pixel_as_a_whole_square():
    picture = plots.picture(torch.tensor([[[0.0, 1.0], [0.5, 0.2]]]), upscale=3)
    assert picture.shape == (6, 6)
    assert picture.dtype == np.uint8
    assert (picture[:3, 3:] == 255).all()
    assert (picture[3:, :3] == 128).all()
    assert (picture[:3, :3] == 0).all()


def test_colours_keep_every_pixel_and_channel():
    image = torch.tensor([[[1.0, 0.0]], [[0.0, 0.5]], [[0.0, 0.2]]])  # (3, 1, 2)
    picture = plots.picture(image, upscale=2)
    assert picture.shape == (2, 4, 3)
    assert picture.dtype == np.uint8
    assert (picture[:, :2] == [255, 0, 0]).all()
    assert (picture[:, 2:] == [0, 128, 51]).all()
    with Image.open(io.BytesIO(plots.png(picture))) as read:
        assert (np.asarray(read) == picture).all()


def test_a_perturbation_of_colours_is_shown_as_it_is_around_mid_grey():
    perturbation = torch.tensor([[[0.1, 0.0]], [[-0.1, 0.0]], [[0.05, 0.0]]])
    picture = plots.signed(perturbation, factor=10, upscale=1)
    assert picture.shape == (1, 2, 3)
    assert picture[0, 0].tolist() == [255, 0, 191]
    assert all(abs(int(level) - 127.5) <= 0.5 for level in picture[0, 1])


def test_the_gain_makes_the_largest_change_full_and_is_1_without_a_change():
    assert plots.gain(torch.tensor([[[0.1, -0.25]]])) == pytest.approx(4)
    assert plots.gain(torch.zeros(1, 2, 2)) == 1


def test_a_perturbation_is_orange_where_brighter_blue_where_darker_white_where_untouched():
    picture = plots.signed(torch.tensor([[[0.1, -0.1, 0.0]]]), factor=10, upscale=1)
    brighter, darker, untouched = picture[0]
    assert tuple(brighter) == tuple(plots.RAISED.astype(int))
    assert tuple(darker) == tuple(plots.LOWERED.astype(int))
    assert tuple(untouched) == (255, 255, 255)


def test_a_picture_becomes_a_png_pixel_by_pixel_and_an_address_that_holds_it():
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    with Image.open(io.BytesIO(plots.png(picture))) as read:
        assert (np.asarray(read) == picture).all()
    head, body = plots.data_uri(picture).split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == plots.png(picture)


def test_error_curves_have_a_line_a_model_that_differs_in_more_than_colour_and_intervals():
    figure = charts.error_curves([0, 0.1], {"classical": [0, 90], "keyed": [10, 20], "control": [5, 5]}, 100)
    classical, keyed, control = figure.data
    assert list(classical.y) == [0.0, 0.9]
    for share, above, below, wrong in zip(
        classical.y, classical.error_y.array, classical.error_y.arrayminus, (0, 90), strict=True
    ):
        assert (share - below, share + above) == pytest.approx(wilson(wrong, 100))
    assert classical.customdata[1] == pytest.approx(wilson(90, 100))
    assert charts.ENDS in classical.hovertemplate
    assert list(keyed.x) == [0, 0.1]
    assert len({line.line.dash for line in figure.data}) == 3
    assert len({line.marker.symbol for line in figure.data}) == 3
    assert list(control.y) == [0.05, 0.05]


def test_probabilities_show_both_distributions_and_mark_class_and_target():
    shown = charts.Probabilities([0.9, 0.1, 0.0], [0.2, 0.7, 0.1], label=0, target=2)
    figure = charts.probabilities(shown, ("a", "b", "c"))
    clean, adversarial = figure.data
    assert (clean.name, adversarial.name) == ("clean", "adversarial")
    assert list(clean.y) == [0.9, 0.1, 0.0]
    assert list(adversarial.y) == [0.2, 0.7, 0.1]
    assert list(clean.x) == ["✓ a", "b", "◎ c"]
    assert clean.marker.color != clean.marker.line.color, "never told apart by colour alone"
    assert adversarial.marker.color == adversarial.marker.line.color


def test_security_curves_have_a_step_line_an_attack_and_a_chart_a_norm():
    curve = pd.DataFrame(
        {
            "attack": ["a", "a", "b", "b", "c"],
            "norm": ["l2", "l2", "l2", "l2", "linf"],
            "budget": [0.0, 1.5, 0.0, 2.0, 0.0],
            "success": [0.0, 1.0, 0.0, 0.5, 0.0],
        }
    )
    figure = charts.security_curves(curve)
    lines = {line.name: line for line in figure.data}
    assert list(lines["b"].x) == [0, 2]
    assert list(lines["b"].y) == [0, 0.5]
    assert lines["a"].line.shape == "hv"
    assert lines["a"].line.dash != lines["b"].line.dash  # a colour never carries a meaning alone
    assert {note.text for note in figure.layout.annotations} == {"norm=l2", "norm=linf"}
