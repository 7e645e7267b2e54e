"""Threads of an attack: they change no result, call only models that allow it, and leave everything as it was."""

import threading
from contextlib import closing

import pytest
import torch
from torch import nn

from kerckhoffs import bench, data, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.attacks.threads import available, side_by_side
from kerckhoffs.evaluation import Counted, predictions


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shipped():
    network = zoo.load("mnist-table2-classical")
    return network, *bench.examples(network, *data.load("mnist", "test"), count=24, targets="random")


class Plain(nn.Linear):
    """A user's: nobody has said that threads may share it."""


class Allowed(nn.Linear):
    thread_safe = True


class Below(Allowed):
    """A subclass must say it again."""


def part(number, length, heard):
    for step in range(length):
        heard.append((number, step, (yield number, step)))


@pytest.mark.parametrize("attack", ["cw_l2", "cw_linf"])
def test_one_thread_and_two_give_the_same(two_threads, shipped, attack):
    network, images, targets = shipped
    results, calls = [], []
    for threads in (1, 2, 2):
        torch.set_num_threads(threads)
        counted = Counted(network)
        results.append(ATTACKS[attack].run(counted, images, targets, targeted=True, iterations=30))
        calls.append((counted.calls.forwards, counted.calls.gradients))
    one, two = ((each - images).flatten(1).norm(dim=1) for each in results[:2])
    assert torch.equal(results[1], results[2])
    assert torch.equal(predictions(network, results[0]), predictions(network, results[1]))
    torch.testing.assert_close(two, one, atol=1e-4, rtol=0)
    assert calls[0] == calls[1] == calls[2]


def test_the_number_of_threads_is_left_alone(two_threads, shipped):
    network, images, targets = shipped
    ATTACKS["cw_l2"].run(network, images, targets, targeted=True, iterations=3)
    seen = [torch.get_num_threads()]
    new = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    new.start()
    new.join()
    assert seen == [2, 2]


def test_on_step_is_called_in_the_callers_thread_and_stops_with_what_it_saw(two_threads, shipped):
    network, images, targets = shipped
    steps, threads = [], set()

    def on_step(step):
        steps.append(step)
        threads.add(threading.current_thread())
        return len(steps) == 40

    result = ATTACKS["cw_l2"].run(network, images, targets, targeted=True, iterations=30, on_step=on_step)
    assert threads == {threading.current_thread()}
    assert [step.done for step in steps] == list(range(1, 41))
    assert {step.total for step in steps} == {90}  # three chunks of eight images
    assert torch.equal(result, steps[-1].best)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("answer")]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_part_gets_its_answers_in_order(two_threads, threads):
    heard = []
    seen = list(side_by_side([part(n, 4, heard) for n in range(3)], lambda question: sum(question), threads))
    assert sorted(seen) == sorted((number, step) for number in range(3) for step in range(4))
    for number in range(3):
        assert [each for each in heard if each[0] == number] == [(number, step, number + step) for step in range(4)]
    if threads == 1:
        assert seen == sorted(seen)


def test_answers_come_from_as_many_threads_as_there_are(two_threads):
    both = threading.Barrier(2, timeout=30)  # passes only if two threads answer at the same time
    names, torch_threads = set(), set()

    def answer(_):
        both.wait()
        names.add(threading.current_thread().name)
        torch_threads.add(torch.get_num_threads())

    list(side_by_side([part(number, 1, []) for number in range(2)], answer, 2))
    assert len(names) == 2
    assert torch_threads == {1}


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("cast", [False, True])
def test_threads_have_the_modes_of_the_caller(two_threads, inference, grad, cast):
    def modes(_=None):
        return (
            torch.is_inference_mode_enabled(),
            torch.is_grad_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.get_autocast_dtype("cpu"),
            torch.is_autocast_cache_enabled(),
        )

    heard = []
    cache = torch.is_autocast_cache_enabled()
    with (
        torch.inference_mode(inference),
        torch.set_grad_enabled(grad),
        torch.autocast("cpu", torch.float16, cast, cache_enabled=not cast),
    ):
        here = modes()
        list(side_by_side([part(number, 2, heard) for number in range(2)], modes, 2))
    assert {answer for *_, answer in heard} == {here}
    assert torch.is_autocast_cache_enabled() == cache


def test_what_a_thread_raises_comes_through_as_it_is(two_threads):
    error = KeyError("mine")

    def answer(question):
        if question == (1, 2):
            raise error
        return 0

    with pytest.raises(KeyError) as caught:
        list(side_by_side([part(number, 5, []) for number in range(3)], answer, 2))
    assert caught.value is error
    assert torch.get_num_threads() == 2


def test_who_leaves_early_is_asked_nothing_more(two_threads):
    heard, asked = [], []
    with closing(side_by_side([part(number, 50, heard) for number in range(4)], asked.append, 2)) as seen:
        for _ in range(6):
            next(seen)
    told, count = len(heard), len(asked)
    assert told == 6
    assert count <= told + 4
    assert len(asked) == count
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("answer")]


def test_only_models_that_allow_it_are_called_from_several_threads(two_threads):
    images = torch.zeros(1, 4)
    frozen = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()
    assert available(frozen, images) == 2
    assert available(nn.Sequential(frozen, Allowed(3, 2)).eval(), images) == 2
    assert available(nn.Sequential(frozen, Plain(3, 2)).eval(), images) == 1
    assert available(nn.Sequential(frozen, Below(3, 2)).eval(), images) == 1
    assert available(Counted(nn.Sequential(frozen, Plain(3, 2)).eval()), images) == 1
    assert available(nn.Linear(4, 3), images) == 1, "in training mode"
    assert available(frozen, images.to("meta")) == 1
    with torch.device("cpu"):  # a mode sees its own thread only
        assert available(frozen, images) == 1
    hook = frozen[0].register_forward_hook(lambda *_: None)
    assert available(frozen, images) == 1
    hook.remove()
    torch.set_num_threads(1)
    assert available(frozen, images) == 1
