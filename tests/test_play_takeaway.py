"""What is taken away from the Play page: files, the figure, and a program that runs as printed."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from kerckhoffs import plots, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.keys import Key
from kerckhoffs.ui import pixels, takeaway
from kerckhoffs.ui.figure import figure
from kerckhoffs.ui.live import Example
from kerckhoffs.ui.play import compare, craft
from kerckhoffs.ui.script import script
from tests.pages import opened, words
from tests.test_play_input import SEVEN
from tests.test_play_words import experiment

ROOT = Path(__file__).parent.parent
QUICK = {"iterations": 3, "max_iterations": 3, "search_steps": 1, "passes": 1, "max_queries": 500, "population": 8}


pytestmark = pytest.mark.usefixtures("fresh_caches")


def quick(attack, **changes):
    """An experiment of any attack that takes a moment."""
    options = {option.name: QUICK.get(option.name, option.default) for option in ATTACKS[attack].options}
    return experiment(attack=attack, options=tuple(options.items()), **changes)


def executed(text):
    values = {}
    exec(compile(text, "experiment.py", "exec"), values)
    return values["adversarial"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_program_of_every_attack_runs_as_printed_and_makes_the_same_example(attack, capsys):
    made = quick(attack, seed=3 if ATTACKS[attack].random else 0)
    assert torch.equal(executed(script(made)), craft(made)(None))
    assert "evaluated on mnist-table1-keyed: 7 is read as 7, then as" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes",
    [
        {"knowledge": "white-box", "target": 2},
        {"source": "drawing", "value": SEVEN},
        {"source": "upload", "value": pixels.encode(torch.rand(1, 1, 28, 28)), "label": 2},
    ],
    ids=["white-box", "drawing", "pixels"],
)
def test_the_program_holds_the_image_the_target_and_the_model(changes):
    made = experiment(**changes)
    assert torch.equal(executed(script(made)), craft(made)(None))


def test_the_program_runs_on_its_own(tmp_path):
    path = tmp_path / "experiment.py"
    path.write_text(script(experiment()))
    done = subprocess.run(
        [sys.executable, path], env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("evaluated on") == 2


def test_the_figure_is_self_contained_and_names_both_models():
    made = experiment()
    root = ElementTree.fromstring(figure(made, compare(made, craft(made)(None))))
    texts = " ".join(element.text for element in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "crafted on the classical classifier" in texts
    assert "Evaluated on the keyed classifier" in texts
    pictures = list(root.iter("{http://www.w3.org/2000/svg}image"))
    assert len(pictures) == 6
    assert all(each.get("href").startswith("data:image/png;base64,") for each in pictures)


def test_a_png_holds_the_image_in_256_greys(tmp_path):
    image = craft(experiment())(None)
    path = tmp_path / "example.png"
    path.write_bytes(plots.png(plots.grey(image[0], upscale=1)))
    with Image.open(path) as picture:
        assert picture.size == (28, 28)
        assert np.abs(np.asarray(picture) / 255 - image[0, 0].numpy()).max() <= 0.5 / 255 + 1e-6


def test_rounding_that_undoes_an_example_is_said():
    made = experiment(attack="cw_l2", knowledge="white-box", options=(("iterations", 60),))
    adversarial = craft(made)(None)
    sentence = takeaway.rounding(made, Example(adversarial, compare(made, adversarial), made=True))
    rounded = pixels.decode(pixels.encode(adversarial))
    before, after = (compare(made, image)["keyed"].verdict.after for image in (adversarial, rounded))
    assert f"keyed {after}" in sentence
    assert ("not " in sentence) == (before != after)


def test_the_page_offers_the_files_and_says_what_rounding_does():
    app = opened()
    assert "Rounded to 8 bits, as in the PNG, it is read as: classical" in words(app.caption)
    assert len(app.get("download_button")) == 4
    assert 'ATTACKS["fgsm"].run' in words(app.code)


def test_nothing_that_is_taken_away_holds_the_key():
    made = experiment(knowledge="white-box")
    key = Key.load(zoo.shipped_folder() / "mnist-table1-keyed.key.json", public=True)
    for text in (script(made), figure(made, compare(made, craft(made)(None)))):
        assert key.fingerprint not in text
        assert repr(float(key.values[0]))[:10] not in text
        assert str(key.permutation()[:6].tolist())[1:-1] not in text
