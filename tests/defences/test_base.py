import pytest
import torch
from torch import nn

from kerckhoffs.defences import DefendedClassifier, KeyedClassifier
from kerckhoffs.keys import Key
from kerckhoffs.transforms import Permutation

SHAPE = (1, 4, 5)
KEY = Key.derive(bytes(32), 20, "tests of the defences")


def network() -> nn.Module:
    """A linear network with known, distinct weights: every pixel's place matters."""
    linear = nn.Linear(20, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.arange(1.0, 61.0).reshape(3, 20).sin())
        linear.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
    return nn.Sequential(nn.Flatten(), linear)


def images(count: int = 4) -> torch.Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def both() -> list[DefendedClassifier]:
    return [DefendedClassifier(network(), SHAPE), KeyedClassifier(Permutation(KEY, SHAPE), network(), SHAPE)]


either = pytest.mark.parametrize("index", [0, 1], ids=["classical", "keyed"])


def test_a_classical_classifier_is_its_network():
    assert torch.equal(DefendedClassifier(network(), SHAPE)(images()), network()(images()))


def test_a_keyed_classifier_is_its_network_after_the_transform():
    transform = Permutation(KEY, SHAPE)
    logits = KeyedClassifier(transform, network(), SHAPE)(images())
    assert torch.equal(logits, network()(transform(images())))
    assert not torch.allclose(logits, network()(images()))


def test_view_is_what_the_network_sees():
    seen = []
    for model in both():
        model.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        model(images())
    assert torch.equal(seen[0], images())
    assert torch.equal(seen[1], Permutation(KEY, SHAPE)(images()))
    for model, expected in zip(both(), seen, strict=True):
        assert torch.equal(model.view(images()), expected)


def test_gradients_reach_the_images_through_the_transform():
    classical, keyed = both()
    gradients = []
    for model in (classical, keyed):
        inputs = images().requires_grad_()
        gradients += torch.autograd.grad(model(inputs)[:, 0].sum(), inputs)
    assert (gradients[0] != 0).all()
    assert torch.equal(gradients[1], Permutation(KEY, SHAPE).inverse(gradients[0]))


@either
@pytest.mark.parametrize("shape", [(2, 1, 5, 4), (2, 3, 4, 5), (1, 4, 5), (2, 20), (2, 1, 4, 6)], ids=str)
def test_images_of_another_shape_are_refused_with_their_shape(index, shape):
    with pytest.raises(ValueError, match=r"takes images of shape \(N, 1, 4, 5\), but was given ") as caught:
        both()[index](torch.zeros(shape))
    assert str(caught.value).endswith(str(shape))


def test_without_a_shape_any_images_are_taken():
    model = DefendedClassifier(nn.Flatten())
    assert model(torch.zeros(2, 3, 7, 7)).shape == (2, 147)


def test_the_state_of_a_keyed_classifier_is_its_networks_alone():
    classical, keyed = both()
    assert list(keyed.state_dict()) == list(classical.state_dict()) == ["network.1.weight", "network.1.bias"]


def test_printing_a_keyed_classifier_shows_the_fingerprint_and_no_value_of_the_key():
    shown = repr(both()[1])
    assert KEY.fingerprint in shown
    assert not any(f"{value:.4f}" in shown for value in KEY.values)
    assert "order" not in shown
