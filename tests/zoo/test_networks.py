from dataclasses import replace

import pytest
import torch
from torch import nn

from kerckhoffs.data import DATASETS, Dataset
from kerckhoffs.zoo import networks
from kerckhoffs.zoo.networks import NETWORKS
from tests.states import STATES

# Weights and biases, layer by layer: filters * (channels * kernel area) + filters, or outputs * inputs + outputs.
PARAMETERS = {
    ("table1", "mnist"): [4_160, 295_040, 409_728, 1_290],
    ("table1", "fashion-mnist"): [4_160, 295_040, 409_728, 1_290],
    ("table2", "mnist"): [320, 9_248, 18_496, 36_928, 205_000, 40_200, 2_010],
    ("table2", "fashion-mnist"): [640, 36_928, 73_856, 147_584, 524_544, 65_792, 2_570],
}
TABLE1 = [
    ("Conv2d", (64, 14, 14)),
    ("ReLU", (64, 14, 14)),
    ("Conv2d", (128, 5, 5)),
    ("ReLU", (128, 5, 5)),
    ("Conv2d", (128, 1, 1)),
    ("ReLU", (128, 1, 1)),
    ("Flatten", (128,)),
    ("Linear", (10,)),
]


def table2(first: int, second: int, hidden: int) -> list[tuple[str, tuple[int, ...]]]:
    return [
        ("Conv2d", (first, 26, 26)),
        ("ReLU", (first, 26, 26)),
        ("Conv2d", (first, 24, 24)),
        ("ReLU", (first, 24, 24)),
        ("MaxPool2d", (first, 12, 12)),
        ("Conv2d", (second, 10, 10)),
        ("ReLU", (second, 10, 10)),
        ("Conv2d", (second, 8, 8)),
        ("ReLU", (second, 8, 8)),
        ("MaxPool2d", (second, 4, 4)),
        ("Flatten", (16 * second,)),
        ("Linear", (hidden,)),
        ("ReLU", (hidden,)),
        ("Dropout", (hidden,)),
        ("Linear", (hidden,)),
        ("ReLU", (hidden,)),
        ("Linear", (10,)),
    ]


LAYERS = {
    ("table1", "mnist"): TABLE1,
    ("table1", "fashion-mnist"): TABLE1,
    ("table2", "mnist"): table2(32, 64, 200),
    ("table2", "fashion-mnist"): table2(64, 128, 256),
}

DEFAULTS = ("default dtype float64", "another default device")
papers_networks = pytest.mark.parametrize(("name", "dataset"), list(LAYERS))
every_network = pytest.mark.parametrize(("name", "dataset"), [(n, d) for n in NETWORKS for d in DATASETS])


def images(count: int, dataset: str) -> torch.Tensor:
    return torch.rand(count, *DATASETS[dataset].shape, generator=torch.Generator().manual_seed(0))


@every_network
@pytest.mark.parametrize("default", DEFAULTS)
def test_its_weights_are_float32_on_the_cpu_whatever_torchs_defaults_are(name, dataset, default):
    def weights():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return list(networks.build(name, dataset).parameters())

    expected = weights()
    with STATES[default]():
        found = weights()
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert {(each.dtype, each.device.type) for each in found} == {(torch.float32, "cpu")}


@papers_networks
def test_layers_and_feature_maps_are_those_of_the_papers_table(name, dataset):
    network, seen = networks.build(name, dataset), []
    for layer in network:
        layer.register_forward_hook(lambda layer, _, out: seen.append((type(layer).__name__, tuple(out.shape[1:]))))
    network(images(2, dataset))
    assert seen == LAYERS[name, dataset]


@papers_networks
def test_every_layer_has_the_number_of_parameters_of_the_papers_table(name, dataset):
    network = networks.build(name, dataset)
    counts = [sum(p.numel() for p in layer.parameters()) for layer in network]
    assert [count for count in counts if count] == PARAMETERS[name, dataset]


@papers_networks
def test_kernels_are_those_of_the_papers_table(name, dataset):
    kernels = [layer.kernel_size for layer in networks.build(name, dataset) if isinstance(layer, nn.Conv2d)]
    assert kernels == ([(8, 8), (6, 6), (5, 5)] if name == "table1" else [(3, 3)] * 4)


def test_the_dropout_rate_of_table_2_is_one_half():
    rates = [layer.p for layer in networks.build("table2", "mnist") if isinstance(layer, nn.Dropout)]
    assert rates == [0.5]


@every_network
def test_images_become_one_logit_a_class(name, dataset):
    with torch.inference_mode():
        logits = networks.build(name, dataset).eval()(images(8, dataset))
    assert logits.shape == (8, len(DATASETS[dataset].classes))
    assert logits.dtype == torch.float32
    assert not torch.isclose(logits.sum(1), torch.ones(8)).any(), "these are probabilities"
    assert not torch.isclose(logits.logsumexp(1), torch.zeros(8), atol=1e-3).any(), "these are log-probabilities"


@every_network
def test_a_batch_of_one_gives_the_logits_of_a_batch_of_eight(name, dataset):
    network, batch = networks.build(name, dataset).eval(), images(8, dataset)
    with torch.inference_mode():
        one_by_one = torch.cat([network(image[None]) for image in batch])
        torch.testing.assert_close(one_by_one, network(batch))


@every_network
def test_a_registered_network_is_named_by_its_id(name, dataset):
    entry = NETWORKS[name]
    assert entry.id == name
    assert entry.name
    assert entry.summary


def test_half_has_half_the_filters_of_table_1_and_a_quarter_of_the_weights():
    filters = [
        [each.out_channels for each in networks.build(name, "mnist") if isinstance(each, nn.Conv2d)]
        for name in ("half", "table1")
    ]
    assert filters == [[32, 64, 64], [64, 128, 128]]
    weights = [sum(each.numel() for each in networks.build(name, "mnist").parameters()) for name in ("half", "table1")]
    assert weights[0] / weights[1] == pytest.approx(0.25, abs=0.01)


def test_an_mlp_takes_images_of_any_size_and_has_the_widths_that_are_asked_for(monkeypatch):
    assert networks.mlp(other_set((1, 1, 2)))(torch.zeros(3, 1, 1, 2)).shape == (3, 3)
    layers = [each for each in networks.mlp(other_set((3, 4, 5)), (7, 6)) if isinstance(each, nn.Linear)]
    assert [(each.in_features, each.out_features) for each in layers] == [(60, 7), (7, 6), (6, 3)]


def test_an_unknown_network_is_refused_with_its_name():
    with pytest.raises(ValueError, match="unknown network 'table3'; choose one of: table1, table2"):
        networks.build("table3", "mnist")


def test_an_unknown_set_is_refused_with_its_name():
    with pytest.raises(ValueError, match="unknown dataset 'cifar10'; choose one of: mnist, fashion-mnist"):
        networks.build("table1", "cifar10")


# Other shapes


def other_set(shape: tuple[int, int, int], classes: int = 3) -> Dataset:
    return replace(DATASETS["mnist"], id="other", shape=shape, classes=tuple("abcdefghij"[:classes]))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("shape", "classes"), [((3, 32, 32), 3), ((3, 40, 28), 7), ((1, 28, 28), 2)], ids=str)
def test_a_network_fits_its_channels_sides_and_classes_to_the_set(name, shape, classes, monkeypatch):
    monkeypatch.setitem(DATASETS, "other", other_set(shape, classes))
    network = networks.build(name, "other").eval()
    batch = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = network(batch)
    assert logits.shape == (2, classes)
    assert not torch.allclose(logits[0], logits[1], atol=1e-6), "the network does not see the image"


def test_a_set_of_the_papers_kind_in_another_colour_has_the_papers_widths_behind_the_first_layer(monkeypatch):
    monkeypatch.setitem(DATASETS, "other", other_set((3, 32, 32), 10))
    convolutions = [layer for layer in networks.build("table2", "other") if isinstance(layer, nn.Conv2d)]
    assert [(each.in_channels, each.out_channels) for each in convolutions] == [
        (3, 64),
        (64, 64),
        (64, 128),
        (128, 128),
    ]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("mlp", "linear")])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 1, 1), (1, 4, 40)], ids=str)
def test_images_that_are_too_small_are_refused_in_one_sentence(name, shape, monkeypatch):
    monkeypatch.setitem(DATASETS, "other", other_set(shape))
    with pytest.raises(ValueError, match=r"^images of shape \([^\n]*\) are too small for this network$") as refused:
        networks.build(name, "other")
    assert str(shape) in str(refused.value)
