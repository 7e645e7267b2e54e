import dataclasses
import re
import shlex
import stat
from pathlib import Path

import pandas as pd
import pytest
import torch

from kerckhoffs import cli, data, places, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.bench import contestants
from kerckhoffs.bench.contestants import SUITES
from kerckhoffs.checks import FileRefused
from kerckhoffs.defences import DefendedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.zoo import networks, train
from kerckhoffs.zoo.train import RECIPES

KEYED, CLASSICAL = "mnist-table1-keyed", "mnist-table1-classical"
QUICK = ["--epochs=2", "--batch-size=10"]  # 2 steps an epoch
VALUES = 28 * 28


@pytest.fixture
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every split is a handful of noisy images."""

    def load(dataset: str, split: str = "test") -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(len(split))
        count = {"train": 20, "validation": 10, "test": 8}[split]
        return torch.rand(count, 1, 28, 28, generator=generator), torch.arange(count) % 10

    monkeypatch.setattr(data, "load", load)


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch):
    """Press Ctrl-C after a step of training."""
    fit = train.fit

    def stop(step: int) -> None:
        def interrupted(*arguments, on_step, **options):
            def and_stop(progress: train.Progress) -> None:
                on_step(progress)
                if progress.step == step:
                    raise KeyboardInterrupt

            return fit(*arguments, on_step=and_stop, **options)

        monkeypatch.setattr(train, "fit", interrupted)

    return stop


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def only_key(home: Path) -> Path:
    [path] = (home / "keys").iterdir()
    return path


def write_secret(path: Path, length: int = 16) -> Path:
    path.write_bytes(bytes(range(length)))
    path.chmod(0o600)
    return path


def assert_silent_about(key: Key, text: str) -> None:
    """None of the key's values can be read, not even cut to six decimals."""
    assert not [value for value in key.values.tolist() if f"{value:.7f}"[:-1] in text]


# Bad arguments


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("fit", "fit"),
        ("--epochs 3", "--epochs"),
        ("key", "Missing command"),
        ("key print", "print"),
        ("key new --length 1", "length must be between 2 and 2097152, but is 1"),
        ("key new --length -5", "length must be between 2 and 2097152, but is -5"),
        ("key new --length many", "--length"),
        ("key new --secret secret.bin", "--secret and --context go together"),
        ("key new --context channel-3", "--secret and --context go together"),
        ("key new --secret missing.bin --context c", "cannot read the key missing.bin"),
        ("key new extra", "extra"),
        ("key show", "Missing argument"),
        ("key show missing.json", "there is no file missing.json, and no key with that fingerprint in "),
        ("key show 0123456789abcdef0123456789abcdef", "no key with that fingerprint in "),
        ("key show .", "cannot read the key"),
        ("key show missing.json --secret s", "--secret"),
        ("train", "Missing argument 'model'"),
        ("train mnist", "unknown model 'mnist'; choose one of: mnist-table1-classical, "),
        ("train mnist-table3-keyed", "unknown model 'mnist-table3-keyed'"),
        (f"train {KEYED} extra", "extra"),
        (f"train {KEYED} --momentum 0.9", "--momentum"),
        (f"train {KEYED} --epochs ten", "--epochs"),
        (f"train {KEYED} --epochs 1.5", "--epochs"),
        (f"train {KEYED} --epochs", "--epochs"),
        (f"train {KEYED} --epochs 0", "epochs must be a whole number from 1, but is 0"),
        (f"train {KEYED} --batch-size 0", "batch_size must be a whole number from 1, but is 0"),
        (f"train {KEYED} --learning-rate nan", "learning_rate must be between 0 and 1, but is nan"),
        (f"train {KEYED} --weight-decay -1", "weight_decay must be between 0 and 100, but is -1.0"),
        (f"train {KEYED} --average 1", "average must be in [0, 1), but is 1.0"),
        (f"train {KEYED} --rotate inf", "rotate must be between 0 and 180, but is inf"),
        (f"train {KEYED} --shift -2", "shift must be between 0 and 28, but is -2.0"),
        (f"train {KEYED} --scale 5", "scale must be in [0, 1), but is 5.0"),
        (f"train {KEYED} --seed -1", "seed must be a whole number from 0, but is -1"),
        (f"train {KEYED} --key missing.json", "cannot read the key missing.json: No such file or directory"),
        (f"train {CLASSICAL} --key some.json", "is a classical classifier and takes no key"),
        (f"train {CLASSICAL} --publish-key", "is a classical classifier and takes no key"),
        ("bench extra", "extra"),
        ("bench --suite fast", "unknown suite 'fast'; choose one of: cw_l2, cw_l0, cw_linf, quick"),
        ("bench --attacks fgms", "unknown attack 'fgms'; choose one of: "),
        ("bench --attacks fgsm,fgsm:epsilon=2", "epsilon must be between 0 and 1, but is 2"),
        ("bench --attacks fgsm:radius=2", "'fgsm:radius=2' must be written id:option=value, with options: "),
        ("bench --attacks fgsm --peers foolbox.cw", "unknown peer 'foolbox.cw'"),
        ("bench --attacks none", "nobody is left to measure"),
        ("bench --attacks fgsm --model mnist", "unknown model 'mnist'; choose one of: "),
        ("bench --attacks fgsm --images 0", "images must be between 1 and 99"),
        ("bench --attacks fgsm --images 1001", "those that the model reads right, but is 1001"),
        ("bench --attacks fgsm --targets some", "unknown targets 'some'; choose one of: random, all, none"),
        ("bench --attacks fgsm --seed -1", "--seed"),
        ("bench --attacks fgsm --batch -1", "--batch"),
        ("bench --attacks fgsm --threads 0", "--threads"),
        ("bench --attacks fgsm --csv no/table.csv", "there is no folder no to write table.csv to"),
        ("bench --attacks fgsm --csv .", ". is a folder; name a file in it"),
        ("bench --attacks fgsm --plot no/curve.html", "there is no folder no to write curve.html to"),
        ("bench --attacks fgsm --curve no/curve.csv", "there is no folder no to write curve.csv to"),
    ],
)
def test_bad_arguments_end_with_status_2_and_one_line_and_leave_nothing(
    command, reason, kerckhoffs_home, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    assert cli.main(command.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert reason in err
    assert not kerckhoffs_home.exists()


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


def test_a_key_that_is_not_the_published_one_is_refused_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "fit", lambda *_, **__: pytest.fail("trained"))
    published = Key.generate(VALUES).save(tmp_path / f"{KEYED}.key.json", public=True)
    before = published.read_bytes()
    mine = Key.generate(VALUES).save(tmp_path / "mine.json")
    assert cli.main(["train", KEYED, f"--key={mine}", f"--out={tmp_path}", "--publish-key"]) == 2
    assert f"{published} is another key than {mine}; remove one of them" in capsys.readouterr().err
    assert published.read_bytes() == before


@pytest.mark.usefixtures("small_sets")
def test_models_are_written_to_the_folder_of_ones_own_ones(kerckhoffs_home, tmp_path, monkeypatch):
    monkeypatch.setenv("KERCKHOFFS_OWN_MODELS", str(tmp_path / "mine"))
    assert cli.main(["train", CLASSICAL, *QUICK]) == 0
    assert files(tmp_path / "mine") == {zoo.MANIFEST, f"{CLASSICAL}.safetensors"}
    assert zoo.card(zoo.OWN + CLASSICAL).title == "MNIST, Table 1, classical, yours"
    assert not zoo.card(CLASSICAL).own
    assert "--out" not in zoo.card(zoo.OWN + CLASSICAL).command
    assert not kerckhoffs_home.exists()


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


@pytest.mark.parametrize("arguments", [[], ["--help"], ["key", "--help"], ["train", "--help"]])
def test_help_is_no_error(arguments, capsys):
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    assert "Usage: python -m kerckhoffs" in out
    assert err == ""


def test_arguments_come_from_the_command_line_by_default(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["kerckhoffs", "key", "new", "--length=1"])
    assert cli.main() == 2
    assert "length must be between 2 and 2097152, but is 1" in capsys.readouterr().err


# Keys


def test_a_new_key_is_kept_where_only_its_owner_reads_it_and_is_never_printed(kerckhoffs_home, capsys):
    assert cli.main(["key", "new"]) == 0
    out, err = capsys.readouterr()
    path = only_key(kerckhoffs_home)
    key = Key.load(path)
    assert mode(path) == 0o600
    assert len(key) == VALUES
    assert path.name == f"{key.fingerprint}.json"
    assert key.fingerprint in out
    assert "6413 bits, drawn value by value from the operating system's entropy" in out
    assert "784 values" in out
    assert str(path) in out
    assert_silent_about(key, out + err)


def test_every_new_key_is_another_one(kerckhoffs_home):
    assert [cli.main(["key", "new"]) for _ in range(2)] == [0, 0]
    assert len(files(kerckhoffs_home / "keys")) == 2


def test_a_key_has_the_length_and_the_file_that_were_asked_for(kerckhoffs_home, tmp_path, capsys):
    path = tmp_path / "folder" / "mine.json"
    assert cli.main(["key", "new", "--length=10", f"--out={path}"]) == 0
    assert len(Key.load(path)) == 10
    assert mode(path) == 0o600
    assert "22 bits" in capsys.readouterr().out  # log2(10!) = 21.8
    assert not kerckhoffs_home.exists()


def test_a_key_never_replaces_a_file(tmp_path, capsys):
    path = tmp_path / "mine.json"
    path.write_text("precious")
    assert cli.main(["key", "new", f"--out={path}"]) == 2
    assert capsys.readouterr().err == f"error: {path} exists already; a key is never overwritten\n"
    assert path.read_text() == "precious"


@pytest.mark.parametrize("length", [16, 32])
def test_a_derived_key_is_worth_the_bits_of_its_secret(length, kerckhoffs_home, tmp_path, capsys):
    secret = write_secret(tmp_path / "secret.bin", length)
    assert cli.main(["key", "new", f"--secret={secret}", "--context=channel 3"]) == 0
    out = capsys.readouterr().out
    assert f"{8 * length} bits, derived from a master secret of {8 * length} bits" in out
    assert "6413" not in out
    key = Key.load(only_key(kerckhoffs_home))
    assert key.fingerprint == Key.derive(secret.read_bytes(), VALUES, "channel 3").fingerprint
    assert_silent_about(key, out)
    assert secret.read_bytes().hex() not in out


def test_a_secret_that_others_can_read_is_refused_with_what_to_do(kerckhoffs_home, tmp_path, capsys):
    secret = write_secret(tmp_path / "secret.bin")
    secret.chmod(0o644)
    assert cli.main(["key", "new", f"--secret={secret}", "--context=c"]) == 2
    assert f"run: chmod 600 {secret}" in capsys.readouterr().err
    assert not kerckhoffs_home.exists()


def test_a_key_is_shown_by_its_path_and_by_its_fingerprint_but_not_its_values(kerckhoffs_home, capsys):
    cli.main(["key", "new"])
    made = capsys.readouterr().out
    path = only_key(kerckhoffs_home)
    for name in (str(path), path.stem):
        assert cli.main(["key", "show", name]) == 0
        assert capsys.readouterr().out == made
    assert_silent_about(Key.load(path), made)


def test_a_key_that_others_can_read_is_shown_only_as_a_public_one(tmp_path, capsys):
    path = Key.generate(10).save(tmp_path / "demonstration.json", public=True)
    assert cli.main(["key", "show", str(path)]) == 2
    said = f"others can read {path}: add --public if it is a demonstration key, or else run: chmod 600 {path}\n"
    assert capsys.readouterr().err == f"error: {said}"
    assert cli.main(["key", "show", str(path), "--public"]) == 0
    assert Key.load(path, public=True).fingerprint in capsys.readouterr().out


# Training


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
    assert (card.validation_error, card.test_error, card.test_samples) == (0.2, 7 / 8, 8)  # labels 0 to 7
    assert (card.training["best_epoch"], card.training["seconds"]) == (5, 62)
    said = "in percent with 95 % intervals: validation error 20.0 (5.7 to 51.0), test error 87.5 (52.9 to 97.8)"
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

    def remember(dataset, network, defence, *, keys, recipe, on_step):
        asked.update(model=(dataset, network, defence), keys=len(keys), recipe=recipe)
        raise KeyboardInterrupt

    dataset, network, defence = model.rsplit("-", 2)
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
    assert "stopped before the first epoch was over: there is nothing to keep" in err
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
def test_progress_shows_epoch_loss_and_best_error_on_stderr(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["train", CLASSICAL, *QUICK]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"epoch 2/2, loss \d\.\d{3}, best \d+\.\d\d %", err)
    assert "100%" in err
    assert "epoch 2/2" not in out


# Benchmarks


BENCH = ["bench", "--images=2", "--peers=none"]


@pytest.fixture(autouse=True)
def threads():
    """The number of threads that --threads changes is put back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_bench_prints_a_row_an_attack_and_writes_what_is_asked_for(tmp_path, capsys):
    csv, curve = tmp_path / "table.csv", tmp_path / "curve.csv"
    written = [f"--csv={csv}", f"--curve={curve}", f"--plot={tmp_path / 'curve.html'}"]
    assert cli.main([*BENCH, "--suite=quick", "--threads=1", "--seed=3", *written]) == 0
    out, err = capsys.readouterr()
    assert "threads 1" in out.splitlines()[0]
    assert "targets random, seed 3, batch 2, examples 2" in out.splitlines()[0]
    attacks = list(SUITES["quick"].attacks)
    assert [line.split("|")[1].strip() for line in out.splitlines()[3 : 3 + len(attacks)]] == attacks
    assert "2/2" in err
    assert "left out" not in err
    table = pd.read_csv(csv)
    assert table["attack"].tolist() == attacks
    assert table["error"].isna().all()
    assert (table["gradients"] >= 1).all()
    assert table[["model", "targets", "seed", "batch", "threads"]].drop_duplicates().to_numpy().tolist() == [
        ["mnist-table2-classical", "random", 3, 2, 1]
    ]
    assert set(pd.read_csv(curve)["attack"]) == set(attacks)
    assert files(tmp_path) == {"table.csv", "curve.csv", "curve.html"}


def test_bench_takes_lists_both_ways_and_every_target(tmp_path):
    csv = tmp_path / "table.csv"
    lists = ["--attacks=fgsm:epsilon=0.1,fgsm:epsilon=0.2", "--attacks=fgsm"]
    assert cli.main([*BENCH, *lists, "--targets=all", "--batch=4", f"--csv={csv}"]) == 0
    table = pd.read_csv(csv)
    assert table["attack"].tolist() == ["fgsm:epsilon=0.1", "fgsm:epsilon=0.2", "fgsm"]
    assert table["examples"].tolist() == [18] * 3
    assert table["batch"].tolist() == [4] * 3
    assert cli.main([*BENCH, "--attacks=fgsm", "--targets=none", f"--csv={csv}"]) == 0
    assert pd.read_csv(csv)[["targets", "examples"]].to_numpy().tolist() == [["none", 2]]


def test_bench_says_which_peers_are_left_out(monkeypatch, capsys):
    monkeypatch.setattr(contestants, "installed", lambda library: False)
    assert cli.main(["bench", "--images=1", "--attacks=fgsm", "--peers=art.cw_l0,adv_lib.ddn"]) == 0
    out, err = capsys.readouterr()
    assert "left out: art.cw_l0; adversarial-robustness-toolbox is not installed (benchmarks/README.md)\n" in err
    assert "left out: adv_lib.ddn; adv-lib is not installed" in err
    assert "art.cw_l0" not in out


def test_an_attack_that_crashes_is_a_row_and_the_others_go_on(monkeypatch, capsys):
    def crash(*_, **__):
        raise RuntimeError("boom")

    monkeypatch.setitem(ATTACKS, "fgsm", dataclasses.replace(ATTACKS["fgsm"], function=crash))
    assert cli.main([*BENCH, "--attacks=fgsm,cw_l2:iterations=2"]) == 0
    out, _ = capsys.readouterr()
    assert "fgsm: ERROR, nothing can be said of it: RuntimeError: boom" in out
    assert "cw_l2:iterations=2: kerckhoffs" in out


def test_stopping_a_bench_prints_what_is_done_and_ends_with_130(monkeypatch, tmp_path, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setitem(ATTACKS, "cw_l2", dataclasses.replace(ATTACKS["cw_l2"], function=interrupted))
    csv = tmp_path / "table.csv"
    assert cli.main([*BENCH, "--attacks=fgsm,cw_l2", f"--csv={csv}"]) == 130
    out, err = capsys.readouterr()
    assert "fgsm: kerckhoffs" in out
    assert "stopped" in err
    assert pd.read_csv(csv)["attack"].tolist() == ["fgsm"]
