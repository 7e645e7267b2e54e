import pytest
import torch

from kerckhoffs import attackers, places, zoo
from kerckhoffs.attackers import kept, making
from kerckhoffs.attackers.kept import Cost
from tests.attackers.parts import TARGET, Asking, Dying, InSteps, Refusing, Shrunk


def made(part, on_progress=None):
    return making.make((part,), TARGET, None, on_progress)


def test_the_process_is_told_what_the_classifier_says_and_the_other_end_counts():
    part = Asking(7, 5)
    assert made(part)
    told = kept.read(part)
    images = torch.rand(7, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    says = zoo.load(TARGET.id)(images).softmax(1)
    assert torch.equal(told["labels"], says.argmax(1))
    assert torch.allclose(told["scores"], says[:5], atol=1e-6)
    spent = kept.cost([part])
    assert spent.queries == 12
    assert spent.seconds > 0


def test_what_is_there_is_not_made_again(monkeypatch):
    part = Asking(1, 1)
    kept.keep(part, {"labels": torch.tensor([3])}, Cost(5.0, 2))
    monkeypatch.setattr(making, "_make", lambda *args: pytest.fail("it is there"))
    assert made(part)
    assert kept.cost([part, part]) == Cost(10.0, 4)


def test_what_was_stopped_goes_on_and_costs_what_all_its_sessions_cost():
    part, seen = InSteps(2), []

    def stop(progress):
        seen.append(progress)
        return progress.share > 0

    assert not made(part, stop)
    assert not kept.there(part)
    assert seen[-1].words == "step 1"
    assert seen[-1].share == 0.5
    assert made(part)
    assert int(kept.read(part)["done"]) == 2
    assert kept.cost([part]).queries == 20
    assert kept.cost([part]).seconds > seen[-1].cost.seconds
    assert [path.name for path in (places.home() / "attackers").iterdir()] == [f"{part.name}.state"]


def test_what_the_process_refuses_is_refused_and_its_death_is_no_success():
    with pytest.raises(ValueError, match="there is no training set"):
        made(Refusing())
    with pytest.raises(RuntimeError, match="died"):
        made(Dying())
    assert not kept.there(Dying())


def test_two_parts_that_differ_in_anything_are_kept_apart_and_equal_ones_are_the_same():
    assert Asking(1, 2).name == Asking(1, 2).name
    assert len({Asking(1, 2).name, Asking(2, 1).name, InSteps(1).name}) == 3


def test_what_is_damaged_is_not_used():
    part = Asking(1, 1)
    kept.keep(part, {"labels": torch.arange(40)}, Cost())
    path = places.home() / "attackers" / f"{part.name}.state"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="damaged"):
        kept.read(part)


def test_a_substitute_goes_on_from_the_surrogate_that_was_kept():
    start, part = attackers.read(f"substitute:queries=40:start=surrogate@{TARGET.id}").parts
    surrogate = zoo.load_network("mnist-half-surrogate").state_dict()
    kept.keep(start, surrogate, Cost())
    small = Shrunk(part)
    assert made(small)
    moved = [(value - surrogate[name]).abs().max() for name, value in kept.read(small).items()]
    assert 0 < max(moved) < 0.05, "a few small steps away"
    assert kept.cost([small]).queries == 40
