"""An interrupted training goes on, to the weights of one go; what it keeps meanwhile says nothing of a key."""

import hashlib
import stat
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from kerckhoffs.checks import FileRefused
from kerckhoffs.zoo.train import Checkpoint, Fitted, Progress, fit, loop
from kerckhoffs.zoo.train.checkpoints import adam_state, restore_adam
from tests import training
from tests.leaks import traces
from tests.training import weights

STEPS = training.SIZES["train"] // training.QUICK.batch_size  # an epoch
STAGES = {
    "keyed-distilled": {"teacher": 3, "network": 3},
    "keyed-ensemble-adversarial": {"pool 1 of 3": 1, "pool 2 of 3": 2, "pool 3 of 3": 1, "network": 3},
}
every_training = pytest.mark.parametrize("defence", training.TRAININGS)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    training.register(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "training" / "one"


def trained(defence: str = "keyed", context: str = "tests of training", **options: object) -> Fitted:
    recipe = training.TRAININGS[defence]
    return fit("quarters", "tiny", defence, keys=training.keys(defence, context), recipe=recipe, **options)


def interrupted(defence: str, folder: Path, stage: str, epoch: int, error: type[BaseException] = KeyboardInterrupt):
    """A training that ends in the first step of an epoch."""

    def stop(progress: Progress) -> None:
        if (progress.stage, progress.epoch) == (stage, epoch):
            raise error

    try:
        return trained(defence, on_step=stop, checkpoint=folder)
    except error:
        return None


def same(found: Fitted, expected: Fitted) -> bool:
    """To the last bit; how long it took apart."""
    numbers = [(each.validation_error, each.attacked_error, each.epoch, each.stopped) for each in (found, expected)]
    return numbers[0] == numbers[1] and torch.equal(weights(found.model), weights(expected.model))


# Going on


@every_training
@pytest.mark.parametrize("place", [0, STEPS - 2], ids=["an epoch is over", "an epoch is nearly over"])
def test_interrupted_in_every_epoch_it_ends_with_the_weights_of_one_go(defence, place, folder):
    stopped: list[tuple[str, int]] = []

    def stop(progress: Progress) -> None:
        where = progress.stage, progress.epoch
        if (progress.step - 1) % STEPS == place and where not in stopped:
            stopped.append(where)
            raise KeyboardInterrupt

    found = None
    while found is None or found.stopped:
        try:
            found = trained(defence, on_step=stop, checkpoint=folder)
        except KeyboardInterrupt:
            assert stopped[-1][0] != "network" or stopped[-1][1] == 0, "later there is something to keep"
    stages = STAGES.get(defence, {"network": 3})
    assert stopped == [(stage, epoch) for stage, epochs in stages.items() for epoch in range(epochs)]
    assert same(found, trained(defence))


@every_training
def test_within_an_epoch_no_more_is_lost_than_the_time_between_two_states(defence, folder, monkeypatch):
    monkeypatch.setattr(loop, "KEEP_SECONDS", 0.0)
    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        raise RuntimeError("killed")

    found = None
    while found is None:
        try:
            found = trained(defence, on_step=stop, checkpoint=folder)
        except RuntimeError:
            assert len(told) < 1000
    steps = [(each.stage, each.step) for each in told]
    assert len(steps) == len(set(steps)), "no step is done twice, though each was the last of its process"
    whole: list[Progress] = []
    assert same(found, trained(defence, on_step=whole.append))
    assert told == whole


@every_training
def test_a_crash_is_an_interruption_too(defence, folder):
    assert interrupted(defence, folder, "network", 2, RuntimeError) is None
    steps = []
    found = trained(defence, on_step=steps.append, checkpoint=folder)
    assert [(each.stage, each.epoch) for each in steps] == [("network", 2)] * STEPS, "no more than was left"
    assert same(found, trained(defence))


def test_what_is_told_goes_on_where_it_was(folder):
    whole, later = [], []
    trained(on_step=whole.append)
    assert interrupted("keyed", folder, "network", 2).stopped
    trained(on_step=later.append, checkpoint=folder)
    assert later == whole[2 * STEPS :]


def test_a_training_that_was_over_is_not_done_again(folder):
    first = trained("keyed-ensemble-adversarial", checkpoint=folder)
    again = trained("keyed-ensemble-adversarial", checkpoint=folder, on_step=lambda _: pytest.fail("trained again"))
    assert same(again, first)
    assert again.seconds == pytest.approx(first.seconds, abs=0.5)


def test_the_time_of_all_sessions_counts(folder, monkeypatch):
    ticks = iter(range(10_000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(ticks)))
    whole = trained().seconds
    first = interrupted("keyed", folder, "network", 2).seconds
    assert first > 0
    assert trained(checkpoint=folder).seconds > first
    assert trained(checkpoint=folder).seconds >= whole - 1


def test_going_on_warns_of_nothing(folder, recwarn):
    interrupted("keyed-adversarial", folder, "network", 1)
    trained("keyed-adversarial", checkpoint=folder)
    assert [str(each.message) for each in recwarn] == []


def test_a_network_may_start_from_the_weights_of_another(monkeypatch):
    before = trained()
    start = {name: value.clone() for name, value in before.model.network.state_dict().items()}
    first: list[float] = []
    trained(context="another key", start=start, on_step=lambda progress: first.append(progress.loss))
    again: list[float] = []
    trained(start=start, on_step=lambda progress: again.append(progress.loss))
    drawn: list[float] = []
    trained(on_step=lambda progress: drawn.append(progress.loss))
    assert again[0] < min(drawn[0], first[0]), "behind its own key it was trained already"
    assert all(torch.equal(value, before.model.network.state_dict()[name]) for name, value in start.items())
    with pytest.raises(ValueError, match="the weights to start from are not those of a tiny network for quarters"):
        trained(start={"weight": torch.zeros(3)})


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained()
    assert list(tmp_path.rglob("*.state")) == []


# What is kept


@pytest.mark.parametrize("defence", ["keyed", "kda", "keyed-distilled", "keyed-ensemble-adversarial"])
def test_what_is_kept_is_for_its_owner_and_holds_nothing_of_a_key(defence, folder):
    interrupted(defence, folder, "network", 2)
    kept = b"".join(path.read_bytes() for path in folder.iterdir())
    assert len(kept) > 1000
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    secrets = list(training.keys(defence))
    if defence == "kda":
        secrets += [
            secrets[0].child(16, f"channel {number}, dct-{quarter}")
            for number, quarter in enumerate(each for each in ("horizontal", "vertical", "diagonal") for _ in range(3))
        ]
    if defence.endswith("ensemble-adversarial"):
        secrets.append(loop._made_up(1_000_002, 64))
    for key in secrets:
        assert traces(kept, key) == []
        assert not any(struct.pack("<d", value) in kept for value in key.values)
        assert not any(struct.pack("<f", value) in kept for value in key.values)
        assert not any(repr(float(value)).encode() in kept for value in key.values)
        for order in (key.permutation(), np.argsort(key.permutation()), np.sign(key.values)):
            assert not any(order.astype(kind).tobytes() in kept for kind in ("<i8", "<i4", "<i2", "<f4", "<f8"))
        assert key.fingerprint.encode() not in kept


def test_there_is_a_file_for_each_network_and_no_other(folder):
    interrupted("keyed-ensemble-adversarial", folder, "network", 1)
    stages = [name.replace(" ", "-") for name in STAGES["keyed-ensemble-adversarial"]]
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.state" for name in stages)


def test_what_was_kept_is_forgotten_when_asked(folder):
    interrupted("keyed", folder, "network", 2)
    (folder / "network.state.1234.part").write_bytes(b"of a write that was killed")
    Checkpoint(folder).remove()
    assert not folder.exists()
    Checkpoint(folder).remove()
    Checkpoint(None).remove()


# Damage


def truncated(content: bytes) -> list[bytes]:
    return [content[:length] for length in (0, 1, 31, 32, 33, 100, len(content) // 2, len(content) - 1)]


def changed(content: bytes) -> list[bytes]:
    places = [0, 31, 32, 39, 40, 60, len(content) // 3, len(content) // 2, len(content) - 1]
    return [content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] for place in places]


@pytest.mark.parametrize("damage", [truncated, changed, lambda content: [b"not a state", bytes(1000), content * 2]])
def test_a_damaged_state_is_none(damage, folder):
    kept = Checkpoint(folder)
    kept.write("network", {"a": torch.arange(6.0).view(2, 3)}, {"epoch": 2})
    [path] = folder.iterdir()
    for content in damage(path.read_bytes()):
        path.write_bytes(content)
        assert kept.read("network") is None


@pytest.mark.parametrize("stage", ["teacher", "network"])
def test_behind_a_damaged_state_the_stage_begins_anew(stage, folder):
    interrupted("keyed-distilled", folder, "network", 2)
    path = folder / f"{stage}.state"
    path.write_bytes(path.read_bytes()[:-1])
    steps = []
    found = trained("keyed-distilled", on_step=steps.append, checkpoint=folder)
    assert (steps[0].stage, steps[0].epoch) == (stage, 0)
    assert same(found, trained("keyed-distilled"))


def test_a_folder_in_place_of_the_state_is_none_and_cannot_be_written(folder):
    (folder / "network.state").mkdir(parents=True)
    assert Checkpoint(folder).read("network") is None
    with pytest.raises(FileRefused, match=f"cannot keep the training in {folder}: "):
        Checkpoint(folder).write("network", {}, {})


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileRefused, match=r"cannot keep the training in .*file/one: Not a directory"):
        trained(checkpoint=tmp_path / "file" / "one")


# The file


def test_a_state_comes_back_as_it_was(folder):
    kept = Checkpoint(folder)
    tensors = {
        "weights": torch.rand(4, 3, 2, 2).to(memory_format=torch.channels_last),
        "turned": torch.arange(6).view(2, 3).T,
        "step": torch.tensor(3.0),
        "random": torch.get_rng_state(),
    }
    words = {"epoch": 2, "seconds": 1.25, "score": {"error": 0.1, "loss": float("inf")}, "keys": ["abc"]}
    kept.write("pool 3 of 17", tensors, words)
    found, said = kept.read("pool 3 of 17")
    assert said == words
    assert set(found) == set(tensors)
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in tensors.items())
    assert kept.read("pool 4 of 17") is None


def test_a_later_state_takes_the_place_of_an_earlier_one(folder):
    kept = Checkpoint(folder)
    for number in range(2):
        kept.write("keys", {}, {"number": number})
    assert kept.read("keys") == ({}, {"number": 1})
    assert len(list(folder.iterdir())) == 1


def test_a_state_begins_with_the_sha256_of_the_rest(folder):
    Checkpoint(folder).write("keys", {}, {})
    content = (folder / "keys.state").read_bytes()
    assert content[:32] == hashlib.sha256(content[32:]).digest()


def test_without_a_folder_nothing_is_written_or_read():
    Checkpoint(None).write("network", {}, {})
    assert Checkpoint(None).read("network") is None


def test_adam_remembers_in_the_layout_of_its_parameters():
    def steps(optimizer, parameter, seed):
        for number in range(2):
            generator = torch.Generator().manual_seed(seed + number)
            parameter.grad = torch.randn(parameter.shape, generator=generator).to(memory_format=torch.channels_last)
            optimizer.step()

    def fresh():
        start = torch.ones(5, 3, 2, 2).to(memory_format=torch.channels_last)
        parameter = torch.nn.Parameter(start)
        return parameter, torch.optim.AdamW([parameter], lr=0.01)

    parameter, optimizer = fresh()
    steps(optimizer, parameter, 0)
    state = {name: value.contiguous().clone() for name, value in adam_state(optimizer).items()}
    again, other = fresh()
    again.data.copy_(parameter.data)
    restore_adam(other, state)
    assert other.state[again]["exp_avg"].is_contiguous(memory_format=torch.channels_last)
    assert other.state[again]["step"].item() == 2
    for each, of in ((parameter, optimizer), (again, other)):
        steps(of, each, 2)
    assert torch.equal(again, parameter)
