import pytest
import torch

from kerckhoffs import attackers, zoo
from kerckhoffs.attackers import kept
from kerckhoffs.attackers.kept import Cost
from kerckhoffs.evaluation.recovered import found

ID = "recovery:iterations=2500@mnist-half-keyed"


def keep(order):
    [part] = attackers.read(ID).parts
    kept.keep(part, {"order": order}, Cost())


def test_the_share_of_the_key_that_was_found_is_counted_with_the_key():
    order = torch.from_numpy(zoo.find_keys(zoo.card("mnist-half-keyed"))[0].permutation().copy())
    keep(order)
    whole = found(ID)
    assert (whole.right, whole.places, whole.right_inked) == (784, 784, whole.inked)
    assert 400 < whole.inked < 600, "the border of a digit's image is always black"
    keep(order.roll(1))
    assert found(ID).right == 0
    keep(torch.cat([order[:392], order[392:].roll(1)]))
    half = found(ID)
    assert half.right == 392
    assert 0 < half.right_inked < half.inked
    assert f"of the {half.inked} whose pixel has a mean above 0.01 {half.right_inked} (" in half.words


def test_who_recovers_no_order_is_refused():
    with pytest.raises(ValueError, match="recovers no order"):
        found("bypass@mnist-half-keyed")
