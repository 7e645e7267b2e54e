"""What is made in the background: one at a time, watched by all who want it, stopped, taken up again."""

import threading
from functools import partial

import pytest

from kerckhoffs import attackers
from kerckhoffs.attackers import Cost, Progress
from kerckhoffs.ui.making import WAITING, Makings
from kerckhoffs.ui.play.make import said, share

LIMIT = 10.0  # seconds that a test waits before it fails; nothing here takes long
TOLD = Progress(1, 2, 0.5, "epoch 1, 4.2 % wrong", 20.0, Cost(65.0, 1000))


class Stub:
    """In the place of attackers.make: works until it is released or told to stop."""

    def __init__(self):
        self.release, self.at_work, self.begun = threading.Event(), threading.Semaphore(0), []

    def __call__(self, model_id, folder=None, on_progress=None):
        self.begun.append(model_id)
        self.at_work.release()
        while not self.release.wait(0.001):
            if on_progress(TOLD):
                return False
        on_progress(TOLD)
        return True


def begin(all_of_them, name):
    return all_of_them.begin(name, partial(attackers.make, name, None))


@pytest.fixture
def make(monkeypatch):
    stub = Stub()
    monkeypatch.setattr(attackers, "make", stub)
    yield stub
    stub.release.set()


def test_it_is_made_and_its_progress_told(make):
    all_of_them = Makings(threading.Semaphore(1))
    assert all_of_them.of("a") is None
    making = begin(all_of_them, "a")
    assert make.at_work.acquire(timeout=LIMIT)
    make.release.set()
    assert making.wait(LIMIT)
    assert (making.done, making.stopped, making.error) == (True, False, "")
    assert making.progress == TOLD
    assert all_of_them.of("a") is making


def test_who_comes_second_watches_the_same(make):
    all_of_them = Makings(threading.Semaphore(1))
    first = begin(all_of_them, "a")
    assert make.at_work.acquire(timeout=LIMIT)
    assert begin(all_of_them, "a") is first
    make.release.set()
    assert first.wait(LIMIT)
    assert make.begun == ["a"]


def test_one_is_made_at_a_time_and_one_that_waits_can_be_stopped(make):
    all_of_them = Makings(threading.Semaphore(1))
    first, second = begin(all_of_them, "a"), begin(all_of_them, "b")
    assert make.at_work.acquire(timeout=LIMIT)
    working, waiting = (first, second) if make.begun == ["a"] else (second, first)
    assert said(waiting) == (0.0, "Waiting for its turn")
    waiting.stop()
    assert waiting.wait(LIMIT)
    assert not working.done
    make.release.set()
    assert working.wait(LIMIT)
    assert len(make.begun) == 1


def test_what_is_stopped_ends_and_is_taken_up_again(make):
    all_of_them = Makings(threading.Semaphore(1))
    first = begin(all_of_them, "a")
    assert make.at_work.acquire(timeout=LIMIT)
    first.stop()
    assert first.wait(LIMIT)
    assert first.stopped
    assert not first.error
    second = begin(all_of_them, "a")
    assert second is not first
    make.release.set()
    assert second.wait(LIMIT)
    assert make.begun == ["a", "a"]


def test_more_than_a_few_are_refused(make):
    all_of_them = Makings(threading.Semaphore(1))
    begun = [begin(all_of_them, str(number)) for number in range(WAITING)]
    with pytest.raises(ValueError, match="try again later"):
        begin(all_of_them, "one more")
    make.release.set()
    assert all(each.wait(LIMIT) for each in begun)
    assert begin(all_of_them, "one more").wait(LIMIT)


@pytest.mark.parametrize(
    ("error", "said_of_it"),
    [
        (ValueError("the training set of MNIST is not here"), "the training set of MNIST is not here"),
        (RuntimeError("the process died, perhaps for want of memory"), "the process died, perhaps for want of memory"),
        (KeyError("secret"), "the making broke off: KeyError"),
    ],
)
def test_what_breaks_off_says_why_and_lets_the_next_one_in(monkeypatch, error, said_of_it):
    def broken(model_id, folder=None, on_progress=None):
        raise error

    monkeypatch.setattr(attackers, "make", broken)
    all_of_them = Makings(threading.Semaphore(1))
    for name in ("a", "b"):
        making = begin(all_of_them, name)
        assert making.wait(LIMIT)
        assert making.error == said_of_it


def test_how_far_it_is_is_said_with_what_it_has_cost(make):
    making = begin(Makings(threading.Semaphore(1)), "a")
    assert make.at_work.acquire(timeout=LIMIT)
    make.release.set()
    assert making.wait(LIMIT)
    assert said(making) == (
        0.25,
        "Part 1 of 2: epoch 1, 4.2 % wrong, 1 min 5 s so far, 1000 queries, about 20 s left of this part",
    )
    assert share(Progress(2, 2, 1.0, "", 1.0, Cost())) == 1.0
