"""The README says what is so."""

import json
import re

import pandas as pd
import pytest

from kerckhoffs import zoo
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation import paper, summaries, table3
from kerckhoffs.evaluation.examples import COLUMNS
from kerckhoffs.evaluation.keytests import report
from kerckhoffs.evaluation.metrics import wilson
from tests import ROOT

README = (ROOT / "README.md").read_text()


def row(classical, keyed):
    """A line of the README's table, from the manifest."""

    def cell(card):
        low, high = wilson(round(card.test_error * card.test_samples), card.test_samples)
        return f"{100 * card.test_error:.1f} ({100 * low:.1f} to {100 * high:.1f}) | {paper.CLEAN_ERROR[card.id]:.1f}"

    return f"| {classical.title.removesuffix(', classical')} | {cell(classical)} | {cell(keyed)} |"


def test_the_table_of_errors_is_the_manifests():
    cards = zoo.models()
    papers = [card for card in cards.values() if card.defence == "classical" and card.id in paper.CLEAN_ERROR]
    assert len(papers) == 4
    for card in papers:
        keyed = cards[zoo.model_id(card.dataset, card.network, "keyed")]
        assert row(card, keyed) in README.splitlines()


def test_what_is_said_of_keys_was_measured():
    def lines(model):
        return report.read(ROOT / "results" / "keylab" / f"{model}.csv")

    def value(test, case, model="mnist-table1-keyed"):
        return report.one(lines(model), test, case)["value"]

    said = " ".join(README[README.index("Of the 6413 bits") : README.index("results/keylab")].split())
    worth, black = value("entropy", "training images"), value("entropy", "training images, always black")
    assert f"can show {worth:.0f}: {black:.0f} of" in said
    assert round(value("entropy", "the key itself")) == 6413
    assert f"misreads {100 * value('wrong-keys', 'wrong keys'):.1f} % of 1000 samples" in said
    assert f"still gives {100 * value('avalanche', '50'):.1f} %" in said
    for model in ("mnist-half-kda", "mnist-table1-dct-high"):
        right, wrong = (report.one(lines(model), "wrong-keys", name) for name in ("right key", "wrong keys"))
        assert right["low"] <= wrong["value"] <= right["high"]


def line_of_table3(line):
    """A line of the README's Table 3, from the shipped result."""

    papers = [f"{100 * line[f'paper_{kind}_attacked']:.2f}" for kind in ("classical", "keyed")]
    attacked = [cell(line, f"{kind}_attacked") for kind in ("classical", "keyed", "control")]
    cells = [title(line), attacked[0], papers[0], attacked[1], papers[1], attacked[2], line["verdict"]]
    return f"| {' | '.join(cells)} |"


def title(line):
    options = json.loads(line["options"])
    fgsm = f", {options.get('arithmetic', 'exact')}, ε = {options['epsilon']}" if "epsilon" in options else ""
    return table3.ROWS[line["row"]].title + fgsm


def cell(line, name):
    return summaries.percent(*(line[f"{name}{end}"] for end in ("", "_low", "_high")))


@pytest.fixture(scope="module")
def shipped():
    """The rows of Table 3."""
    return pd.read_csv(ROOT / "results" / "table3" / "rows.csv.gz", dtype=COLUMNS)


@pytest.fixture(scope="module")
def compared(shipped):
    """Table 3, from the shipped rows."""
    return table3.compare(shipped)


@pytest.fixture(scope="module")
def fgsm(compared):
    """FGSM's lines by data set, arithmetic, and whether epsilon is 0.3 ("fixed") or the "matching" one."""
    lines = {}
    for line in compared[compared["row"].str.endswith("-fgsm")].to_dict("records"):
        options = json.loads(line["options"])
        which = "fixed" if options["epsilon"] == table3.FGSM_EPSILON else "matching"
        lines[line["row"].removesuffix("-fgsm"), options.get("arithmetic", "exact"), which] = line
    assert len(lines) == 8
    return lines


def test_table_3_is_the_shipped_result(compared):
    lines = compared.to_dict("records")
    assert {line["row"] for line in lines} == set(table3.ROWS)
    for line in lines:
        assert line_of_table3(line) in README.splitlines()
        success = f"| {title(line)} | {cell(line, 'keyed_success')} | {cell(line, 'control_success')} |"
        assert success in README.splitlines()


def test_what_is_said_of_carlini_and_wagners_rows_is_so(compared):
    lines = compared[compared["row"].str.contains("-cw_")].set_index("row")
    worse = lines.index[lines["keyed_success_low"] > lines["control_success_high"]]
    assert set(worse) == {"mnist-cw_l2", "mnist-cw_linf"}, "more turn the keyed network wrong than the control"
    assert not (lines["keyed_success_high"] < lines["control_success_low"]).any()


def said(text):
    """A text without line breaks, of the README or of the page."""
    return " ".join(text.split())


@pytest.mark.parametrize("text", [README, table3.WHY], ids=["README", "page"])
def test_the_figures_in_what_is_said_of_fgsm_are_the_shipped_ones(text, fgsm):
    rounded = {f"{100 * line[f'{kind}_attacked']:.1f} %" for line in fgsm.values() for kind in ("classical", "keyed")}
    mnist, fashion = fgsm["mnist", "float32", "fixed"], fgsm["fashion-mnist", "float32", "fixed"]
    for line, name in ((mnist, "classical"), (mnist, "keyed"), (mnist, "control"), (fashion, "classical")):
        assert f"{100 * line[f'{name}_attacked']:.1f} %" in said(text)
    assert f"{100 * mnist['paper_classical_attacked']:.1f} %" in said(text)
    assert f"{100 * fashion['paper_classical_attacked']:.1f} %" in said(text)
    assert f"the keyed {100 * mnist['paper_keyed_attacked']:.0f} %" in said(text).replace("its keyed", "the keyed")
    assert f"{100 * fgsm['mnist', 'exact', 'fixed']['classical_attacked']:.1f} %" in rounded & set(
        re.findall(r"[\d.]+ %", said(table3.WHY))
    )


def test_what_is_said_of_fgsm_is_so(fgsm):
    for (dataset, arithmetic, which), line in fgsm.items():
        paper_low, paper_high = wilson(round(1000 * line["paper_keyed_attacked"]), 1000)
        if dataset == "mnist":
            assert line["keyed_attacked_low"] > 3 * paper_high - paper_low, "far above"
        elif which == "matching":
            assert line["keyed_attacked_high"] < line["control_attacked_low"], "below the control's"
            assert line["verdict"] == {"float32": "reproduced", "exact": "better"}[arithmetic]
    both = fgsm["mnist", "float32", "fixed"]
    low, high = wilson(921, 1000)
    assert both["classical_attacked_low"] < high, "the paper's classical error at 0.3"
    assert both["classical_attacked_high"] > low
    assert fgsm["fashion-mnist", "float32", "fixed"]["classical_attacked_low"] > wilson(606, 1000)[1]


def test_how_many_pixels_fgsm_changes(shipped):
    own = shipped[(shipped["attack"] == "fgsm") & (shipped["crafted_on"] == shipped["evaluated_on"])]
    shares = (
        own.assign(float32=own["options"].str.contains("float32")).groupby(["dataset", "float32"])["l0"].mean() / 784
    )
    (m, f), (exact_m, exact_f) = (
        [round(100 * shares[dataset, float32]) for dataset in ("mnist", "fashion-mnist")] for float32 in (True, False)
    )
    words = f"changes {m} % of the pixels of an MNIST image and {f} % of a Fashion-MNIST one"
    assert f"{words} (exact: {exact_m} and {exact_f} %)" in said(README)
    assert shares.min() > 0.5, "in most of the pixels"


def test_how_long_the_table_takes_and_how_many_gradients(shipped):
    made = shipped[shipped["crafted_on"] == shipped["evaluated_on"]]
    minutes = made["seconds"].sum() / 2 / 60
    assert f"about {minutes:.0f} minutes on two cores" in README
    assert minutes < 60, "less than an hour"
    for attack in table3.SHORT:
        share = made[made["attack"] == attack]["gradients"].mean() / ATTACKS[attack].cost
        assert share == pytest.approx(0.5, abs=0.01) if attack == "cw_l2" else share < 0.5


def test_the_shipped_manifest_says_which_command_made_which_rows(shipped):
    manifest = json.loads((ROOT / "results" / "table3" / "manifest.json").read_text())
    parts = [each["rows"] for each in manifest["runs"]]
    assert sorted(name for part in parts for name in part) == sorted(table3.ROWS)
    names = shipped["dataset"] + "-" + shipped["attack"]
    for each in manifest["runs"]:
        run = each["manifest"]
        assert run["command"].startswith("python -m kerckhoffs table3")
        made = {
            (one["crafted_on"], one["attack"], json.dumps(one["options"], sort_keys=True)) for one in run["experiments"]
        }
        rows = shipped[names.isin(each["rows"])][["crafted_on", "attack", "options"]].drop_duplicates()
        assert set(rows.itertuples(index=False, name=None)) <= made


def test_the_shipped_summary_is_what_the_shipped_rows_say(compared):
    summary = pd.read_csv(ROOT / "results" / "table3" / "summary.csv")
    pd.testing.assert_frame_equal(compared[summary.columns], summary, check_dtype=False)


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    ("example", "shows"), [*zip(EXAMPLES, ("tensor", "attacked_error_high", "control success %"), strict=True)]
)
def test_the_python_examples_run_as_printed(example, shows, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    exec(compile(example, "README.md", "exec"), {})
    assert shows in capsys.readouterr().out


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_what_is_to_be_typed_fits_a_terminal_of_80_columns(path):
    text = path.read_text()
    typed = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    typed += [line for line in text.splitlines() if line.startswith("    ")]
    assert [line for line in typed if len(line) > 80] == []
