"""kerckhoffs challenge: what it prints, what it refuses, and that the key stays where it is."""

import re

import pytest

from kerckhoffs import cli, keys, zoo
from kerckhoffs.challenge import service
from kerckhoffs.keys import Cost
from tests import challenges
from tests.challenges import MODEL, TWIN
from tests.commands import assert_silent_about, mode

SMALL = ["--images=5", "--queries=50", "--rate=1000", "--at-once=16"]
WORDS = "correct horse battery staple"


@pytest.fixture
def key(kerckhoffs_home):
    return challenges.own_model()


def run(*arguments):
    return cli.main(["challenge", *map(str, arguments)])


def opened(capsys, *options):
    """The challenge that a command opened, and what it said."""
    assert run("new", MODEL, *SMALL, *options) == 0
    said = capsys.readouterr().out
    return service.find(re.search(r"challenge +([0-9a-f]{8})", said)[1]), said


def test_no_training_takes_the_name_of_a_hidden_classifier(key, capsys):
    opened(capsys)
    before = zoo.card(MODEL)
    assert cli.main(["train", MODEL.removeprefix(zoo.OWN), "--quick"]) == 2
    assert f"a challenge hides the key of {MODEL.removeprefix(zoo.OWN)} in" in capsys.readouterr().err
    assert zoo.card(MODEL) == before
    assert [each.fingerprint for each in keys.listed()[0]] == [key.fingerprint]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("new", "Missing argument"),
        ("new nothing", "unknown model 'nothing'"),
        ("new mnist-table1-keyed", "has a public key, and a challenge hides one: train one under a fresh key first: "),
        ("new mnist-table1-keyed", "kerckhoffs train mnist-table1-keyed --quick --name NAME"),
        (f"new {TWIN}", "has no key"),
        (f"new {MODEL} --norm l0", "--norm"),
        (f"new {MODEL} --budget 2", "budget must be above 0 and at most 1 in linf, but is 2.0"),
        (f"new {MODEL} --images 0", "images must be between 1 and 1000, but is 0"),
        (f"new {MODEL} --rate 10", "at_once must be at most rate, 10, but is 64"),
        ("serve", "there is no open challenge; open one: kerckhoffs challenge new MODEL"),
        ("status", "there is no challenge in"),
        ("status ../x", "there is no such challenge here"),
        ("reveal", "there is no challenge in"),
        ("reveal 0badcafe", "there is no such challenge here"),
    ],
)
def test_bad_arguments_end_with_status_2_and_one_line_and_write_nothing(key, command, reason, capsys):
    assert run(*command.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert reason in err
    assert not service.folder().exists()


def test_a_new_one_says_its_commitment_and_keeps_its_opening(key, capsys):
    found, said = opened(capsys, "--hours", "2", "--answers", "scores", "--norm", "l2", "--budget", "1.5")
    assert f"commitment   {found.commitment}" in said
    assert f"ends         {found.rules.end:%Y-%m-%d %H:%M} UTC" in said
    assert (found.rules.answers, found.rules.norm, found.rules.budget) == ("scores", "l2", 1.5)
    assert found.rules.end.timestamp() - found.begun == pytest.approx(7200, abs=5)
    assert mode(keys.kept_at(found.commitment)) == 0o600
    assert "invitation" not in said
    assert_silent_about(key, said)


def test_it_lasts_a_week_unless_told_otherwise(key, capsys):
    found, _ = opened(capsys)
    assert found.rules.end.timestamp() - found.begun == pytest.approx(7 * 86400, abs=5)


def test_an_invitation_is_printed_once(key, capsys):
    found, said = opened(capsys, "--invitation")
    word = re.search(r"invitation +(\S+)", said)[1]
    assert found.join("team", word)
    assert run("status") == 0
    assert word not in capsys.readouterr().out


def test_the_status_is_the_rules_and_the_leaderboard(key, capsys):
    found, _ = opened(capsys)
    team = found.team(found.join("Ünal"))
    done = found.submit(team, challenges.adversarial(found, 0.2))
    assert run("status", found.id) == 0
    said = capsys.readouterr().out
    assert f"{found.id}, open, {MODEL}" in said
    assert found.commitment in said
    assert re.search(rf"1 +Ünal +{done.fooled} +5 +5\n", said)
    assert "**" not in said


def test_before_the_end_the_reveal_asks_for_early_and_then_anyone_can_verify(key, capsys, tmp_path):
    found, _ = opened(capsys)
    assert run("reveal") == 2
    assert "--early reveals its key now" in capsys.readouterr().err
    assert run("reveal", "--early") == 0
    out, err = capsys.readouterr()
    command = re.search("verify it +kerckhoffs (.*)", out)[1].split()
    assert command[:3] == ["key", "verify", found.commitment]
    assert f"HOLDS THE KEY {key.fingerprint}" in err
    assert MODEL in err
    assert cli.main(command) == 0
    assert f"the commitment is to the key {key.fingerprint}, model {MODEL}" in capsys.readouterr().out
    assert cli.main(["key", "verify", "0" * 64, command[3]]) == 1
    assert run("status") == 0
    assert f"{found.id}, revealed" in capsys.readouterr().out
    assert run("serve") == 2, "nothing is open any more"


def test_a_locked_key_is_opened_with_its_passphrase_and_never_shown(key, capsys, tmp_path):
    path = zoo.user_key_path(key.fingerprint)
    path.unlink()
    key.save(path, passphrase=WORDS, cost=Cost(n=2, r=1))
    words = tmp_path / "words"
    words.write_text(WORDS + "\n")
    words.chmod(0o600)
    found, said = opened(capsys, "--passphrase-file", words)
    keys.lock(key.fingerprint)
    assert run("reveal", "--early") == 2
    assert "is locked with a passphrase" in capsys.readouterr().err
    assert found.state == "open"
    assert run("reveal", "--early", "--passphrase-file", words) == 0
    keys.lock(key.fingerprint)
    said += "".join(capsys.readouterr())
    assert_silent_about(key, said)
    assert WORDS not in said


def test_the_newest_is_meant_where_none_is_named(key, capsys):
    opened(capsys)
    challenges.own_model(challenges.OTHER)
    second = challenges.opened(challenges.OTHER)
    assert run("status") == 0
    assert second.id in capsys.readouterr().out


def test_an_address_that_is_taken_is_said(key, capsys):
    found, _ = opened(capsys)
    with challenges.served(found.id) as client:
        assert run("serve", "--port", client.port) == 2
    assert f"cannot listen at 127.0.0.1:{client.port}" in capsys.readouterr().err
