"""A set of another shape, with colours and few classes, goes through the whole program by being registered."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from kerckhoffs import bench, cli, data, evaluation, zoo
from kerckhoffs.attackers import ATTACKERS, crafted_on, offered
from kerckhoffs.bench import contestants
from kerckhoffs.data import DATASETS, Dataset, sets
from kerckhoffs.evaluation import COLUMNS, experiments, runs, summaries, table3
from kerckhoffs.keys import Key
from kerckhoffs.zoo import train
from kerckhoffs.zoo.train import Recipe

SHAPE, VALUES = (3, 32, 32), 3 * 32 * 32
COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
SIZES = {"test": 12, "test-full": 18, "train": 60, "validation": 15}
FLAGS = Dataset(
    id="flags",
    name="Flags",
    classes=tuple(COLOURS),
    shape=SHAPE,
    torchvision_class="Flags",
    credit="made up",
    style="whole",
    sizes=SIZES,
)
QUICK = Recipe(epochs=4, batch_size=10, average=0.3, learning_rate=3e-3, shift=2, rotate=5, flip=True)
KEY = Key.derive(bytes(32), VALUES, "tests of other shapes")
KEYS = {"classical": (), "keyed": (KEY,), "surrogate": (Key.derive(bytes(32), VALUES, "an attacker's"),)}

ATTACKS = {
    "fgsm": {"epsilon": 0.5, "perturb_all": True},
    "pgd": {"epsilon": 0.3, "step_size": 0.1, "iterations": 5},
    "cw_l2": {"iterations": 20, "starts": 1},
    "cw_l0": {"iterations": 10, "starts": 1, "patience": 0},
    "cw_linf": {"iterations": 10, "starts": 1},
    "deepfool": {"max_iterations": 5},
    "jsma": {"gamma": 0.01, "theta": 0.5},
    "square": {"epsilon": 0.3, "max_queries": 20},
    "one_pixel": {"pixels": 2, "population": 6, "max_queries": 24},
    "zoo": {"max_queries": 300, "coordinates": 64},
    "rays": {"max_queries": 60},
    "hop_skip_jump_linf": {"max_queries": 60, "initial_probes": 10},
    "surfree": {"max_queries": 60},
    "hop_skip_jump": {"max_queries": 60, "initial_probes": 10},
}


def flags(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy squares of one colour each: uint8 (N, 32, 32, 3), as files have them, and labels."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % len(COLOURS)
    pixels = np.array(list(COLOURS.values()))[labels][:, None, None] + draw.integers(-30, 30, (count, 32, 32, 3))
    return pixels.clip(0, 255).astype(np.uint8), labels


TEST, TRAINING = flags(SIZES["test-full"], 0), flags(SIZES["train"] + SIZES["validation"], 1)


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The set as its author would add it: an entry, a file of samples, and a full set to read."""
    folder: Path = tmp_path_factory.mktemp("samples")
    count = SIZES["test"]
    np.savez_compressed(folder / "flags.npz", images=TEST[0][:count], labels=TEST[1][:count].astype(np.uint8))

    def full(dataset: str, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
        assert dataset == "flags"
        pixels, labels = TRAINING if train else TEST
        return torch.from_numpy(pixels), torch.from_numpy(labels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "flags", FLAGS)
        patch.setattr(sets, "SAMPLES", folder)
        patch.setattr(sets, "_full", full)
        sets._bundled.cache_clear()
        yield
        sets._bundled.cache_clear()


@pytest.fixture(scope="module")
def fitted(registered: None) -> dict[str, train.Fitted]:
    """The network of Table 1 with every kind of defence."""
    return {defence: train.fit("flags", "table1", defence, keys=keys, recipe=QUICK) for defence, keys in KEYS.items()}


@pytest.fixture
def own(fitted: dict[str, train.Fitted]) -> dict[str, str]:
    """The ids of the user's models of that set, by defence."""
    images, labels = data.load("flags")
    for defence, each in fitted.items():
        id_ = zoo.model_id("flags", "table1", defence)
        card = zoo.ModelCard(
            id=id_,
            dataset="flags",
            network="table1",
            defence=defence,
            options={},
            keys=tuple(key.fingerprint for key in KEYS[defence]),
            key_files=(),
            file=f"{id_}.safetensors",
            sha256="",
            validation_error=each.validation_error,
            test_error=train.error_rate(each.model, images, labels),
            test_samples=len(labels),
            command="",
            training={},
            versions=zoo.versions(),
        )
        zoo.save(card, each.model.network, zoo.own_folder())
        for key in KEYS[defence]:
            key.save(zoo.user_key_path(key.fingerprint))
    return {defence: zoo.OWN + zoo.model_id("flags", "table1", defence) for defence in fitted}


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("split", SIZES)
def test_every_split_has_its_size_and_its_colours(split):
    images, labels = data.load("flags", split)
    assert images.shape == (SIZES[split], *SHAPE)
    assert images.is_contiguous()
    pixels, truth = TEST if split.startswith("test") else TRAINING
    first = SIZES["validation"] if split == "train" else 0
    assert torch.equal((images[0] * 255).round(), torch.from_numpy(pixels[first]).permute(2, 0, 1).float())
    assert labels.tolist() == truth[first : first + SIZES[split]].tolist()
    assert torch.equal(images.mean((2, 3)).argmax(1), labels), "the channels are mixed up"


def test_every_defence_learns_the_set(fitted):
    images, labels = data.load("flags", "test-full")
    for each in fitted.values():
        assert each.validation_error <= 0.1
        assert train.error_rate(each.model, images, labels) <= 0.1
        assert each.model(images[:2]).shape == (2, 3)
        with pytest.raises(ValueError, match=r"takes images of shape \(N, 3, 32, 32\)"):
            each.model(torch.zeros(1, 1, 28, 28))


def test_the_key_orders_all_numbers_of_an_image(fitted):
    transform = fitted["keyed"].model.transform
    assert sorted(transform.order.tolist()) == list(range(VALUES))
    assert transform.order.tolist() == KEY.permutation().tolist()
    images, _ = data.load("flags")
    assert torch.equal(transform.inverse(transform(images)), images)
    with pytest.raises(ValueError, match=r"keyed needs keys of the lengths 3072, but was given \[784\]"):
        train.fit("flags", "table1", "keyed", keys=(Key.generate(784),))


def test_the_saved_models_are_listed_and_loaded_as_they_were(own, fitted):
    images, _ = data.load("flags")
    for defence, name in own.items():
        card = zoo.models()[name]
        assert card.title == f"Flags, Table 1, {defence}, yours"
        assert card.private == bool(KEYS[defence])
        with torch.inference_mode():
            torch.testing.assert_close(zoo.load(name)(images), fitted[defence].model(images))
    wrong = Key.derive(bytes(32), VALUES, "wrong")
    with pytest.raises(ValueError, match=f"is not the key of {own['keyed']}"):
        zoo.load(own["keyed"], key=wrong)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("defence", ["classical", "keyed"])
def test_attacks_are_judged_end_to_end(own, attack, defence):
    told = []
    crafter, count = own[defence], 4
    rows = evaluation.evaluate(
        {attack: ATTACKS[attack]},
        crafter,
        [own["classical"], own["keyed"]],
        stop=count,
        on_block=lambda *done: told.append(done),
    )
    assert list(rows.columns) == list(COLUMNS)
    assert rows["dataset"].unique().tolist() == ["flags"]
    assert rows["label"].tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    assert rows["evaluated_on"].tolist() == [own["classical"], own["keyed"]] * count
    assert rows["evaluated_on_key"].tolist() == ["no key", KEY.fingerprint] * count
    assert rows["crafted_on_key"].unique().tolist() == ["no key" if defence == "classical" else KEY.fingerprint]
    assert (rows["before"] == rows["label"]).all()
    for said in ("crafted_after", "after", "after_8bit"):
        assert rows[said].between(0, 2).all()
    itself = rows[rows["evaluated_on"] == crafter]
    assert itself["after"].tolist() == itself["crafted_after"].tolist()
    assert itself["success"].tolist() == itself["crafted_success"].tolist()
    assert rows["l0"].between(0, 32 * 32).all(), "l0 counts pixels, whatever their channels"
    assert rows["l2"].le(VALUES**0.5).all()
    assert told[-1] == (count, count)
    assert summaries.summarise(rows)["examples"].tolist() == [count, count]


@pytest.mark.parametrize(
    ("attack", "options"),
    [("fgsm", ATTACKS["fgsm"]), ("pgd", {"epsilon": 0.5, "iterations": 10, "step_size": 0.1}), ("cw_l2", {})],
)
def test_gradients_fool_the_classifier_that_they_are_of(own, attack, options):
    rows = evaluation.evaluate({attack: options}, own["classical"], own["classical"], stop=6)
    assert rows["crafted_success"].mean() >= 0.5


def test_targets_are_the_classes_of_the_set(own):
    told = []
    rows = evaluation.evaluate(
        {"fgsm": {"epsilon": 0.1}},
        own["classical"],
        own["keyed"],
        targets="all",
        stop=6,
        on_block=lambda *done: told.append(done),
    )
    assert len(rows) == 2 * 6
    assert told[-1] == (12, 12)
    assert {(a, b) for a, b in zip(rows["label"], rows["target"], strict=True)} == {
        (a, b) for a in range(3) for b in range(3) if a != b
    }


def test_what_the_set_does_not_have_is_refused(own):
    with pytest.raises(ValueError, match="there are 12 samples in test, so stop cannot be 13"):
        evaluation.evaluate("fgsm", own["classical"], own["keyed"], stop=13)
    with pytest.raises(ValueError, match="universal is fitted on 100 bundled samples .* but only 8 are left"):
        evaluation.evaluate("universal", own["classical"], own["keyed"], stop=4)
    with pytest.raises(ValueError, match="are of different datasets"):
        evaluation.evaluate("fgsm", own["classical"], "mnist-table1-keyed", stop=4)
    digits = evaluation.Samples(*data.load("flags", indices=[0, 1]), ("a", "b"))
    digits = evaluation.Samples(digits.images[:, :1, :28, :28], digits.labels, digits.names)
    with pytest.raises(ValueError, match=r"takes images of shape \(N, 3, 32, 32\), but was given \(2, 1, 28, 28\)"):
        evaluation.evaluate("fgsm", own["classical"], own["keyed"], split="uploaded", stop=2, uploaded=digits)


def test_uploaded_samples_of_its_shape_are_judged(own):
    images, labels = data.load("flags", "test-full", indices=[15, 16, 17])
    mine = evaluation.Samples(images, labels, ("a", "b", "c"))
    rows = evaluation.evaluate("fgsm", own["keyed"], own["keyed"], split="uploaded", stop=3, uploaded=mine)
    assert rows["sample"].tolist() == ["uploaded a", "uploaded b", "uploaded c"]
    assert (rows["before"] == rows["label"]).all()


def test_a_run_is_begun_and_written_in_this_process(own, tmp_path):
    what = experiments.grid([("fgsm", {})], [own["classical"]], [own["keyed"]], stop=5)
    run = runs.create(what, command="a test", folder=tmp_path / "run")
    models = {name: zoo.load(name) for name in run.cards}
    shown = evaluation.samples(what[0], "flags")
    with run.writing():
        for block in run.blocks:
            run.write(block, evaluation.examine(what[0], block, shown, models, run.cards))
    rows = runs.open_run(run.folder).rows()
    assert len(rows) == 5
    assert set(rows["dataset"]) == {"flags"}
    assert table3.compare(rows[list(summaries.NEEDED)]).empty, "the paper's table has no such row"


def test_own_models_are_attacked_by_who_has_what_is_there(own):
    card = zoo.card(own["keyed"])
    assert offered(card, zoo.models()) == tuple(name for name in ATTACKERS if not name.endswith("-alike"))
    crafted = {name: crafted_on(name, card) for name in offered(card, zoo.models())}
    assert {name for name, id_ in crafted.items() if id_ == card.id} == {"noise", "labels", "scores", "key"}
    assert crafted["twin"] == "twin:samples=55000@flags-table1-keyed", "no twin of this set ships"


def test_attacks_are_measured_side_by_side_on_it(own):
    field, missing = contestants.chosen(None, ["fgsm", "cw_l2:iterations=10"], ["none"])
    model = zoo.load(own["keyed"])
    images, labels = bench.examples(model, *data.load("flags"), count=2, targets="all")
    assert images.shape == (4, *SHAPE)
    assert set(labels.tolist()) <= {0, 1, 2}
    results = [bench.measure(each, model, images, labels, targeted=True) for each in field]
    assert missing == {}
    assert [result.error for result in results] == ["", ""]
    assert [len(result.success) for result in results] == [4, 4]


@pytest.mark.usefixtures("registered")
def test_the_command_line_trains_and_shows_it(capsys):
    quick = ["--epochs=1", "--batch-size=20"]
    assert cli.main(["train", "flags-table1-keyed", *quick]) == 0
    card = zoo.card("own/flags-table1-keyed")
    assert len(zoo.find_keys(card)[0]) == VALUES
    assert card.test_samples == SIZES["test"]
    assert "Flags, Table 1, keyed" in capsys.readouterr().out
    assert cli.main(["train", "flags-table2-classical", *quick]) == 0
    assert zoo.load("own/flags-table2-classical")(torch.zeros(1, *SHAPE)).shape == (1, 3)
