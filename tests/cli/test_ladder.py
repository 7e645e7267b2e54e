import shutil

import pandas as pd
import pytest

from kerckhoffs import attackers, zoo
from kerckhoffs.attackers import ATTACKERS
from kerckhoffs.cli.app import main

LADDER = ["ladder", "mnist-half-keyed", "--samples", "4", "--epsilon", "0.3"]
QUICK = [*LADDER, "--rung", "noise,own-key,key"]


def test_the_ladder_is_printed_rung_by_rung_with_the_key_advantage(tmp_path, capsys):
    assert main([*QUICK, "--control", "mnist-table1-classical", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    places = [said.index(f"| {name} |") for name in ("noise", "own-key", "key")]
    assert places == sorted(places)
    assert "key advantage %" in said
    assert main(["ladder", "--resume", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == said
    lines = pd.read_csv(tmp_path / "run" / "summary.csv")
    assert set(lines["attacker"]) == {"noise", "own-key", "key"}
    assert lines["error"].between(0, 1).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ladder"], "name at least one defended classifier"),
        ([*LADDER, "--rung", "ghost"], "unknown rung 'ghost'"),
        (
            [*LADDER, "--control", "mnist-table1-classical,mnist-table2-classical"],
            "each key needs a control of its own",
        ),
        (["ladder", "mnist-half-keyed", "mnist-table1-keyed"], "one set, network and defence"),
        (["ladder", "mnist-table9-keyed"], "unknown model"),
        (["attackers", "make", "nobody@mnist-half-keyed"], "unknown attacker 'nobody'"),
        (
            ["evaluate", "--attack=fgsm", "--crafted-on=own-keys@mnist-half-keyed", "--evaluated-on=mnist-half-keyed"],
            "attackers make own-keys:number=4:of=logits@mnist-half-keyed",
        ),
    ],
)
def test_bad_arguments_end_with_status_2_and_one_line(arguments, sentence, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_what_is_missing_is_made_first(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(attackers, "make", lambda id_, folder, show: asked.append(id_))
    assert main([*LADDER, "--rung", "bypass", "--out", str(tmp_path / "run")]) == 130
    assert asked == ["bypass@mnist-half-keyed"]
    assert "stopped; the same command goes on" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_all_attackers_are_listed_with_what_they_know(capsys):
    assert main(["attackers", "list"]) == 0
    said = capsys.readouterr().out
    for each in ATTACKERS.values():
        assert f"\n{each.id}" in f"\n{said}"
        assert each.summary in said
    assert "own-keys:number=4:of=logits\n" in said


def test_who_need_not_make_anything_is_told_so(capsys):
    assert main(["attackers", "make", "twin@mnist-table1-keyed"]) == 0
    assert "it is mnist-table1-classical" in capsys.readouterr().err


def test_in_a_folder_of_ones_own_the_attackers_networks_are_the_shipped_ones(tmp_path, capsys):
    zoo.save(zoo.card("mnist-half-keyed"), zoo.load_network("mnist-half-keyed"), tmp_path)
    for name in zoo.card("mnist-half-keyed").key_files:
        shutil.copy(zoo.shipped_folder() / name, tmp_path)
    rungs = ["--rung", "data,twin", "--models", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main([*LADDER, *rungs]) == 0
    assert "| twin |" in capsys.readouterr().out
