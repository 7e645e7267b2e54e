"""A challenge in a real browser: its address, its page, and the script that verifies the key."""

import os
import shutil

import pytest
from playwright.sync_api import expect

from kerckhoffs import keys, zoo
from kerckhoffs.challenge import service
from tests import challenges


@pytest.fixture
def challenge(server, monkeypatch):
    """A challenge in the home of the app."""
    monkeypatch.setenv("KERCKHOFFS_HOME", str(server.home))
    before = set(os.listdir(server.home)) if server.home.exists() else set()
    challenges.own_model()
    yield challenges.opened()
    for name in {"challenges", "commitments", "keys", "models"} - before:
        shutil.rmtree(server.home / name)


def test_its_address_leads_to_it_and_the_browser_verifies_the_revealed_key(visit, challenge):
    page = visit(f"challenge?id={challenge.id}")
    expect(page.get_by_text(challenge.commitment)).to_be_visible()
    page.get_by_label("Name of a new team").fill("browser")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("shown this once")).to_be_visible()
    challenge.reveal(early=True)
    page.reload()
    verify = page.get_by_role("button", name="Verify in this browser")
    verify.click()
    expect(page.locator("#said")).to_have_text(
        f"It holds: the revealed key and weights have the commitment {challenge.commitment}."
    )
    path = zoo.own_folder() / zoo.card(challenge.rules.model).file
    path.write_bytes(path.read_bytes() + b"x")
    verify.click()
    expect(page.locator("#said")).to_contain_text("It does not hold: the key has the commitment")
    path.unlink()
    verify.click()
    expect(page.locator("#said")).to_contain_text("The weights could not be fetched to compare them.")
    page.locator("#kept").fill("0" * 64)
    verify.click()
    expect(page.locator("#said")).to_contain_text("It does not hold")
    assert keys.verify(challenge.commitment, keys.Reveal.load(challenge.reveal_file()))
    assert challenge.rules.model in zoo.own_models()
    assert service.withheld() == frozenset()
