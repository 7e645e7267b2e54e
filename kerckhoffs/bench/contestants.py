"""Who takes part in a benchmark: our attacks, those of other libraries where they are installed, and named sets.

A contestant is written `id` or `id:option=value:option=value`: `cw_l2`, `ddn:iterations=1000`,
`foolbox.cw_l2:steps=100`. The other libraries are no dependencies; benchmarks/README.md says how to install
them.
"""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from io import StringIO
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kerckhoffs import __version__
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.bench import Contestant
from kerckhoffs.checks import check_choice
from kerckhoffs.data.torchvision_import import torchvision

LIBRARIES = {
    "foolbox": "foolbox",
    "torchattacks": "torchattacks",
    "art": "adversarial-robustness-toolbox",
    "adv_lib": "adv-lib",
}
"""The module of each library, and the name under which it is installed."""


def read(spec: str) -> tuple[str, dict[str, Any]]:
    """The id and the options of one of our attacks.

    Raises:
        ValueError: on an unknown attack or option, or a value that the option does not take.
    """
    name, given = _split(spec)
    check_choice(name, ATTACKS, "attack")
    options = _read(spec, given, {option.name: option.type for option in ATTACKS[name].options})
    ATTACKS[name].check_options(**options)
    return name, options


def ours(spec: str) -> Contestant:
    """An attack of the registry, with the options of the spec.

    Raises:
        ValueError: as `read` does.
    """
    name, options = read(spec)
    attack = ATTACKS[name]

    def run(model: nn.Module, images: Tensor, labels: Tensor, targeted: bool) -> Tensor:
        return attack.run(model, images, labels, targeted=targeted, **options)

    return Contestant(spec, f"kerckhoffs {__version__}", attack.norm, attack.kind, _settings(options), run)


@dataclass(frozen=True)
class Peer:
    """Another library's attack.

    Args:
        id: "<module of the library>.<attack>".
        function: (model, images, labels, targeted, **options) -> images.
        options: the settings that are stated, and that a spec may change.
        note: what else to know of it.
        targeted: whether it can aim at a class; some that cannot do something else without a word.
    """

    id: str
    norm: str
    kind: str
    function: Callable[..., Tensor]
    options: Mapping[str, Any]
    note: str = ""
    targeted: bool = True

    @property
    def library(self) -> str:
        """The module of its library."""
        return self.id.split(".")[0]


def peer(spec: str) -> Contestant:
    """Another library's attack, with the options of the spec in place of the stated ones.

    Raises:
        ValueError: on an unknown peer or option, a value of another type, or a library that is not installed.
    """
    name, given = _split(spec)
    check_choice(name, PEERS, "peer")
    entry = PEERS[name]
    options = dict(entry.options) | _read(spec, given, {name: type(value) for name, value in entry.options.items()})
    if not installed(entry.library):
        raise ValueError(f"{name} needs {LIBRARIES[entry.library]}, which is not installed")

    def run(model: nn.Module, images: Tensor, labels: Tensor, targeted: bool) -> Tensor:
        if targeted and not entry.targeted:
            raise ValueError(f"{name} cannot be targeted")
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            return entry.function(model, images, labels, targeted, **options)

    _module(entry.library)  # before the clock runs
    library = f"{entry.library} {version(LIBRARIES[entry.library])}"
    settings = "; ".join(filter(None, (_settings(options), entry.note)))
    return Contestant(spec, library, entry.norm, entry.kind, settings, run)


def installed(library: str) -> bool:
    """Whether a library of LIBRARIES can be imported."""
    return importlib.util.find_spec(library) is not None


def _split(spec: str) -> tuple[str, list[str]]:
    name, *given = spec.split(":")
    return name, given


def _read(spec: str, given: list[str], types: Mapping[str, type]) -> dict[str, Any]:
    """The options of a spec, each of its type."""
    options: dict[str, Any] = {}
    for part in given:
        name, equals, text = part.partition("=")
        if not equals or name not in types:
            raise ValueError(f"{spec!r} must be written id:option=value, with options: {', '.join(types) or 'none'}")
        kind = types[name]
        try:
            options[name] = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError):
            raise ValueError(f"{name} must be of type {kind.__name__}, but is {text!r}") from None
    return options


def _settings(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items()) or "defaults"


def _module(library: str, part: str = "") -> Any:
    """Import a library, or a part of it, around what breaks in some environments."""
    torchvision("transforms")  # mends torchvision where it has to be mended: all of them import it
    if library == "adv_lib" and "visdom" not in sys.modules and importlib.util.find_spec("visdom") is None:
        # It draws curves with visdom if asked to, and imports it in any case; visdom does not build any more.
        sys.modules["visdom"] = ModuleType("visdom")
    if library == "art" and not hasattr(np, "mat"):
        np.mat = np.asmatrix  # type: ignore[attr-defined]  # its GeoDA asks for what NumPy 2 has taken away
    return importlib.import_module(library + part)


def _foolbox(
    attack: str,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    targeted: bool,
    *,
    epsilon: float | None = None,
    **options: Any,
) -> Tensor:
    foolbox = _module("foolbox")
    criterion = foolbox.criteria.TargetedMisclassification if targeted else foolbox.criteria.Misclassification
    run = getattr(foolbox.attacks, attack)(**options)
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=images.device)  # its default: a GPU if there is one
    _, clipped, _ = run(wrapped, images, criterion(labels), epsilons=epsilon)
    result: Tensor = clipped
    return result


def _adv_lib(
    attack: str,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    targeted: bool,
    **options: Any,
) -> Tensor:
    result: Tensor = getattr(_module("adv_lib", ".attacks"), attack)(
        model, images, labels, targeted=targeted, **options
    )
    return result


class _TargetOrNot(nn.Module):
    """A model of two classes, whose margin is the targeted one: the best other class, and the target."""

    def __init__(self, model: nn.Module, targets: Tensor) -> None:
        super().__init__()
        self.model = model
        self.targets = targets[:, None]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, 2); always of the N images whose targets were given."""
        logits: Tensor = self.model(images)
        others = logits.scatter(1, self.targets, -torch.inf).amax(1)
        return torch.stack([others, logits.gather(1, self.targets).squeeze(1)], 1)


def _sigma_zero(model: nn.Module, images: Tensor, labels: Tensor, targeted: bool, **options: Any) -> Tensor:
    if targeted:
        model, labels = _TargetOrNot(model, labels), torch.zeros_like(labels)
    return _adv_lib("sigma_zero", model, images, labels, False, **options)


def _torchattacks(
    attack: str, model: nn.Module, images: Tensor, labels: Tensor, targeted: bool, **options: Any
) -> Tensor:
    run = getattr(_module("torchattacks"), attack)(model, **options)
    if targeted:  # it wants the true classes as its labels: CW takes for a success what is not the label
        targets = labels
        with torch.no_grad():
            labels = model(images).argmax(1)
        run.set_mode_targeted_by_function(lambda *_: targets)
    result: Tensor = run(images, labels)
    return result


class _Single(nn.Module):
    """A model that takes numbers of any precision: some of ART's attacks come with float64."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the images in float32."""
        logits: Tensor = self.model(images.float())
        return logits


def _art(
    attack: str,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    targeted: bool,
    *,
    flat: bool = False,
    **options: Any,
) -> Tensor:
    estimators, evasion = _module("art", ".estimators.classification"), _module("art", ".attacks.evasion")
    shape = images.shape[1:]
    with torch.no_grad():
        classes = model(images[:1]).shape[1]
    if flat:
        model = nn.Sequential(nn.Flatten(), nn.Unflatten(1, shape), model)
        images = images.flatten(1)[..., None, None]  # (N, C * H * W, 1, 1)
    estimator = estimators.PyTorchClassifier(
        _Single(model),
        nn.CrossEntropyLoss(),
        tuple(images.shape[1:]),
        classes,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    aimed = {} if attack in _UNTARGETED else {"targeted": targeted}
    run = getattr(evasion, attack)(estimator, verbose=False, **aimed, **options)
    return torch.from_numpy(run.generate(images.numpy(), labels.numpy())).reshape(-1, *shape).float()


_BUDGET = 0.1
_UNTARGETED = ("GeoDA", "SquareAttack")  # classes of ART that take no `targeted`

PEERS: dict[str, Peer] = {
    entry.id: entry
    for entry in (
        Peer(
            "foolbox.cw_l2",
            "l2",
            "minimal",
            partial(_foolbox, "L2CarliniWagnerAttack"),
            dict(binary_search_steps=9, steps=1000, stepsize=1e-2, confidence=0.0, initial_const=1e-3),
        ),
        Peer("foolbox.ddn", "l2", "minimal", partial(_foolbox, "DDNAttack"), dict(steps=1000)),
        Peer("foolbox.fmn_l0", "l0", "minimal", partial(_foolbox, "L0FMNAttack"), dict(steps=1000)),
        Peer("foolbox.fmn_l2", "l2", "minimal", partial(_foolbox, "L2FMNAttack"), dict(steps=1000)),
        Peer("foolbox.fmn_linf", "linf", "minimal", partial(_foolbox, "LInfFMNAttack"), dict(steps=1000)),
        Peer(
            "foolbox.deepfool", "l2", "minimal", partial(_foolbox, "L2DeepFoolAttack"), dict(steps=50), targeted=False
        ),
        Peer("foolbox.hop_skip_jump", "l2", "minimal", partial(_foolbox, "HopSkipJumpAttack"), dict(steps=20)),
        Peer(
            "foolbox.hop_skip_jump_linf",
            "linf",
            "minimal",
            partial(_foolbox, "HopSkipJumpAttack", constraint="linf"),
            dict(steps=20),
        ),
        Peer(
            "foolbox.pgd",
            "linf",
            "budget",
            partial(_foolbox, "LinfProjectedGradientDescentAttack"),
            dict(epsilon=_BUDGET, steps=40, rel_stepsize=1 / 30, random_start=True),
        ),
        Peer(
            "foolbox.bim",
            "linf",
            "budget",
            partial(_foolbox, "LinfBasicIterativeAttack"),
            dict(epsilon=_BUDGET, steps=10, rel_stepsize=0.2),
        ),
        Peer("foolbox.fgsm", "linf", "budget", partial(_foolbox, "LinfFastGradientAttack"), dict(epsilon=_BUDGET)),
        Peer(
            "foolbox.mi_fgsm",
            "linf",
            "budget",
            partial(_foolbox, "LinfMomentumIterativeFastGradientMethod"),
            dict(epsilon=_BUDGET, steps=10, rel_stepsize=0.2, momentum=1.0),
            note="it sums the gradients' signs, not the gradients",
        ),
        Peer(
            "foolbox.noise",
            "linf",
            "budget",
            partial(_foolbox, "LinfRepeatedAdditiveUniformNoiseAttack"),
            dict(epsilon=_BUDGET, repeats=100),
            targeted=False,
        ),
        Peer(
            "adv_lib.cw_l2",
            "l2",
            "minimal",
            partial(_adv_lib, "carlini_wagner_l2"),
            dict(binary_search_steps=9, max_iterations=1000, learning_rate=1e-2, initial_const=1e-3),
        ),
        Peer(
            "adv_lib.cw_linf",
            "linf",
            "minimal",
            partial(_adv_lib, "carlini_wagner_linf"),
            dict(max_iterations=1000, learning_rate=1e-2, initial_const=1e-5, largest_const=20.0, decrease_factor=0.9),
        ),
        Peer("adv_lib.ddn", "l2", "minimal", partial(_adv_lib, "ddn"), dict(steps=1000)),
        Peer("adv_lib.fmn_l0", "l0", "minimal", partial(_adv_lib, "fmn", norm=0), dict(steps=1000)),
        Peer("adv_lib.fmn_l2", "l2", "minimal", partial(_adv_lib, "fmn", norm=2), dict(steps=1000)),
        Peer("adv_lib.fmn_linf", "linf", "minimal", partial(_adv_lib, "fmn", norm=float("inf")), dict(steps=1000)),
        Peer(
            "adv_lib.alma_l2",
            "l2",
            "minimal",
            partial(_adv_lib, "alma", distance="l2"),
            dict(num_steps=1000, init_lr_distance=1.0),
        ),
        Peer("adv_lib.pdgd", "l2", "minimal", partial(_adv_lib, "pdgd"), dict(num_steps=1000)),
        Peer(
            "adv_lib.pdpgd_l0",
            "l0",
            "minimal",
            partial(_adv_lib, "pdpgd", norm=0, proximal_operator=23),
            dict(num_steps=1000),
        ),
        Peer(
            "adv_lib.pdpgd_linf",
            "linf",
            "minimal",
            partial(_adv_lib, "pdpgd", norm=float("inf")),
            dict(num_steps=1000),
        ),
        Peer(
            "adv_lib.sigma_zero",
            "l0",
            "minimal",
            _sigma_zero,
            dict(num_steps=1000),
            note="targeted through two classes, the target and the best other: its own code is untargeted only",
        ),
        Peer("adv_lib.vfga", "l0", "minimal", partial(_adv_lib, "vfga"), dict(n_samples=10)),
        Peer("torchattacks.cw", "l2", "minimal", partial(_torchattacks, "CW"), dict(c=1.0, steps=1000, lr=1e-2)),
        Peer(
            "torchattacks.deepfool", "l2", "minimal", partial(_torchattacks, "DeepFool"), dict(steps=50), targeted=False
        ),
        Peer(
            "torchattacks.pgd",
            "linf",
            "budget",
            partial(_torchattacks, "PGD"),
            dict(eps=_BUDGET, alpha=_BUDGET / 4, steps=40, random_start=True),
        ),
        Peer("torchattacks.fgsm", "linf", "budget", partial(_torchattacks, "FGSM"), dict(eps=_BUDGET)),
        Peer(
            "torchattacks.bim",
            "linf",
            "budget",
            partial(_torchattacks, "BIM"),
            dict(eps=_BUDGET, alpha=_BUDGET / 4, steps=10),
        ),
        Peer(
            "torchattacks.mi_fgsm",
            "linf",
            "budget",
            partial(_torchattacks, "MIFGSM"),
            dict(eps=_BUDGET, alpha=_BUDGET / 10, steps=10, decay=1.0),
            note="an image whose gradient is 0 becomes NaN",
        ),
        Peer(
            "torchattacks.vmi_fgsm",
            "linf",
            "budget",
            partial(_torchattacks, "VMIFGSM"),
            dict(eps=_BUDGET, alpha=_BUDGET / 10, steps=10, decay=1.0, N=20, beta=1.5),
            note="an image whose gradient is 0 becomes NaN",
        ),
        Peer(
            "torchattacks.apgd",
            "linf",
            "budget",
            partial(_torchattacks, "APGD"),
            dict(eps=_BUDGET, steps=100),
            targeted=False,
        ),
        Peer(
            "torchattacks.autoattack",
            "linf",
            "budget",
            partial(_torchattacks, "AutoAttack"),
            dict(eps=_BUDGET, version="standard", seed=0),
            note="10 steps of each gradient attack, where the authors' have 100",
            targeted=False,
        ),
        Peer(
            "torchattacks.fab",
            "linf",
            "minimal",
            partial(_torchattacks, "FAB", multi_targeted=True),
            dict(eps=1.0, steps=100),
            note="stops at the first class that is reached within eps",
            targeted=False,
        ),
        Peer(
            "torchattacks.square",
            "linf",
            "budget",
            partial(_torchattacks, "Square"),
            dict(eps=_BUDGET, n_queries=1000),
        ),
        Peer(
            "art.cw_l2",
            "l2",
            "minimal",
            partial(_art, "CarliniL2Method"),
            dict(binary_search_steps=9, max_iter=100, learning_rate=1e-2, initial_const=1.0, batch_size=128),
        ),
        Peer(
            "art.cw_l0",
            "l0",
            "minimal",
            partial(_art, "CarliniL0Method"),
            dict(
                flat=False, binary_search_steps=9, max_iter=100, learning_rate=1e-2, initial_const=1.0, batch_size=128
            ),
            note="flat=False: 2 rounds of its outer loop, which runs over the channels; flat=True: one a pixel",
        ),
        Peer(
            "art.cw_linf",
            "linf",
            "minimal",
            partial(_art, "CarliniLInfMethod"),
            dict(max_iter=100, learning_rate=1e-1, initial_const=1e-5, largest_const=20.0, decrease_factor=0.9),
            note="when targeted, it takes any class but the target for a success",
        ),
        Peer("art.hop_skip_jump", "l2", "minimal", partial(_art, "HopSkipJump", norm=2), dict(max_iter=20)),
        Peer("art.hop_skip_jump_linf", "linf", "minimal", partial(_art, "HopSkipJump", norm="inf"), dict(max_iter=20)),
        Peer("art.geoda", "l2", "minimal", partial(_art, "GeoDA"), dict(max_iter=4000), targeted=False),
        Peer(
            "art.square",
            "linf",
            "budget",
            partial(_art, "SquareAttack"),
            dict(eps=_BUDGET, max_iter=5000),
            targeted=False,
        ),
    )
}


@dataclass(frozen=True)
class Suite:
    """A named set of contestants: specs of ours, and of peers."""

    attacks: tuple[str, ...]
    peers: tuple[str, ...] = ()


SUITES: dict[str, Suite] = {
    "cw_l2": Suite(
        ("cw_l2", "cw_l2:solver=reference"),
        (
            "foolbox.cw_l2",
            "adv_lib.cw_l2",
            "foolbox.ddn",
            "adv_lib.ddn",
            "foolbox.fmn_l2",
            "adv_lib.fmn_l2",
        ),
    ),
    "cw_l0": Suite(
        ("cw_l0", "cw_l0:solver=reference"),
        (
            "foolbox.fmn_l0",
            "adv_lib.fmn_l0",
            "adv_lib.sigma_zero",
            "adv_lib.pdpgd_l0",
            "adv_lib.vfga",
        ),
    ),
    "cw_linf": Suite(
        ("cw_linf", "cw_linf:solver=reference"),
        (
            "adv_lib.cw_linf",
            "foolbox.fmn_linf",
            "adv_lib.fmn_linf",
            "adv_lib.pdpgd_linf",
        ),
    ),
    "quick": Suite(("fgsm", "cw_l2:iterations=10")),
}
"""What the rows of a comparison need; "quick" shows that everything runs."""


def chosen(
    suite: str | None, attacks: Sequence[str], peers: Sequence[str]
) -> tuple[list[Contestant], dict[str, list[str]]]:
    """The contestants of a suite, or others in their place; the first suite if nothing is asked for.

    Args:
        attacks: specs of ours in place of the suite's; "none" for none.
        peers: specs of peers in place of the suite's; a library's name or "all" for all of its, "none" for none.

    Returns:
        The contestants, and the peers that are left out because their library, named as pip does, is not installed.

    Raises:
        ValueError: on an unknown suite or spec, or if nobody is left.
    """
    if suite is None and not attacks and not peers:
        suite = next(iter(SUITES))
    if suite is not None:
        check_choice(suite, SUITES, "suite")
    named = SUITES[suite] if suite else Suite(())
    field = [ours(spec) for spec in attacks or named.attacks if spec != "none"]
    missing: dict[str, list[str]] = {}
    for spec in dict.fromkeys(each for name in peers or named.peers for each in _meant(name)):
        name, _ = _split(spec)
        check_choice(name, PEERS, "peer")
        if installed(PEERS[name].library):
            field.append(peer(spec))
        else:
            missing.setdefault(LIBRARIES[PEERS[name].library], []).append(spec)
    if not field:
        raise ValueError("nobody is left to measure; name some attacks or peers")
    return field, missing


def _meant(name: str) -> list[str]:
    """The specs that "none", "all", the name of a library or a spec stands for."""
    if name in ("all", *LIBRARIES):
        return [entry.id for entry in PEERS.values() if name in ("all", entry.library)]
    return [] if name == "none" else [name]
