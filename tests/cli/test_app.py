import dataclasses
from pathlib import Path

import pandas as pd
import pytest
import torch

from kerckhoffs import cli
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.bench import contestants
from kerckhoffs.bench.contestants import SUITES
from kerckhoffs.keys import Key
from kerckhoffs.zoo import train
from tests.commands import assert_silent_about, files, mode, only_key

KEYED, CLASSICAL = "mnist-table1-keyed", "mnist-table1-classical"
VALUES = 28 * 28


def write_secret(path: Path, length: int = 16) -> Path:
    path.write_bytes(bytes(range(length)))
    path.chmod(0o600)
    return path


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
        (
            "train mnist",
            "unknown model 'mnist': it is <mnist|fashion-mnist>-<table1|table2|half|mlp|linear>-<defence>, for ",
        ),
        ("train mnist-table1-shuffle-3", "unknown defence 'shuffle-3'; choose one of: classical, keyed, "),
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
        (f"train {KEYED} --seed 1000000", "seed must be below 1000000, but is 1000000"),
        (f"train {KEYED} --epsilon 0.1", "epsilon must be left out of clean training, but is 0.1"),
        (f"train {KEYED} --float16=yes", "--float16"),
        ("train mnist-table1-adversarial --epsilon 0", "epsilon must be above 0 for adversarial training, but is 0.0"),
        ("train mnist-table1-adversarial --epsilon 2", "epsilon must be between 0 and 1, but is 2.0"),
        ("train mnist-table1-adversarial --attack-steps 0", "attack_steps must be a whole number from 1, but is 0"),
        ("train mnist-table1-adversarial --temperature 5", "temperature must be left out of adversarial training"),
        ("train mnist-table1-adversarial --key some.json", "adversarially trained classifier and takes no key"),
        ("train mnist-half-keyed-ensemble-adversarial --epsilon 0", "epsilon must be above 0 for ensemble-adv"),
        ("train mnist-half-distilled --attack-steps 3", "attack_steps must be left out of distilled training"),
        ("train mnist-half-distilled --temperature 0", "temperature must be above 0 and at most 10000, but is 0.0"),
        ("defences prayer", "unknown defence 'prayer'; choose one of: classical, keyed, "),
        ("defences keyed kda", "kda"),
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


@pytest.mark.parametrize("arguments", [[], ["--help"], ["key", "--help"], ["train", "--help"], ["defences", "--help"]])
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
