"""Flags: raised at their thresholds and not one step inside, on constructed rows; and on models that earn them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from docs import flags as page
from kerckhoffs import data, zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.defences.noise import NoisyClassifier
from kerckhoffs.evaluation import examples, flags, judge, probes, summaries
from kerckhoffs.evaluation.experiments import Block, Experiment
from kerckhoffs.evaluation.flags import FLAGS
from tests import ROOT
from tests.linear import Linear, random_linear

TARGET, TWIN = "a-table1-keyed", "a-table1-classical"
SAMPLES = 400


def tried(attack, hits, *, crafted_on=TARGET, evaluated_on=TARGET, samples=SAMPLES, first=0, **options):
    """Rows of an attack that does what it is to do on these samples: on so many, or as a list of booleans says."""
    hits = np.arange(samples) < hits if isinstance(hits, int) else np.array(hits)
    shared = {"dataset": "mnist", "split": "test", "targets": "untargeted", "seed": 0, "target": None}
    shared |= {"attack": attack, "options": json.dumps(options), "crafted_on": crafted_on, "evaluated_on": evaluated_on}
    own = {"index": np.arange(first, first + len(hits)), "success": hits}
    return pd.DataFrame(shared | own | {"crafted_gradient": 1e-3, "call_difference": 0.0})


def found(*frames):
    """The ids of the flags that rows raise."""
    return [each.flag.id for each in flags.raised(pd.concat(frames, ignore_index=True))]


def words(*frames):
    return " ".join(seen.words() for each in flags.raised(pd.concat(frames)) for seen in each.seen)


# --- Measured beside the attack


@pytest.mark.parametrize(("tiny", "raised"), [(39, []), (40, ["vanishing-gradients"])])
def test_gradients_vanish_from_a_tenth_of_the_samples_on(tiny, raised):
    size = np.where(np.arange(SAMPLES) < tiny, np.nextafter(probes.TINY, 0), probes.TINY)
    assert found(tried("fgsm", SAMPLES).assign(crafted_gradient=size)) == raised


def test_what_climbs_a_vanishing_gradient_is_named():
    rows = tried("pgd", 0, arithmetic="float32"), tried("cw_l2", SAMPLES)
    said = words(*(each.assign(crafted_gradient=0.0) for each in rows))
    assert f"On {TARGET} it is below 1e-19 at 100.0 % of 400 samples, and 0 at 100.0 %." in said
    assert "Crafted along it: pgd arithmetic=float32;" in said
    assert "No attack here" in words(tried("pgd", SAMPLES).assign(crafted_gradient=0.0))


@pytest.mark.parametrize(("difference", "raised"), [(flags.ROUNDING, []), (2e-3, ["random-answers"])])
def test_answers_are_random_beyond_rounding(difference, raised):
    differences = np.where(np.arange(SAMPLES) == 7, difference, 0.0)
    assert found(tried("fgsm", SAMPLES).assign(call_difference=differences)) == raised


def test_rows_from_before_there_were_flags_raise_no_more_than_comparisons():
    rows = tried("fgsm", 300), tried("pgd", 100)
    empty = [each.assign(crafted_gradient=np.nan, call_difference=np.nan) for each in rows]
    short = [each.drop(columns=list(examples.ADDED)) for each in rows]
    assert found(*empty) == found(*short) == ["one-step-wins"]
    assert flags.raised(pd.DataFrame()) == []


def test_the_shipped_table_raises_nothing():
    rows = pd.read_csv(ROOT / "results" / "table3" / "rows.csv.gz", dtype=examples.COLUMNS)
    assert flags.raised(rows) == []


# --- Comparisons


def split(more, less, samples=SAMPLES):
    """Successes of two attacks: `more` samples by the first alone, `less` by the second, the later half by both."""
    first, second = np.zeros(samples, dtype=bool), np.zeros(samples, dtype=bool)
    first[:more], second[more : more + less] = True, True
    both = np.arange(samples) >= samples // 2
    return first | both, second | both


COMPARED = {
    "one-step-wins": lambda better, worse: (tried("fgsm", better), tried("pgd", worse)),
    "black-box-wins": lambda better, worse: (tried("square", better), tried("pgd", worse)),
    "error-falls": lambda better, worse: (tried("pgd", better, epsilon=0.1), tried("pgd", worse, epsilon=0.2)),
}


@pytest.mark.parametrize("flag", COMPARED)
@pytest.mark.parametrize(("more", "less"), [(7, 0), (6, 0), (12, 1), (16, 4), (15, 4), (60, 40), (70, 30)])
def test_a_difference_counts_where_mcnemars_test_says_so(flag, more, less):
    chance = binomtest(more, more + less, alternative="greater").pvalue
    assert found(*COMPARED[flag](*split(more, less))) == [flag] * int(chance <= flags.LEVEL)
    assert found(*reversed(COMPARED[flag](*split(more, less)))) == found(*COMPARED[flag](*split(more, less)))


@pytest.mark.parametrize("flag", COMPARED)
@pytest.mark.parametrize(("samples", "raised"), [(1000, True), (1001, False)])
def test_a_difference_below_one_percent_does_not_count_however_sure_it_is(flag, samples, raised):
    assert found(*COMPARED[flag](*split(10, 0, samples))) == [flag] * raised


@pytest.mark.parametrize("flag", COMPARED)
def test_what_is_better_the_right_way_round_or_on_other_samples_raises_nothing(flag):
    better, worse = split(200, 0)
    assert found(*COMPARED[flag](worse, better)) == []
    first, second = COMPARED[flag](better, worse)
    assert found(first, second.assign(index=second["index"] + SAMPLES)) == []
    for column in ("evaluated_on", "targets", "split", "dataset"):
        assert found(first.assign(crafted_on="x"), second.assign(crafted_on="x", **{column: "other"})) == []


@pytest.mark.parametrize("flag", COMPARED)
def test_both_lines_are_named_and_no_other(flag):
    rows = pd.concat([*COMPARED[flag](*split(200, 0)), tried("cw_l2", SAMPLES, evaluated_on=TWIN)])
    summary = rows.drop_duplicates(list(flags.TRIED))
    marked = flags.marked(summary, flags.raised(rows)).set_index("attack")["warnings"]
    assert marked["cw_l2"] == ""
    assert set(marked.drop("cw_l2")) == {flag}


def test_more_comparisons_need_a_clearer_difference():
    better, worse = split(8, 0)
    assert found(tried("fgsm", better), tried("pgd", worse)) == ["one-step-wins"]
    others = [
        each
        for epsilon in (0.1, 0.2)
        for each in (tried("fgsm", worse, epsilon=epsilon), tried("pgd", worse, epsilon=epsilon))
    ]
    assert found(tried("fgsm", better), tried("pgd", worse), *others) == []


def test_seeds_and_targets_of_a_sample_are_no_further_evidence():
    better, worse = split(6, 0)
    seeds = [each.assign(seed=seed) for seed in range(9) for each in (tried("fgsm", better), tried("pgd", worse))]
    assert found(*seeds) == []
    aimed = [each.assign(target=target, targets="all") for target in range(9) for each in seeds[:2]]
    assert found(*aimed) == []


def test_the_strongest_of_those_who_know_more_is_what_counts():
    better, worse = split(200, 0)
    assert found(tried("fgsm", better), tried("pgd", worse), tried("apgd", better)) == []
    assert found(tried("square", better), tried("pgd", worse), tried("bim", better)) == []


def test_an_attack_on_another_model_is_a_black_box():
    better, worse = split(200, 0)
    said = words(tried("pgd", better, crafted_on=TWIN), tried("pgd", worse))
    better = f"Evaluated on {TARGET}, pgd, which reads gradients of {TWIN}, does better than pgd on the gradients of"
    assert f"{better} {TARGET}: 100.0 % against 50.0 % of 400 samples: 200 by the first alone, 0 by the other" in said


def test_attacks_without_a_limit_are_compared_with_their_like():
    better, worse = split(3, 0)
    assert found(tried("hop_skip_jump", SAMPLES), tried("cw_l2", SAMPLES - 7)) == ["black-box-wins"]
    assert found(tried("hop_skip_jump", better), tried("pgd", worse)) == []  # another norm, and a budget
    assert found(tried("one_pixel", SAMPLES), tried("jsma", 0)) == []  # budgets of other kinds


@pytest.mark.parametrize(
    ("attack", "options"),
    [("pgd", {"epsilon": 1.0}), ("pgd", {"epsilon": flags.UNBOUNDED}), ("cw_l2", {}), ("ddn", {})],
)
@pytest.mark.parametrize(("hits", "raised"), [(393, []), (392, ["unbounded-fails"])])
def test_an_unlimited_attack_reaches_nearly_all(attack, options, hits, raised):
    assert found(tried(attack, hits, **options)) == raised


@pytest.mark.parametrize(
    "rows",
    [
        tried("pgd", 100, epsilon=0.89),
        tried("fgsm", 100, epsilon=1.0),  # it takes the whole step
        tried("pgd", 100, crafted_on=TWIN, epsilon=1.0),
        tried("square", 100, epsilon=1.0),
        tried("pgd", 29, samples=30, epsilon=1.0),  # too few to tell
    ],
)
def test_what_is_limited_or_not_its_own_need_not_reach_all(rows):
    assert found(rows) == []


# --- However the rows lie

ROWS = pd.concat(
    [
        tried("fgsm", 300),
        tried("pgd", 100),
        tried("pgd", 40, epsilon=0.4),
        tried("pgd", 60, epsilon=1.0),
        tried("square", 200),
        tried("fgsm", 390, crafted_on=TWIN),
    ],
    ignore_index=True,
).assign(call_difference=0.5, crafted_gradient=lambda rows: np.where(rows["crafted_on"] == TARGET, 0.0, 1e-3))


def test_all_flags_can_be_raised_at_once():
    assert found(ROWS) == list(FLAGS)


@settings(max_examples=8)
@given(st.integers(0, 1000), st.integers(0, 2), st.booleans())
def test_shuffled_and_repeated_rows_raise_the_same(seed, times, categories):
    rows = pd.concat([ROWS] + [ROWS.sample(frac=0.3, random_state=seed + time) for time in range(times)])
    rows = rows.sample(frac=1, random_state=seed)
    if categories:
        rows = rows.astype(dict.fromkeys(flags.TRIED, "category"))
    assert flags.raised(rows) == flags.raised(ROWS)


def test_a_summary_says_which_lines_a_flag_is_about():
    rows = ROWS.assign(label=0, before=0, after=1, after_8bit=1, crafted_before=0, crafted_success=True, l0=1, l2=1.0)
    found = flags.raised(rows)
    marked = flags.marked(summaries.summarise(rows.assign(linf=0.1)), found)
    assert marked["warnings"].str.contains("random-answers").all()
    on_twin = marked["crafted_on"] == TWIN
    assert (marked["warnings"].str.contains("vanishing-gradients") == ~on_twin).all()
    assert flags.marked(marked.drop(columns="warnings"), []).eq(marked.assign(warnings="")).to_numpy()[:, -1].all()


def test_every_flag_is_on_the_page_and_in_the_markdown():
    assert (ROOT / "docs" / "warnings.md").read_text() == page.page(), "python -m docs.flags > docs/warnings.md"
    said = flags.markdown(flags.raised(ROWS))
    for id_, flag in FLAGS.items():
        assert flag.id == id_
        for text in (flag.title, flag.raised_if, flag.means):
            assert text in said
    assert flags.markdown([]) == ""


# --- Models that earn them


def judged(model, images, labels, attack="fgsm", randomized=False, **options):
    """The rows of an attack on a model that is crafted on and evaluated on."""
    name = "mnist-table1-classical"
    card = replace(zoo.card(name), defence="noise") if randomized else zoo.card(name)
    count = len(images)
    samples = examples.Samples(images, labels, tuple(f"test {number}" for number in range(count)))
    each = Experiment(attack, name, (name,), options, stop=count)
    return examples.examine(each, Block(0, 0, 0, count, count), samples, {name: model}, {name: card})


def reads_itself(model, images):
    return model(images).argmax(1)


@pytest.mark.parametrize("arithmetic", ["exact", "float32"])
def test_logits_a_thousandfold_vanish_and_only_float32_stands_still(arithmetic):
    model, images = random_linear(5, scale=1000.0)
    rows = judged(model, images, reads_itself(model, images), epsilon=0.5, arithmetic=arithmetic)
    assert [each.flag.id for each in flags.raised(rows)] == ["vanishing-gradients"]
    assert rows["success"].any() == (arithmetic == "exact")
    assert (rows["crafted_gradient"] == 0).all()


def test_a_healthy_model_raises_nothing_and_the_probes_are_not_counted():
    model, images = random_linear(5)
    rows = judged(model, images, reads_itself(model, images), epsilon=0.5)
    assert flags.raised(rows) == []
    assert (rows["crafted_gradient"] > 0).all()
    assert (rows["call_difference"] == 0).all()
    assert set(rows["gradients"]) == {1.0}


def test_a_shipped_model_raises_nothing():
    rows = examples.evaluate({"fgsm": {}, "bim": {"iterations": 30}}, *2 * ["mnist-table1-classical"], stop=16)
    assert flags.raised(rows) == []


def noisy(sigma=0.3, **options):
    model, images = random_linear(5, depth=0.2)
    return NoisyClassifier(model, sigma=sigma).eval(), images, reads_itself(model, images)


def test_noise_at_test_time_is_found():
    rows = judged(*noisy(), randomized=True, epsilon=0.1, perturb_all=True)
    assert "random-answers" in [each.flag.id for each in flags.raised(rows)]
    assert (rows["call_difference"] > flags.ROUNDING).all()


def test_what_came_back_unchanged_is_turned_by_no_luck_of_the_draws():
    model, images, labels = noisy(sigma=3.0)
    rows = judged(model, images, labels, randomized=True, epsilon=0.0, perturb_all=True)
    assert (rows["linf"] == 0).all()
    for name in ("after", "crafted_before", "crafted_after"):
        assert rows[name].tolist() == rows["before"].tolist()
    assert rows["confidence_after"].tolist() == rows["confidence_before"].tolist()


def test_a_randomised_defence_is_judged_by_the_mean_of_many_calls(monkeypatch):
    model, images, labels = noisy()
    asked = []
    monkeypatch.setattr(examples, "predict", lambda *arguments, calls: asked.append(calls) or judge.predict(*arguments))
    judged(model, images, labels, epsilon=0.1)
    assert set(asked) == {1}
    judged(model, images, labels, randomized=True, epsilon=0.1)
    assert set(asked[len(asked) // 2 :]) == {judge.CALLS}


def test_the_mean_of_calls_is_steadier_than_one():
    model, images, _ = noisy()
    spread = [
        torch.stack([judge.predict(model, images, calls=calls) for _ in range(20)]).std(0).mean() for calls in (1, 16)
    ]
    assert spread[1] < spread[0] / 2


# --- Models without a gradient


class Detached(Linear):
    def forward(self, images):
        return super().forward(images.detach())


class OutsideTorch(Linear):
    def forward(self, images):
        return torch.from_numpy(images.flatten(1).numpy() @ self.weight.detach().numpy().T)


class InPlace(Linear):
    def forward(self, images):
        return super().forward(images.mul_(2))


class Overwrites(Linear):
    def forward(self, images):
        pixels = images.flatten(1).exp()
        return (pixels @ self.weight.T) + pixels.zero_().sum()


class NotANumber(Linear):
    def forward(self, images):
        return super().forward(images) + (0 * images.flatten(1).sum(1, keepdim=True)).sqrt()


@pytest.mark.parametrize("kind", [Detached, OutsideTorch, InPlace, Overwrites, NotANumber])
def test_where_there_is_no_gradient_the_column_is_empty(kind):
    model = kind(torch.eye(9)[:4]).requires_grad_(False)
    images = torch.rand(20, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    assert probes.gradient_sizes(model, images, torch.zeros(20, dtype=torch.int64)).isnan().all()


def test_a_black_box_is_evaluated_without_a_gradient():
    model = Detached(torch.eye(9)[:4]).requires_grad_(False)
    images = torch.rand(4, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    rows = judged(model, images, reads_itself(model, images), "square", max_queries=20)
    assert rows["crafted_gradient"].isna().all()
    assert flags.raised(rows) == []


def test_the_gradient_is_the_cross_entropys():
    weight = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    size = probes.gradient_sizes(Linear(weight), torch.zeros(1, 1, 1, 2), torch.tensor([0]))
    assert size.item() == pytest.approx(1.5)  # (softmax - onehot) W = (-1/2, 3/2)


def test_models_and_inputs_come_back_as_they_were():
    model, images = random_linear(5)
    before = images.clone()
    probes.gradient_sizes(model, images, reads_itself(model, images))
    probes.call_differences(model, images)
    assert torch.equal(images, before)
    assert not images.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


class Hides(Linear):
    """The last class is out of play, and another thing each time."""

    def forward(self, images):
        logits = super().forward(images)
        logits[:, -1] = -1e9 * torch.rand(len(images)) - 1e8
        return logits


def test_a_class_that_a_model_hides_is_no_randomness():
    images, _ = data.load("mnist", indices=range(3))
    assert probes.call_differences(Hides(torch.rand(4, 784)), images).tolist() == [0.0] * 3


def test_every_norm_and_kind_has_a_budget_or_none():
    """A new attack without epsilon is either minimal or left out of the comparisons."""
    for attack in ATTACKS.values():
        [one] = flags.Evidence(tried(attack.id, 1)).tried
        named = "epsilon" in {option.name for option in attack.options}
        assert (one.budget == float("inf")) == (attack.kind == "minimal")
        assert np.isnan(one.budget) == (attack.kind != "minimal" and not named)
