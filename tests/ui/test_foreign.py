"""Text from elsewhere becomes no link, no picture, no formula and nothing else on any page, and can still be read."""

import csv
import dataclasses
import io
import json
import shutil
import warnings
import zipfile
from contextlib import suppress
from functools import cache
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from kerckhoffs import zoo
from kerckhoffs.data import images
from kerckhoffs.data.uploads import read_zip
from kerckhoffs.evaluation import runs, summaries, tables
from kerckhoffs.evaluation.experiments import UPLOADED
from kerckhoffs.plots import runs as plots_runs
from kerckhoffs.ui import foreign, link
from kerckhoffs.ui.parts import pixels, strokes
from kerckhoffs.zoo import cards
from tests.batches import CLASSICAL, FGSM, begun, fgsm, finished
from tests.batches import uploaded as samples
from tests.foreign import SEEDS, Addresses, active, active_on, hostile, read, texts_on
from tests.pages import opened, words
from tests.ui.batch.test_batch import png

HOSTILE = hostile()
KEYED = "mnist-table1-keyed"


@pytest.fixture
def ours():
    """What pages say where nothing hostile was brought: lists, icons, the operators of norms."""
    return _ours()


@cache
def _ours():
    pages = [opened(name) for name in ("play", "how_it_works", "batch", "table3", "defences")]
    return frozenset().union(*map(texts_on, pages))


def test_there_are_five_hundred_and_they_are_active_where_nothing_is_done():
    assert len(set(HOSTILE)) == 500
    assert sum(bool(active(each)) for each in HOSTILE) > 400


SHOWN = {"code": (foreign.code, foreign.LONGEST), "sentence": (foreign.sentence, foreign.LONGEST_SENTENCE)}


@pytest.mark.parametrize("how", SHOWN)
def test_nothing_hostile_is_active_and_it_is_still_read(how):
    show, longest = SHOWN[how]
    for text in HOSTILE:
        assert active(show(text)) == [], text
        assert read(show(text)).split() == foreign.visible(text, longest).split()


@given(some.text(max_size=80))
def test_no_text_at_all_is_active(text):
    for show, longest in SHOWN.values():
        assert read(show(text)).split() == foreign.visible(text, longest).split()
        assert active(show(text)) == []


def test_code_is_the_text_to_the_last_blank_and_backtick():
    for text in ("`", "``", " a ", "`a`b``", "a", "   "):
        assert read(foreign.code(text)) == text


def test_what_cannot_be_seen_is_made_visible_and_what_is_long_is_cut_in_the_middle():
    assert foreign.visible("a\nb\x1b\u202e\ud800") == r"a\nb\x1b\u202e\ud800"
    long = foreign.visible("a" * 500 + "z")
    assert len(long) == foreign.LONGEST
    assert long.startswith("aa")
    assert long.endswith("az")


def test_our_own_sentences_stay_as_they_are():
    for text in (
        "epsilon must be between 0 and 1, but is -0.1",
        "further values of epsilon are numbers with commas, but one is '0.1; 0.2'",
        "there is nothing to read: the picture is empty, or all of about one shade",
        "2 of your batches are running or waiting already; stop one or wait",
        "its process was ended from outside, perhaps for want of memory",
    ):
        assert foreign.sentence(text) == text
    said = "the weights /a/b.safetensors were changed: restore them"
    assert foreign.sentence(said) == "the weights `/a/b.safetensors` were changed: restore them"


def reasons(refusing, *inputs):
    """What is said of each input that is refused."""
    found = []
    for each in inputs:
        try:
            refusing(each)
        except (ValueError, TypeError, KeyError) as error:
            found.append(str(error))
    return found


def of_addresses():
    readers = (
        link.one_of({"a": 1}),
        link.whole(0, 9),
        strokes.decode,
        lambda text: pixels.decode(text, (1, 28, 28)),
        runs.find,
    )
    return [reason for reader in readers for reason in reasons(reader, *HOSTILE)]


def of_files():
    return reasons(lambda name: images.read(b"no picture", name), *HOSTILE)


def of_cards():
    card = {**dataclasses.asdict(zoo.card(KEYED))}
    changes = ["id", "dataset", "network", "defence", "file", "sha256", "test_error", "options", "transform", "other"]
    return [
        reason
        for field in changes
        for reason in reasons(lambda text, field=field: cards.read({**card, field: text}), *HOSTILE)
    ]


def of_runs(folder):
    run = begun()
    manifest = json.loads((run.folder / runs.MANIFEST).read_text())
    (folder / runs.ROWS).mkdir(parents=True)

    def written(**changes):
        (folder / runs.MANIFEST).write_text(json.dumps(manifest | changes))
        runs.open_run(folder)

    changes = (
        lambda text: {"id": text},
        lambda text: {"format": text},
        lambda text: {"block": text},
        lambda text: {"experiments": [manifest["experiments"][0] | {"attack": text}]},
        lambda text: {"experiments": [manifest["experiments"][0] | {"targets": text}]},
        lambda text: {"experiments": [manifest["experiments"][0] | {"options": {text: text}}]},
        lambda text: {"specification": text},
    )
    return [reason for change in changes for reason in reasons(lambda text: written(**change(text)), *HOSTILE[::5])]  # noqa: B023


@pytest.mark.parametrize("way", [of_addresses, of_files, of_cards, of_runs])
def test_no_reason_that_quotes_something_hostile_is_active_where_it_is_said(way, tmp_path):
    said = way(tmp_path / "run") if way is of_runs else way()
    assert len(said) >= 500
    assert any("evil.example" in reason for reason in said)
    for reason in said:
        assert active(foreign.sentence(reason)) == [], reason


def packed(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            with suppress(UnicodeEncodeError), warnings.catch_warnings():  # of a lone surrogate
                warnings.simplefilter("ignore")  # a zip ends a name at its first zero, and two may be the same then
                archive.writestr(name, data)
    return file.getvalue()


def with_zip(content):
    app = opened("batch")
    app.segmented_control(key="batch_split").set_value(UPLOADED).run()
    app.file_uploader[0].set_value(("![x](https:&sol;&sol;evil.example).zip", content, "application/zip")).run()
    assert not app.exception
    return app


def test_names_in_a_zip_are_cells_and_no_formulas(ours):
    app = with_zip(packed({"1/good.png": png()} | {f"{name}.png": b"" for name in HOSTILE}))
    assert active_on(app, ours) == []
    table = app.dataframe[0]
    assert len(table.value) > 150
    assert "link" not in table.proto.columns
    for text in table.value.to_numpy().ravel():
        assert not tables.FORMULA.match(text)
        assert text.isprintable()


def test_labels_in_a_csv_are_cells(ours):
    rows = io.StringIO()
    texts = [text for text in HOSTILE if "\0" not in text]  # with one the whole file counts as damaged
    csv.writer(rows).writerows([("good.png", "1"), *((f"{number}.png", text) for number, text in enumerate(texts))])
    labels = rows.getvalue().encode("utf-8", "replace")
    app = with_zip(packed({"good.png": png(), "labels.csv": labels} | {f"{n}.png": b"" for n in range(500)}))
    assert active_on(app, ours) == []
    assert any("evil.example" in each for each in app.dataframe[0].value["left out because"])


def test_a_zip_in_which_nothing_is_good_is_one_inert_sentence(ours):
    for name in SEEDS[::4]:
        app = with_zip(packed({f"{name}.png": b""}))
        assert len(app.error) == 1
        assert active_on(app, ours) == []


@pytest.mark.parametrize("name", [each for each in SEEDS if "\ud83d" not in each][::6])
def test_the_name_of_a_picture_is_read_and_not_active(name, ours):
    app = opened(image="upload")
    app.file_uploader(key="file_1").set_value((f"{name}.png", b"no picture", "image/png")).run()
    assert not app.exception
    assert len(app.error) == 1
    assert active_on(app, ours) == []
    assert images.shown(f"{name}.png").split()[0].replace("`", "") in words(app.error)


ADDRESS = ("set", "network", "image", "sample", "drawing", "upload", "dial", "attack", "target", "seed", "epsilon")


def test_what_an_address_says_is_read_and_not_active(ours):
    texts = [each for each in SEEDS if "\ud83d" not in each]
    for start in range(0, len(texts), len(ADDRESS)):
        app = opened(**dict(zip(ADDRESS, texts[start:], strict=False)))
        assert app.warning
        assert active_on(app, ours) == []


def hostile_card(text):
    """The entry of a user's own model whose free fields say something hostile."""
    entry = cards.write(zoo.card(CLASSICAL))
    return entry | {"command": text, "training": {text: text}, "versions": {text: text}}


def own_manifest(*entries):
    folder = zoo.own_folder()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(zoo.shipped_folder() / f"{CLASSICAL}.safetensors", folder)
    (folder / zoo.MANIFEST).write_text(json.dumps({"models": entries}))


@pytest.mark.usefixtures("fresh_caches")
def test_what_a_card_says_is_a_cell_that_is_no_link_and_no_formula(ours):
    for text in SEEDS[::2]:
        own_manifest(hostile_card(text))
        app = opened("defences")
        [cell] = app.dataframe[0].value.set_index("Classifier")["Made by"][[f"{zoo.card(CLASSICAL).title}, yours"]]
        assert cell in (foreign.visible(text), f"'{foreign.visible(text)}")
        assert not tables.FORMULA.match(cell)
        assert active_on(app, ours) == []


@pytest.mark.usefixtures("fresh_caches")
@pytest.mark.parametrize("page", ["play", "how_it_works", "batch", "table3", "defences"])
def test_a_manifest_that_is_refused_is_an_inert_sentence_on_every_page(page, ours):
    own_manifest(hostile_card("x") | {"id": SEEDS[1]})
    app = opened(page)
    assert "Your own models are left out" in words(app.warning)
    assert "evil.example" in words(app.warning)
    assert active_on(app, ours) == []


def named(name):
    """A finished run of uploaded samples that have this name."""
    return finished(fgsm(options=FGSM, split=UPLOADED, stop=2), uploaded=samples(name, "1/b.png"))


def shown(run):
    app = opened("batch")
    app.query_params.clear()
    app.query_params["run"] = run.id
    app.run()
    assert not app.exception
    return app


@pytest.mark.usefixtures("fresh_caches")
@pytest.mark.parametrize("name", [each for each in SEEDS if "\ud83d" not in each and each.strip()][::8])
def test_a_sample_with_any_name_is_shown_in_a_run(name, ours):
    app = shown(named(images.shown(name)))
    assert active_on(app, ours) == []
    assert all(text.isprintable() for text in app.dataframe[1].value["sample"])


@pytest.mark.usefixtures("fresh_caches")
def test_the_command_of_a_run_is_code_whatever_it_is():
    for text in SEEDS[::10]:
        app = shown(finished(command=text))
        assert foreign.visible(text) in [each.value for each in app.code]


@pytest.mark.usefixtures("fresh_caches")
def test_rows_that_are_not_of_the_runs_experiments_are_refused(ours):
    run = finished()
    [path] = run.shards().values()
    rows = run.rows()
    path.unlink()
    run.write(run.blocks[0], rows.assign(evaluated_on=SEEDS[3]))
    app = shown(run)
    assert "its rows are of another" in words(app.error)
    assert active_on(app, ours) == []


@pytest.mark.parametrize("draw", [plots_runs.errors, plots_runs.errors_by, plots_runs.fooled_within])
def test_no_name_is_a_tag_in_a_figure(draw):
    made = finished(fgsm(options=FGSM, stop=4), fgsm(options=FGSM | {"epsilon": 0.1}, stop=4)).rows()
    texts = [each for each in SEEDS if "\ud83d" not in each]
    table = pd.concat([made.assign(evaluated_on=text) for text in texts], ignore_index=True)
    given = table if draw is plots_runs.fooled_within else summaries.summarise(table)
    figure = draw(given, *{plots_runs.errors_by: ("epsilon",), plots_runs.fooled_within: ("l2",)}.get(draw, ()))
    assert len(figure.data) >= len(set(texts))
    for trace in figure.data:
        assert "<" not in trace.name
        assert "evil.example" not in str(trace.hovertemplate)


def test_no_name_is_a_tag_in_a_page_of_figures():
    nothing = SimpleNamespace(to_html=lambda **_: "")
    for text in SEEDS:
        page = plots_runs.html({text: nothing}, text)
        assert page.count("<h") == 4, "html, head, h1, h2"
        assert Addresses(page).found == []


def test_the_files_of_a_run_have_plain_names():
    assert runs.ID.fullmatch(begun().id)


def test_a_zip_names_what_it_leaves_out_in_one_line():
    content = packed({"1/good.png": png()} | {f"{name}.png": b"" for name in HOSTILE})
    assert all(part.isprintable() for line in read_zip(content, "mnist").refused for part in line)
