"""What is taken away from the Play page: files, the figure, and a program that runs as printed."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

from kerckhoffs import plots, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.keys import Key
from kerckhoffs.ui.parts import pixels
from kerckhoffs.ui.play import takeaway
from kerckhoffs.ui.play.experiment import compare, craft
from kerckhoffs.ui.play.figure import figure
from kerckhoffs.ui.play.live import Example
from kerckhoffs.ui.play.script import script
from tests import ROOT
from tests.pages import opened, words
from tests.ui.play.test_input import SEVEN
from tests.ui.play.test_words import KEYED, experiment

SVG = "{http://www.w3.org/2000/svg}"
WIDE, WIDE_AND_BOLD = (Path("/usr/share/fonts/truetype/dejavu") / f"DejaVuSans{end}.ttf" for end in ("", "-Bold"))
QUICK = {"iterations": 3, "max_iterations": 3, "search_steps": 1, "passes": 1, "max_queries": 500, "population": 8}
QUICK |= {"fooling_rate": 0.02}


pytestmark = pytest.mark.usefixtures("fresh_caches")


def quick(attack, **changes):
    """An experiment of any attack that takes a moment."""
    defaults = {option.name: option.default for option in ATTACKS[attack].options}
    counting = [each for each in ATTACKS[attack].options if not each.when or defaults[each.when[0]] == each.when[1]]
    options = defaults | {each.name: QUICK[each.name] for each in counting if each.name in QUICK}
    return experiment(attack=attack, options=tuple(options.items()), **changes)


def executed(text):
    values = {}
    exec(compile(text, "experiment.py", "exec"), values)
    return values["adversarial"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_program_of_every_attack_runs_as_printed_and_makes_the_same_example(attack, capsys):
    made = quick(attack, seed=3 if ATTACKS[attack].random else 0)
    assert torch.equal(executed(script(made)), craft(made)(None))
    assert "evaluated on mnist-table1-keyed: 7 is read as 7 (> 99.9 %), then as" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes",
    [
        {"knowledge": "key", "target": 2},
        {"source": "drawing", "value": SEVEN},
        {"source": "upload", "value": pixels.encode(torch.rand(1, 1, 28, 28)), "label": 2},
    ],
    ids=["key", "drawing", "pixels"],
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


def figure_of(made):
    """The figure of an experiment whose attack left the image as it was, and its texts."""
    root = ElementTree.fromstring(figure(made, made.image, compare(made, made.image)))
    return root, list(root.iter(f"{SVG}text"))


def test_the_figure_is_self_contained_and_says_all_that_decides_it():
    root, texts = figure_of(quick("pgd", target=3, seed=5))
    words = " ".join(text.text for text in texts)
    for part in ("PGD, crafted on the classical classifier", "Gray box", "MNIST, network of Table 1", "sample 0"):
        assert part in words
    assert "target 3, epsilon 0.3, step size 0.01, iterations 3" in words
    assert "seed 5" in words
    for kind in ("classical", "keyed"):
        assert f"Crafted on the classical classifier, evaluated on the {kind} classifier" in words
    pictures = list(root.iter(f"{SVG}image"))
    assert len(pictures) == 6
    assert all(each.get("href").startswith("data:image/png;base64,") for each in pictures)


@pytest.mark.skipif(not WIDE.is_file(), reason="DejaVu Sans is not installed")
def test_no_text_of_the_figure_is_wider_than_it():
    fonts = {weight: ImageFont.truetype(file, 15) for weight, file in (("normal", WIDE), ("bold", WIDE_AND_BOLD))}
    for attack in ATTACKS:
        made = quick(attack, dataset="fashion-mnist", label=9, target=6, knowledge="own-key", seed=999_999)
        root, texts = figure_of(made)
        left, top, width, height = map(float, root.get("viewBox").split())
        for text in texts:
            assert float(text.get("x")) + fonts[text.get("font-weight")].getlength(text.text) < left + width
            assert top < float(text.get("y")) < top + height


def test_a_png_holds_the_image_in_256_greys(tmp_path):
    image = craft(experiment())(None)
    path = tmp_path / "example.png"
    path.write_bytes(plots.png(plots.picture(image[0], upscale=1)))
    with Image.open(path) as picture:
        assert picture.size == (28, 28)
        assert np.abs(np.asarray(picture) / 255 - image[0, 0].numpy()).max() <= 0.5 / 255 + 1e-6


def test_rounding_that_undoes_an_example_is_said():
    made = experiment(attack="cw_l2", knowledge="key", options=(("iterations", 60),))
    adversarial = craft(made)(None)
    sentence = takeaway.rounding(made, Example(adversarial, compare(made, adversarial), made=True))
    rounded = pixels.decode(pixels.encode(adversarial), (1, 28, 28))
    before, after = (compare(made, image)[KEYED].verdict.after for image in (adversarial, rounded))
    assert f"keyed classifier {after}" in sentence
    assert ("not " in sentence) == (before != after)


def test_the_page_offers_the_files_and_says_what_rounding_does():
    app = opened()
    rounded = "what was crafted on the classical classifier and is evaluated on both is read as: classical classifier "
    assert f"Rounded to 8 bits, as in the PNG, {rounded}" in words(app.caption)
    assert len(app.get("download_button")) == 4
    assert 'ATTACKS["fgsm"].run' in words(app.code)


def test_nothing_that_is_taken_away_holds_the_key():
    made = experiment(knowledge="key")
    key = Key.load(zoo.shipped_folder() / "mnist-table1-keyed.key.json", public=True)
    adversarial = craft(made)(None)
    for text in (script(made), figure(made, adversarial, compare(made, adversarial))):
        assert key.fingerprint not in text
        assert repr(float(key.values[0]))[:10] not in text
        assert str(key.permutation()[:6].tolist())[1:-1] not in text
