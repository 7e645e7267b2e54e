import dataclasses
import re
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kerckhoffs import cli, data, places, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.defences import DefendedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.zoo import networks, train
from kerckhoffs.zoo.train import RECIPES, judging
from tests import training
from tests.commands import assert_silent_about, files, mode, only_key
from tests.leaks import traces

KEYED, CLASSICAL = "mnist-table1-keyed", "mnist-table1-classical"
QUICK = ["--epochs=2", "--batch-size=10"]  # 2 steps an epoch
VALUES = 28 * 28

SHORT = ["--epochs=3", "--batch-size=12"]  # 4 steps an epoch
SMALL = ["train", "quarters-tiny-keyed", *SHORT]
DISTILLED = ["train", "quarters-tiny-keyed-distilled", *SHORT, "--temperature=20.0"]
ADVERSARIAL = ["train", "quarters-tiny-keyed-adversarial", *SHORT, "--epsilon=0.1", "--attack-steps=2"]
ENSEMBLE = ["train", "quarters-tiny-keyed-ensemble-adversarial", *SHORT, "--epsilon=0.1"]
CLASSICAL_SMALL = ["train", "quarters-tiny-classical", *SHORT]
KDA = ["train", "quarters-tiny-kda", *SHORT]


@pytest.fixture
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every split is a handful of noisy images."""

    def load(dataset: str, split: str = "test") -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(len(split))
        count = {"train": 20, "validation": 10, "test": 8}[split]
        return torch.rand(count, 1, 28, 28, generator=generator), torch.arange(count) % 10

    monkeypatch.setattr(data, "load", load)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> tuple[list[train.Progress], list[tuple]]:
    """What is told of the training, and where it is to be stopped, and how."""
    fit, seen, stops = train.fit, [], []

    def watched(*arguments, on_step, **options):
        def and_note(progress: train.Progress) -> None:
            seen.append(progress)
            on_step(progress)
            if stops and stops[0][:2] == (progress.stage, progress.step):
                raise stops.pop(0)[2]

        return fit(*arguments, on_step=and_note, **options)

    monkeypatch.setattr(train, "fit", watched)
    return seen, stops


@pytest.fixture
def steps(told) -> list[train.Progress]:
    return told[0]


@pytest.fixture
def stop_at(told):
    """Press Ctrl-C after a step of training, once."""

    def stop(step: int, stage: str = "network", error: type[BaseException] = KeyboardInterrupt) -> None:
        told[1].append((stage, step, error))

    return stop


# Refusals


def test_a_key_of_another_length_is_refused_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    path = Key.generate(10).save(tmp_path / "short.json")
    assert cli.main(["train", KEYED, f"--key={path}"]) == 2
    assert capsys.readouterr().err == f"error: the key {path} has 10 values, but 784 are needed\n"


def test_more_keys_than_the_model_has_are_refused_before_training(kerckhoffs_home, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    paths = [Key.generate(VALUES).save(tmp_path / f"{number}.json") for number in range(2)]
    assert cli.main(["train", KEYED, *(f"--key={path}" for path in paths)]) == 2
    assert capsys.readouterr().err == "error: 1 keys are needed, but 2 files were given\n"
    assert not kerckhoffs_home.exists()


def test_an_attackers_seed_is_refused_before_training(monkeypatch, capsys):
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    assert cli.main(["train", KEYED, f"--seed={train.ATTACKERS_FROM}"]) == 2
    assert "those are attackers' own" in capsys.readouterr().err


def test_a_key_that_is_not_the_published_one_is_refused_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    published = Key.generate(VALUES).save(tmp_path / f"{KEYED}.key.json", public=True)
    before = published.read_bytes()
    mine = Key.generate(VALUES).save(tmp_path / "mine.json")
    assert cli.main(["train", KEYED, f"--key={mine}", f"--out={tmp_path}", "--publish-key"]) == 2
    assert f"{published} is another key than {mine}; remove one of them" in capsys.readouterr().err
    assert published.read_bytes() == before


@pytest.mark.usefixtures("small_sets")
def test_a_damaged_folder_of_own_models_is_refused_before_a_key_is_made(kerckhoffs_home, monkeypatch, capsys):
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    zoo.own_folder().mkdir(parents=True)
    (zoo.own_folder() / zoo.MANIFEST).write_text("not JSON")
    assert cli.main(["train", KEYED]) == 2
    assert "manifest.json is malformed" in capsys.readouterr().err
    assert files(kerckhoffs_home) == {"models"}


def test_a_set_that_is_not_there_is_found_before_a_key_is_made(monkeypatch, kerckhoffs_home, tmp_path, capsys):
    def refuse(*_, **__):
        raise FileRefused("the full MNIST set is not there")

    monkeypatch.setattr(data, "load", refuse)
    assert cli.main(["train", KEYED]) == 2
    assert cli.main(["train", KEYED, "--publish-key", f"--out={tmp_path / 'models'}"]) == 2
    assert capsys.readouterr().err.count("error: the full MNIST set is not there\n") == 2
    assert not kerckhoffs_home.exists()
    assert not (tmp_path / "models").exists()


@pytest.mark.usefixtures("small_sets")
def test_what_goes_wrong_in_training_is_one_line_too(monkeypatch, capsys):
    def refuse(*_, **__):
        raise ValueError("the full set\nis not there")

    monkeypatch.setattr(train, "fit", refuse)
    assert cli.main(["train", CLASSICAL]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: the full set is not there"


# What is written


@pytest.mark.usefixtures("small_sets")
def test_models_are_written_to_the_folder_of_ones_own_ones(kerckhoffs_home, tmp_path, monkeypatch):
    monkeypatch.setenv("KERCKHOFFS_OWN_MODELS", str(tmp_path / "mine"))
    assert cli.main(["train", CLASSICAL, *QUICK]) == 0
    assert files(tmp_path / "mine") == {zoo.MANIFEST, f"{CLASSICAL}.safetensors"}
    assert zoo.card(zoo.OWN + CLASSICAL).title == "MNIST, Table 1, classical, yours"
    assert not zoo.card(CLASSICAL).own
    assert "--out" not in zoo.card(zoo.OWN + CLASSICAL).command
    assert files(kerckhoffs_home) == {"training"}
    assert files(kerckhoffs_home / "training") == set()


@pytest.mark.usefixtures("small_sets")
def test_a_trained_keyed_model_is_there_to_load_and_its_key_is_not_beside_it(kerckhoffs_home, capsys):
    assert cli.main(["train", KEYED, *QUICK]) == 0
    out, err = capsys.readouterr()
    folder = kerckhoffs_home / "models"
    assert files(folder) == {zoo.MANIFEST, f"{KEYED}.safetensors"}
    path = only_key(kerckhoffs_home)
    assert mode(path) == 0o600

    card = zoo.card(KEYED, folder)
    assert card.key_files == ()
    assert card.keys == (path.stem,)
    assert (card.dataset, card.network, card.defence, card.options) == ("mnist", "table1", "keyed", {})
    recipe = dataclasses.replace(RECIPES[KEYED], epochs=2, batch_size=10)
    assert dataclasses.asdict(recipe).items() <= card.training.items()
    assert card.training["best_epoch"] in (1, 2)
    assert card.training["stopped"] is False
    assert card.versions == zoo.versions()

    assert zoo.models()[zoo.OWN + KEYED] == dataclasses.replace(card, id=zoo.OWN + KEYED)
    images, labels = data.load("mnist")
    assert card.test_samples == len(labels) == 8
    assert card.test_error == train.error_rate(zoo.load(KEYED, folder=folder), images, labels)
    assert str(folder / card.file) in out
    assert_silent_about(Key.load(path), out + err + (folder / zoo.MANIFEST).read_text())


@pytest.mark.usefixtures("small_sets")
def test_the_card_and_the_output_say_what_the_training_and_the_test_samples_say(monkeypatch, kerckhoffs_home, capsys):
    model = DefendedClassifier(networks.build("table1", "mnist"))
    with torch.no_grad():
        next(reversed(list(model.parameters())))[3] = 100.0  # says 3 whatever it sees
    fitted = train.Fitted(model, validation_error=0.2, epoch=4, seconds=61.6, stopped=False)
    monkeypatch.setattr(train, "fit", lambda *_, **__: fitted)
    assert cli.main(["train", CLASSICAL]) == 0
    card = zoo.card(CLASSICAL, kerckhoffs_home / "models")
    assert (card.validation_error, card.test_error, card.test_samples) == (0.9, 7 / 8, 8)  # labels 0 to 9, 0 to 7
    assert (card.training["best_epoch"], card.training["seconds"]) == (5, 62)
    said = "in percent with 95 % intervals: validation error 90.0 (59.6 to 98.2), test error 87.5 (52.9 to 97.8)"
    assert said in capsys.readouterr().out  # of 10 and 8 samples


@pytest.mark.usefixtures("small_sets")
def test_the_command_of_the_card_makes_the_same_weights_again(tmp_path):
    arguments = [
        "train",
        CLASSICAL,
        *QUICK,
        "--flip",
        "--shift=2.0",
        "--learning-rate=0.005",
        f"--out={tmp_path / 'a b'}",
    ]
    assert cli.main(arguments) == 0
    first = zoo.card(CLASSICAL, tmp_path / "a b")
    assert (tmp_path / "a b" / first.file).exists()

    program = shlex.split(first.command)
    assert program[:3] == ["python", "-m", "kerckhoffs"]
    assert sorted(program[3:]) == sorted(arguments)
    (tmp_path / "a b").rename(tmp_path / "first")
    assert cli.main(program[3:]) == 0
    again = zoo.card(CLASSICAL, tmp_path / "a b")
    assert again.sha256 == first.sha256
    assert again.command == first.command


@pytest.mark.usefixtures("small_sets")
def test_a_classical_model_has_no_key(kerckhoffs_home):
    assert cli.main(["train", CLASSICAL, *QUICK, "--no-flip"]) == 0
    card = zoo.card(CLASSICAL, kerckhoffs_home / "models")
    assert (card.defence, card.keys, card.key_files) == ("classical", (), ())
    assert "--no-flip" in shlex.split(card.command)
    assert not (kerckhoffs_home / "keys").exists()


@pytest.mark.usefixtures("small_sets")
@pytest.mark.parametrize("model", RECIPES)
def test_options_that_are_left_out_come_from_the_recipe_of_the_model(model, monkeypatch):
    asked = {}

    def remember(dataset, network, defence, *, keys, recipe, **_):
        asked.update(model=(dataset, network, defence), keys=len(keys), recipe=recipe)
        raise KeyboardInterrupt

    dataset, network, defence = zoo.parse(model)
    expected = {"model": (dataset, network, defence), "keys": 0 if defence == "classical" else 1}
    monkeypatch.setattr(train, "fit", remember)
    cli.main(["train", model])
    assert asked == expected | {"recipe": RECIPES[model]}
    cli.main(["train", model, "--seed=7", "--rotate=0"])
    assert asked == expected | {"recipe": dataclasses.replace(RECIPES[model], seed=7, rotate=0.0)}


@pytest.mark.usefixtures("small_sets")
def test_a_key_that_is_given_is_the_one_trained_with_and_is_kept(kerckhoffs_home, tmp_path):
    key = Key.generate(VALUES)
    path = key.save(tmp_path / "mine.json")
    for _ in range(2):  # the second time it is kept already
        assert cli.main(["train", KEYED, *QUICK, f"--key={path}"]) == 0
    assert zoo.card(KEYED, kerckhoffs_home / "models").keys == (key.fingerprint,)
    assert only_key(kerckhoffs_home).stem == key.fingerprint
    assert path.exists()


@pytest.mark.usefixtures("small_sets")
def test_a_published_key_lies_beside_the_weights_and_a_second_run_uses_it_again(kerckhoffs_home, tmp_path, capsys):
    arguments = ["train", KEYED, *QUICK, f"--out={tmp_path}", "--publish-key"]
    assert cli.main(arguments) == 0
    first = zoo.card(KEYED, tmp_path)
    assert first.key_files == (f"{KEYED}.key.json",)
    path = tmp_path / first.key_files[0]
    assert mode(path) == 0o644
    before = path.read_bytes()
    key = Key.load(path, public=True)
    assert (key.fingerprint,) == first.keys
    assert sorted(shlex.split(first.command)[3:]) == sorted(arguments)
    assert not (kerckhoffs_home / "keys").exists()

    assert cli.main(arguments) == 0
    second = zoo.card(KEYED, tmp_path)
    assert (second.keys, second.sha256) == (first.keys, first.sha256)
    assert path.read_bytes() == before
    assert zoo.load(KEYED, folder=tmp_path)
    assert_silent_about(key, "".join(capsys.readouterr()))


@pytest.mark.usefixtures("small_sets")
def test_stopping_after_an_epoch_keeps_the_best_so_far_and_ends_with_130(stop_at, kerckhoffs_home, capsys):
    stop_at(3)  # the first step of the second epoch
    assert cli.main(["train", KEYED, *QUICK]) == 130
    folder = kerckhoffs_home / "models"
    card = zoo.card(KEYED, folder)
    assert card.training["stopped"] is True
    assert card.training["best_epoch"] == 1
    assert zoo.load(KEYED, folder=folder)
    assert str(folder / card.file) in capsys.readouterr().out


@pytest.mark.usefixtures("small_sets")
def test_stopping_before_the_first_epoch_is_over_keeps_nothing_and_says_so(stop_at, kerckhoffs_home, capsys):
    stop_at(2)
    assert cli.main(["train", KEYED, *QUICK]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert "stopped before the first epoch was over: there is no model to keep. The same command goes on" in err
    assert not (kerckhoffs_home / "models").exists()


@pytest.mark.usefixtures("small_sets")
def test_the_key_is_kept_before_training_starts(monkeypatch, kerckhoffs_home):
    fit = train.fit

    def look_first(*arguments, keys, **options):
        [key] = keys
        assert Key.load(zoo.user_key_path(key.fingerprint)).fingerprint == key.fingerprint
        return fit(*arguments, keys=keys, **options)

    monkeypatch.setattr(train, "fit", look_first)
    assert cli.main(["train", KEYED, *QUICK]) == 0
    assert places.home() == kerckhoffs_home
    assert only_key(kerckhoffs_home)


@pytest.mark.usefixtures("small_sets")
def test_progress_shows_epoch_loss_and_validation_error_on_stderr(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["train", CLASSICAL, *QUICK]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"^epoch 1, validation: clean error \d+\.\d\d %$", err, re.MULTILINE)
    assert re.search(r"epoch 2, loss \d\.\d{3}", err)
    assert "100%" in err
    assert "validation: " not in out


@pytest.mark.usefixtures("quarters")
def test_progress_names_what_is_trained_on_the_way_and_the_attacked_error(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(ENSEMBLE) == 0
    lines = capsys.readouterr().err.splitlines()
    told = [line.split(" error ")[0] for line in lines if "validation" in line]
    assert told == [
        "pool 2 of 3: epoch 1, validation: clean",
        "epoch 1, validation: clean",
        "epoch 2, validation: clean",
    ]
    assert re.search(r"^epoch 2, validation: clean error \d+\.\d\d %, attacked \d+\.\d\d %$", "\n".join(lines), re.M)


# Other trainings


@pytest.fixture
def quarters(monkeypatch: pytest.MonkeyPatch) -> None:
    training.register(monkeypatch)


def card_of(command: list[str], folder: Path | None = None) -> zoo.ModelCard:
    return zoo.card(command[1], folder or zoo.own_folder())


@pytest.mark.usefixtures("quarters")
@pytest.mark.parametrize("command", [DISTILLED, ADVERSARIAL, ENSEMBLE, KDA], ids=lambda command: command[1])
def test_every_training_ends_with_a_card_and_a_model_that_loads(command, kerckhoffs_home):
    assert cli.main(command) == 0
    card = card_of(command)
    assert card.defence == command[1].removeprefix("quarters-tiny-")
    assert sorted(shlex.split(card.command)[3:]) == sorted(command)
    model = zoo.load(zoo.OWN + command[1])
    assert card.test_error == train.error_rate(model, *training.SETS["test"])
    assert card.validation_error == train.error_rate(model, *training.SETS["validation"])
    assert files(kerckhoffs_home / "training") == set()
    assert files(zoo.own_folder()) == {zoo.MANIFEST, card.file}
    assert card.keys == (only_key(kerckhoffs_home).stem,)


@pytest.mark.usefixtures("quarters")
def test_the_card_says_what_the_training_did():
    for command in (DISTILLED, ADVERSARIAL, ENSEMBLE):
        assert cli.main([*command, "--seed=3"]) == 0
    distilled, adversarial, ensemble = (card_of(each).training for each in (DISTILLED, ADVERSARIAL, ENSEMBLE))
    assert distilled["temperature"] == 20
    assert (adversarial["epsilon"], adversarial["attack_steps"]) == (0.1, 2)
    assert 0 <= adversarial["attacked_validation_error"] <= 1
    assert 0 <= ensemble["attacked_validation_error"] <= 1
    assert "attacked_validation_error" not in distilled
    assert ensemble["pool"] == [each.seed for each in train.pool.recipes(train.Recipe(seed=3))]
    assert not {"pool"} & (set(distilled) | set(adversarial))


# Float16


@pytest.mark.usefixtures("quarters")
def test_a_model_in_float16_is_half_the_file_and_is_loaded_as_float32(tmp_path):
    key = Key.generate(64).save(tmp_path / "key.json")
    whole, half = tmp_path / "whole", tmp_path / "half"
    assert cli.main([*SMALL, f"--key={key}", f"--out={whole}"]) == 0
    assert cli.main([*SMALL, f"--key={key}", f"--out={half}", "--float16"]) == 0
    written = [load_file(folder / card_of(SMALL, folder).file) for folder in (whole, half)]
    assert {value.dtype for value in written[1].values()} == {torch.float16}
    assert all(torch.equal(value.half(), written[1][name]) for name, value in written[0].items())
    bytes_ = [sum(value.nbytes for value in each.values()) for each in written]
    assert bytes_[1] * 2 == bytes_[0]
    model = zoo.load(SMALL[1], folder=half, key=Key.load(key))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert all(torch.equal(value, written[1][name].float()) for name, value in model.network.state_dict().items())
    assert "--float16" in shlex.split(card_of(SMALL, half).command)
    assert "--float16" not in shlex.split(card_of(SMALL, whole).command)


@pytest.mark.usefixtures("quarters")
def test_the_errors_of_a_model_in_float16_are_those_after_rounding(monkeypatch):
    judged = []
    monkeypatch.setattr(judging, "error_rate", lambda model, *_: judged.append(training.weights(model)) or 0.25)
    assert cli.main([*SMALL, "--float16"]) == 0
    assert len(judged) == 2
    assert all(torch.equal(each, each.half().float()) for each in judged)
    card = card_of(SMALL)
    assert (card.validation_error, card.test_error) == (0.25, 0.25)


# Going on


@pytest.mark.usefixtures("quarters")
@pytest.mark.parametrize(
    ("command", "stage", "step"),
    [
        (SMALL, "network", 9),
        (SMALL, "network", 2),
        (ADVERSARIAL, "network", 6),
        (KDA, "network", 5),
        (DISTILLED, "teacher", 6),
        (DISTILLED, "network", 10),
        (ENSEMBLE, "pool 2 of 3", 6),
        (ENSEMBLE, "network", 3),
    ],
    ids=str,
)
def test_the_same_command_goes_on_with_the_same_key_to_the_same_weights(
    command, stage, step, stop_at, kerckhoffs_home, tmp_path
):
    stop_at(step, stage)
    assert cli.main(command) == 130
    key = only_key(kerckhoffs_home)
    assert cli.main(command) == 0
    card = card_of(command)
    assert card.keys == (key.stem,)
    assert only_key(kerckhoffs_home) == key
    assert card.training["stopped"] is False
    assert files(kerckhoffs_home / "training") == set()
    assert cli.main([*command, f"--key={key}", f"--out={tmp_path / 'at once'}"]) == 0
    assert card_of(command, tmp_path / "at once").sha256 == card.sha256


@pytest.mark.usefixtures("quarters")
def test_it_goes_on_where_it_was_also_after_a_crash(stop_at, steps):
    stop_at(9, error=RuntimeError)
    with pytest.raises(RuntimeError):
        cli.main(SMALL)
    assert zoo.own_models() == {}
    steps.clear()
    assert cli.main(SMALL) == 0
    assert [each.step for each in steps] == [9, 10, 11, 12]


@pytest.mark.usefixtures("quarters")
def test_what_was_stopped_is_kept_for_its_owner_and_silent_about_the_key(stop_at, kerckhoffs_home, capsys):
    stop_at(9)
    assert cli.main(SMALL) == 130
    key = Key.load(only_key(kerckhoffs_home))
    [folder] = (kerckhoffs_home / "training").iterdir()
    assert files(folder) == {"keys.state", "network.state"}
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert {mode(each) for each in (folder, folder.parent)} == {0o700}
    assert_silent_about(key, "".join(capsys.readouterr()) + str(folder))
    for path in folder.iterdir():
        assert traces(path.read_bytes(), key) == []


@pytest.mark.usefixtures("quarters")
def test_a_model_that_was_stopped_is_replaced_by_the_one_that_is_complete(stop_at):
    stop_at(9)
    assert cli.main(SMALL) == 130
    assert card_of(SMALL).training["stopped"] is True
    assert cli.main(SMALL) == 0
    assert card_of(SMALL).training["stopped"] is False


@pytest.mark.usefixtures("quarters")
def test_fresh_begins_anew_with_another_key(stop_at, steps, kerckhoffs_home):
    stop_at(9)
    assert cli.main(SMALL) == 130
    key = only_key(kerckhoffs_home)
    steps.clear()
    assert cli.main([*SMALL, "--fresh"]) == 0
    assert steps[0].step == 1
    assert card_of(SMALL).keys != (key.stem,)
    assert key.exists(), "a key is never removed"
    assert "--fresh" not in shlex.split(card_of(SMALL).command)
    assert cli.main([*CLASSICAL_SMALL, "--fresh"]) == 0, "nothing was begun"


@pytest.mark.usefixtures("quarters")
@pytest.mark.parametrize("public", [False, True])
def test_behind_a_key_that_is_gone_it_begins_anew(public, stop_at, steps, kerckhoffs_home, tmp_path):
    command = [*SMALL, f"--out={tmp_path}"] + ["--publish-key"] * public
    stop_at(9)
    assert cli.main(command) == 130
    path = tmp_path / f"{SMALL[1]}.key.json" if public else only_key(kerckhoffs_home)
    path.unlink()
    steps.clear()
    assert cli.main(command) == 0
    assert steps[0].step == 1
    [key] = zoo.find_keys(card_of(SMALL, tmp_path), tmp_path)
    again = key.save(tmp_path / "again.json")
    assert cli.main([*SMALL, f"--key={again}", f"--out={tmp_path / 'other'}"]) == 0
    assert card_of(SMALL, tmp_path / "other").sha256 == card_of(SMALL, tmp_path).sha256


@pytest.mark.usefixtures("quarters")
def test_behind_a_published_key_it_goes_on_with_that(stop_at, steps, kerckhoffs_home, tmp_path):
    command = [*KDA, f"--out={tmp_path}", "--publish-key"]
    stop_at(9)
    assert cli.main(command) == 130
    before = (tmp_path / f"{KDA[1]}.key.json").read_bytes()
    steps.clear()
    assert cli.main(command) == 0
    assert [each.step for each in steps] == [9, 10, 11, 12]
    assert (tmp_path / f"{KDA[1]}.key.json").read_bytes() == before
    assert files(kerckhoffs_home) == {"training"}
    assert zoo.load(KDA[1], folder=tmp_path)


@pytest.mark.usefixtures("quarters")
@pytest.mark.parametrize("other", ["--epochs=2", "--seed=1", "--learning-rate=0.003", "--out=elsewhere"])
def test_another_command_does_not_go_on_with_it(other, stop_at, steps, kerckhoffs_home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stop_at(9)
    assert cli.main(SMALL) == 130
    steps.clear()
    assert cli.main([*SMALL, other]) == 0
    assert steps[0].step == 1
    assert len(files(kerckhoffs_home / "keys")) == 2
    steps.clear()
    assert cli.main(SMALL) == 0
    assert steps[0].step == 9, "the first is still there"


@pytest.mark.usefixtures("quarters")
def test_a_state_that_is_damaged_begins_anew(stop_at, steps, kerckhoffs_home):
    for name in ("keys", "network"):
        stop_at(9)
        assert cli.main(SMALL) == 130
        [folder] = (kerckhoffs_home / "training").iterdir()
        (folder / f"{name}.state").write_bytes(b"damaged")
        steps.clear()
        assert cli.main(SMALL) == 0
        assert steps[0].step == 1
