import hashlib
import os
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch

from kerckhoffs import data, places
from kerckhoffs.checks import FileRefused
from kerckhoffs.data import images, sets
from kerckhoffs.data.torchvision_import import torchvision
from tests import ROOT

FIRST_LABELS = {
    "mnist": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6, 9, 0, 1, 5, 9, 7, 3, 4],
    "fashion-mnist": [9, 2, 1, 1, 6, 1, 4, 6, 5, 7, 4, 5, 7, 3, 4, 1, 2, 4, 8, 0],
}
SHA256 = {
    "mnist": (
        "f8f3c5a608a9f7d4bd5e9d69b90c53932b8b99371d9db26121b42f62f3abcd56",
        "d14ba0a1a3818edefa35518ed001ece84b7ac0eabe9394551c73928493175d3f",
    ),
    "fashion-mnist": (
        "8d46efb2efae7259de048298adb99140d06082b91c430833a54d7ce30f21c9c9",
        "86fea14d645de73ec2f8e0e859add59c557ccdf73e3e419692220b128c15ec47",
    ),
}

every_set = pytest.mark.parametrize("dataset", list(data.DATASETS))


def sha256(tensor: torch.Tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def idx(array: np.ndarray) -> bytes:
    """An array of bytes in the format of the MNIST files."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def fresh_cache():
    """No full set in memory, neither before nor after."""
    sets._full.cache_clear()
    yield
    sets._full.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_cache: None) -> Path:
    """KERCKHOFFS_DATA, empty, on a machine without a network."""

    def fail(*arguments, **options):
        raise URLError("no network")

    monkeypatch.setattr(torchvision("datasets").mnist, "download_and_extract_archive", fail)
    monkeypatch.setenv("KERCKHOFFS_DATA", str(tmp_path / "sets"))
    return tmp_path / "sets"


@pytest.fixture
def positions(monkeypatch: pytest.MonkeyPatch, fresh_cache: None) -> None:
    """Full sets of 60 000 and 10 000 images of one pixel, where every label is the sample's position."""

    def make(root, *, train, download):
        targets = torch.arange(60_000 if train else 10_000)
        return SimpleNamespace(data=(targets % 256).to(torch.uint8).reshape(-1, 1, 1), targets=targets)

    monkeypatch.setattr(sets, "torchvision", lambda module: SimpleNamespace(MNIST=make, FashionMNIST=make))


@every_set
def test_bundled_images_and_labels_have_the_promised_form(dataset):
    images, labels = data.load(dataset)
    assert images.dtype == torch.float32
    assert images.shape == (1000, *data.DATASETS[dataset].shape)
    assert (float(images.min()), float(images.max())) == (0, 1)
    assert labels.dtype == torch.int64
    assert labels.shape == (1000,)
    assert labels.unique().tolist() == list(range(len(data.DATASETS[dataset].classes)))


@every_set
def test_bundled_samples_are_the_first_of_the_test_set(dataset):
    images, labels = data.load(dataset)
    assert labels[:20].tolist() == FIRST_LABELS[dataset]
    assert sha256((images * 255).round().to(torch.uint8)) == SHA256[dataset][0]
    assert sha256(labels.to(torch.uint8)) == SHA256[dataset][1]


@every_set
def test_pixels_are_bytes_divided_by_255(dataset):
    images, _ = data.load(dataset)
    assert torch.equal(images, (images * 255).round() / 255)


@every_set
def test_what_a_caller_writes_is_not_seen_by_the_next(dataset):
    images, labels = data.load(dataset)
    before = images.clone(), labels.clone()
    images.fill_(0.5)
    labels.fill_(3)
    again = data.load(dataset)
    assert torch.equal(again[0], before[0])
    assert torch.equal(again[1], before[1])


@pytest.mark.parametrize("indices", [[5, 2, 2, 999, 0], (5, 2, 2, 999, 0), torch.tensor([5, 2, 2, 999, 0])])
def test_indices_choose_samples_in_their_order(indices):
    images, labels = data.load("mnist")
    chosen_images, chosen_labels = data.load("mnist", indices=indices)
    assert torch.equal(chosen_images, images[[5, 2, 2, 999, 0]])
    assert torch.equal(chosen_labels, labels[[5, 2, 2, 999, 0]])


def test_no_indices_give_no_samples():
    images, labels = data.load("mnist", indices=[])
    assert images.shape == (0, 1, 28, 28)
    assert labels.shape == (0,)


@pytest.mark.parametrize("index", [-1, 1000, 10**9])
def test_an_index_outside_the_split_is_refused_with_its_value(index):
    with pytest.raises(ValueError, match=f"index {index} is outside the split 'test' of mnist, which has 1000 samples"):
        data.load("mnist", indices=[0, index])


@pytest.mark.parametrize("indices", [[1.7], torch.tensor([0.2]), torch.ones(1000, dtype=torch.bool), [True, False]])
def test_indices_that_are_not_whole_numbers_are_refused(indices):
    with pytest.raises(ValueError, match="indices"):
        data.load("mnist", indices=indices)


@pytest.mark.parametrize("name", ["MNIST", "cifar10", "", "../mnist", None])
def test_an_unknown_set_is_refused_with_its_name(name):
    with pytest.raises(ValueError, match="unknown dataset .*; choose one of: mnist, fashion-mnist") as caught:
        data.load(name)
    assert repr(name) in str(caught.value)


def test_an_unknown_split_is_refused_with_its_name():
    with pytest.raises(ValueError, match="unknown split 'dev'; choose one of: test, test-full, train, validation"):
        data.load("mnist", "dev")


@every_set
@pytest.mark.parametrize(
    ("split", "expected"),
    [("validation", range(5000)), ("train", range(5000, 60_000)), ("test-full", range(10_000))],
)
def test_the_splits_are_the_papers_positions_of_the_full_sets(positions, dataset, split, expected):
    images, labels = data.load(dataset, split)
    assert labels.tolist() == list(expected)
    assert len(labels) == data.DATASETS[dataset].sizes[split]
    assert torch.equal(images.flatten(), (labels % 256).float() / 255)


def test_every_split_has_its_size():
    for dataset in data.DATASETS.values():
        assert dataset.sizes.keys() == data.SPLITS.keys()
        assert len(data.load(dataset.id)[1]) == dataset.sizes["test"]
        assert dataset.sizes["validation"] == data.VALIDATION_SAMPLES
        assert dataset.style in images.STYLES


def test_indices_count_from_the_start_of_the_split(positions):
    assert data.load("mnist", "train", indices=[0, 54_999])[1].tolist() == [5000, 59_999]
    with pytest.raises(ValueError, match="index 5000 is outside the split 'validation' of mnist, which has 5000"):
        data.load("mnist", "validation", indices=[5000])


def test_writing_into_a_split_does_not_change_the_set_in_memory(positions):
    for tensor in data.load("mnist", "train"):
        tensor.fill_(7)
    assert data.load("mnist", "train", indices=[1])[1].tolist() == [5001]


def test_write_samples_bundles_the_first_thousand_test_samples(positions, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "SAMPLES", tmp_path)
    sets.write_samples("mnist")
    with np.load(tmp_path / "mnist.npz") as file:
        assert file["images"].dtype == file["labels"].dtype == np.uint8
        assert file["images"].ravel().tolist() == file["labels"].tolist() == [i % 256 for i in range(1000)]


@every_set
def test_full_sets_are_read_from_the_folder_kerckhoffs_data(folder, dataset):
    raw = folder / data.DATASETS[dataset].torchvision_class / "raw"
    raw.mkdir(parents=True)
    pixels = np.arange(3 * 28 * 28).reshape(3, 28, 28) % 256
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.array([3, 1, 2])))
    images, labels = data.load(dataset, "test-full")
    assert torch.equal(images, torch.from_numpy(pixels).float().unsqueeze(1) / 255)
    assert labels.tolist() == [3, 1, 2]
    assert labels.dtype == torch.int64


@every_set
@pytest.mark.parametrize("split", ["train", "validation", "test-full"])
def test_a_missing_full_set_is_refused_with_the_folder_and_the_cure(folder, dataset, split):
    with pytest.raises(FileRefused, match=r"(?s)the full .*MNIST set .*; set KERCKHOFFS_DATA to a") as caught:
        data.load(dataset, split)
    assert str(folder) in str(caught.value)


@every_set
def test_a_missing_full_set_is_refused_in_one_line(folder, dataset):
    with pytest.raises(FileRefused) as caught:
        data.load(dataset, "train")
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(folder):
    folder.write_text("a file where the folder should be")
    with pytest.raises(FileRefused, match="^[^\n]*set KERCKHOFFS_DATA to a folder that torchvision can read$"):
        data.load("mnist", "train")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08\x03" + 3 * b"\0\0\0\x05" + b"cut off",
        b"not the format of MNIST",
    ],
)
def test_a_damaged_full_set_is_refused(folder, content):
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{part}-ubyte").write_bytes(content)
    with pytest.raises(FileRefused, match="^[^\n]*MNIST[^\n]*$"):
        data.load("mnist", "test-full")


def test_the_full_sets_lie_in_the_users_cache_by_default(monkeypatch):
    monkeypatch.delenv("KERCKHOFFS_DATA", raising=False)
    monkeypatch.setattr(places.platformdirs, "user_cache_dir", lambda name: f"/cache/{name}")
    assert data.data_folder() == Path("/cache/kerckhoffs/data")


def refuse_the_bundled_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "SAMPLES", folder)
    sets._bundled.cache_clear()
    try:
        with pytest.raises(FileRefused, match=r"^cannot read the bundled samples [^\n]*mnist\.npz: [^\n]+$"):
            data.load("mnist")
    finally:
        sets._bundled.cache_clear()


@pytest.mark.parametrize("content", [b"not an archive", b"PK\x03\x04 cut off", b""])
def test_damaged_bundled_samples_are_refused_with_their_path(tmp_path, monkeypatch, content):
    (tmp_path / "mnist.npz").write_bytes(content)
    refuse_the_bundled_file(tmp_path, monkeypatch)


@pytest.mark.parametrize("position", [80_000, 60])
def test_bundled_samples_with_a_changed_byte_are_refused(tmp_path, monkeypatch, position):
    content = bytearray((sets.SAMPLES / "mnist.npz").read_bytes())
    content[position] ^= 0xFF
    (tmp_path / "mnist.npz").write_bytes(content)
    refuse_the_bundled_file(tmp_path, monkeypatch)


def test_bundled_samples_without_labels_are_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "mnist.npz", images=np.zeros((1, 28, 28), np.uint8))
    refuse_the_bundled_file(tmp_path, monkeypatch)


def test_missing_bundled_samples_are_refused(tmp_path, monkeypatch):
    refuse_the_bundled_file(tmp_path, monkeypatch)


def test_torchvision_is_not_imported_for_the_bundled_samples():
    program = (
        "import sys, kerckhoffs.data as data; "
        "[data.load(name) for name in data.DATASETS]; "
        "print([name for name in sys.modules if name.split('.')[0] == 'torchvision'])"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@every_set
def test_bundled_samples_equal_the_full_sets_first_thousand(full_sets, fresh_cache, dataset):
    bundled, full = data.load(dataset), data.load(dataset, "test-full")
    assert len(full[1]) == 10_000
    assert torch.equal(bundled[0], full[0][:1000])
    assert torch.equal(bundled[1], full[1][:1000])


@every_set
def test_training_and_validation_samples_are_the_whole_training_set_cut_at_5000(full_sets, fresh_cache, dataset):
    raw = full_sets / data.DATASETS[dataset].torchvision_class / "raw"
    everything = (raw / "train-labels-idx1-ubyte").read_bytes()[8:]
    assert len(everything) == 60_000
    for split, expected in (("validation", everything[:5000]), ("train", everything[5000:])):
        images, labels = data.load(dataset, split)
        assert bytes(labels.tolist()) == expected
        assert images.shape == (len(expected), 1, 28, 28)
