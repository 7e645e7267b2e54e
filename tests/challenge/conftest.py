import pytest

from tests import challenges


@pytest.fixture
def key(kerckhoffs_home):
    """That of a classifier of the user's own."""
    return challenges.own_model()


@pytest.fixture
def challenge(key):
    """An open challenge."""
    return challenges.opened()


@pytest.fixture
def client(challenge):
    """Somebody who speaks HTTP to a server of it."""
    with challenges.served(challenge.id) as one:
        yield one
