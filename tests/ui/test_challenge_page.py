"""Beat the key on its page: opened by the owner, played by teams, revealed, verified."""

import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from streamlit import config

from kerckhoffs import keys
from kerckhoffs.challenge import service
from kerckhoffs.challenge.store import Standing
from kerckhoffs.ui import models
from kerckhoffs.ui.challenge import verify
from kerckhoffs.ui.keylab import owner
from kerckhoffs.zoo import own_folder, user_key_path
from tests import challenges
from tests.challenges import MODEL, adversarial
from tests.foreign import SEEDS, active_on
from tests.leaks import traces
from tests.pages import SECONDS, address, opened, words

pytestmark = pytest.mark.usefixtures("fresh_caches")


@pytest.fixture
def key(kerckhoffs_home):
    return challenges.own_model()


@pytest.fixture
def challenge(key):
    return challenges.opened()


@pytest.fixture
def here(monkeypatch):
    """The app listens to its own machine alone."""
    monkeypatch.setattr(owner, "LOCAL", (*owner.LOCAL, config.get_option("server.address")))


@pytest.fixture
def elsewhere(monkeypatch):
    monkeypatch.setattr(owner, "LOCAL", ())


def press(app, label):
    next(each for each in app.button if each.label.startswith(label)).click().run()
    assert not app.exception
    return app


def joined(app, name="The Ünals"):
    app.text_input(key="challenge_name").set_value(name)
    return press(app, "Join")


def token_of(app):
    return next(iter(app.session_state["challenge_tokens"].values()))


def codes(app):
    return [each.value for each in app.code]


def test_without_a_challenge_it_says_how_to_open_one(kerckhoffs_home, elsewhere):
    app = opened("challenge")
    assert "kerckhoffs challenge new MODEL" in words(app.info)
    assert not app.button


def test_the_rules_and_the_commitment_are_there_for_everybody(challenge, elsewhere):
    app = opened("challenge")
    assert challenge.rules.words() in words(app.markdown)
    assert challenge.commitment in codes(app)
    assert f"/api/challenge/{challenge.id}" in words(app.caption)
    assert "No team has joined yet" in words(app.caption)
    assert not any(each.label.startswith(("Open", "Reveal")) for each in app.button)


def test_of_several_one_is_chosen_and_in_the_address(challenge):
    challenges.own_model(challenges.OTHER)
    other = challenges.opened(challenges.OTHER)
    app = opened("challenge")
    assert other.commitment in codes(app), "the newest at first"
    app.selectbox(key="challenge_id").set_value(challenge.id).run()
    assert challenge.commitment in codes(app)
    assert address(app) == {"id": challenge.id}


def test_a_team_joins_sees_its_token_once_and_comes_back_with_it(challenge):
    app = joined(opened("challenge"))
    token = token_of(app)
    assert token in codes(app)
    assert "200 of 200 queries" in words(app.markdown)
    assert token not in str(app.query_params)
    assert token not in codes(press(app, "I have it"))
    again = opened("challenge")
    again.text_input(key="challenge_token").set_value(token)
    press(again, "Go on")
    assert "You are `The Ünals`" in words(again.markdown)
    assert token not in codes(again)
    assert "challenge_token" not in again.session_state or again.session_state["challenge_token"] == ""


def test_a_token_that_is_none_and_a_name_that_is_taken_are_sentences(challenge):
    challenge.join("taken")
    app = opened("challenge")
    app.text_input(key="challenge_token").set_value("nobody's")
    assert "this token is no team's here" in words(press(app, "Go on").error)
    assert "there is a team of this name already" in words(joined(app, "Taken").error)


def test_an_attack_on_the_twin_is_submitted_and_what_was_judged_is_shown(challenge):
    app = joined(opened("challenge"))
    press(app, "Craft on the twin")
    app.session_state["challenge_job"]._future.result(timeout=SECONDS)
    app.run()
    assert "MI-FGSM, crafted on mnist-linear-classical; not judged yet" in words(app.caption)
    press(app, "Submit: costs 6 queries")
    table = next(each.value for each in app.dataframe if "Counts" in each.value)
    counted = int((table["Counts"] == "yes").sum())
    assert counted == challenge.leaderboard()[0].fooled > 0
    assert f"**{counted} of 6** fool the keyed classifier" in words(app.success)
    assert "194 of 200 queries" in words(app.markdown)
    board = next(each.value for each in app.dataframe if "Place" in each.value)
    assert board.iloc[0][["Team", "Images fooled", "Queries for it"]].tolist() == ["The Ünals", counted, 6]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_attack_that_is_offered_can_be_given_the_budget(key, norm):
    from kerckhoffs.ui.challenge.craft import USUAL, offered, options

    rules = challenges.opened(norm=norm, budget=0.5).rules
    assert USUAL[norm] in [each.id for each in offered(rules)]
    for attack in offered(rules):
        assert attack.check_options(**options(attack, rules)).get("epsilon", 0.5) == 0.5


def uploaded(app, images):
    file = io.BytesIO()
    np.save(file, images)
    app.segmented_control(key="challenge_way").set_value("Upload a .npy file").run()
    app.file_uploader(key="challenge_file").set_value(("mine.npy", file.getvalue(), "application/octet-stream")).run()
    assert not app.exception
    return app


def test_a_file_is_submitted(challenge):
    app = uploaded(joined(opened("challenge")), adversarial(challenge).numpy())
    press(app, "Submit")
    assert len(challenge.best(challenge.team(token_of(app)))) == challenge.leaderboard()[0].fooled > 0


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (np.zeros((2, 1, 28, 28), np.float32), "the file has 2 images, but 6 are chosen"),
        (np.zeros((6, 28, 28), np.float32), "must have shape (N, 1, 28, 28)"),
        (np.zeros((6, 1, 28, 28), np.uint8), "must be float32, but are uint8"),
        (np.full((6, 1, 28, 28), np.nan, np.float32), "must be finite"),
        (np.array([{}], dtype=object), "must be float32, but are object"),
        (np.zeros((60, 1, 28, 28), np.float32), "bytes"),
    ],
)
def test_a_file_that_is_none_is_a_sentence(challenge, images, reason):
    app = uploaded(joined(opened("challenge")), images)
    assert reason in words(app.error)
    assert not any(each.label.startswith("Submit") for each in app.button)


def test_queries_that_are_spent_are_a_sentence(key):
    challenge = challenges.opened(queries=3)
    app = uploaded(joined(opened("challenge")), adversarial(challenge).numpy())
    press(app, "Submit")
    assert "this needs 6 queries, but 3 of 3 are left" in words(app.error)


def test_names_of_others_are_nothing_but_text(challenge, monkeypatch):
    teams = [Standing(name, 0, 0, 0, 0) for name in SEEDS if not name.startswith("\ud83d")]
    app = opened("challenge")
    ours = frozenset()
    before = active_on(app, ours)
    monkeypatch.setattr(service.Challenge, "leaderboard", lambda self: teams)
    app.run()
    assert active_on(app, ours) == before
    assert not any(str(each).startswith(("=", "+", "@")) for each in app.dataframe[0].value["Team"])


@pytest.mark.parametrize("name", [name for name in SEEDS if name.isprintable() and len(name) <= 40 and name.strip()])
def test_ones_own_name_is_code(challenge, name):
    app = opened("challenge")
    before = set(active_on(app))
    new = [each for each in active_on(joined(app, name)) if name.strip() in each[1]]
    assert [each for each in new if each not in before] == []


def test_the_owner_opens_one_and_nobody_else(key, here):
    app = opened("challenge")
    app.number_input(key="challenge_images").set_value(4)
    app.toggle(key="challenge_invited").set_value(True)
    press(app, "Open the challenge")
    [made] = service.listed()
    assert made.id in words(app.success)
    assert made.commitment in codes(app)
    assert (made.rules.model, len(made.rules.samples), made.invited) == (MODEL, 4, True)
    [word] = [each for each in codes(app) if each != made.commitment]
    assert made.join("team", word)
    assert word in codes(app.run()), "until it was seen"
    assert word not in codes(press(app, "I have the invitation"))


def test_the_owner_is_told_what_to_train(kerckhoffs_home, here):
    assert "kerckhoffs train mnist-table1-keyed --quick --name NAME" in words(opened("challenge").markdown)


def test_a_key_that_cannot_be_read_is_a_sentence(key, here):
    app = opened("challenge")
    user_key_path(key.fingerprint).unlink()
    assert "cannot read the key" in words(press(app, "Open the challenge").error)


def test_until_the_reveal_its_classifier_stands_in_no_other_menu(key, here):
    assert MODEL in models.cards()
    challenge = challenges.opened()
    assert MODEL not in models.cards()
    app = opened("play", right=MODEL)
    assert any("is none of" in each.value for each in app.warning)
    challenge.reveal(early=True)
    assert MODEL in models.cards()
    assert own_folder().is_dir()


def test_the_owner_reveals_and_everybody_verifies(challenge, key, here, monkeypatch):
    app = opened("challenge")
    assert traces(str(app.main).encode(), key) == []
    app.checkbox(key="challenge_sure").check().run()
    press(app, "Reveal now, before the end")
    assert challenge.state == "revealed"
    assert f"the commitment is to the key `{key.fingerprint}`" in words(app.caption) or key.fingerprint in words(
        app.caption
    )
    assert f"kerckhoffs key verify {challenge.commitment} {challenge.id}.reveal.json" in codes(app)
    assert not any(each.label.startswith("Reveal") for each in app.button)
    assert "It has ended" in words(app.markdown)


PROGRAM = """
const reveal = JSON.parse(require('fs').readFileSync(0));
commitmentOf(reveal).then((found) => console.log(found));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine")
def test_the_browsers_script_takes_no_other_nonce_under_which_one_commitment_opens_to_two_keys():
    commitment, honest, forged = challenges.two_openings()
    command = [shutil.which("node"), "-e", verify.COMMITMENT + PROGRAM]
    said = subprocess.run(command, input=honest, capture_output=True, check=True, timeout=60).stdout.decode()
    assert said.strip() == commitment
    refused = subprocess.run(command, input=forged, capture_output=True, check=False, timeout=60)
    assert refused.returncode
    assert b"a nonce has 32 bytes" in refused.stderr
    with pytest.raises(ValueError, match="32 bytes"):
        keys.Reveal.read(forged, "a forged reveal")


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine")
@pytest.mark.parametrize("note", ["", "Ünal 🙂 2026"])
@pytest.mark.parametrize("derived", [False, True])
def test_the_browsers_script_computes_the_commitment(note, derived):
    key = keys.Key.derive(bytes(32), 20, "a script") if derived else keys.Key.generate(20)
    commitment, opening = keys.commit(key, model=MODEL, weights="ab" * 32, note=note)
    shown = keys.reveal(key, opening).write()
    command = [shutil.which("node"), "-e", verify.COMMITMENT + PROGRAM]
    said = subprocess.run(command, input=shown, capture_output=True, check=True, timeout=60).stdout.decode()
    assert said.strip() == commitment
    changed = json.loads(shown) | {"note": note + "!"}
    said = subprocess.run(command, input=json.dumps(changed).encode(), capture_output=True, check=True, timeout=60)
    assert said.stdout.decode().strip() != commitment
