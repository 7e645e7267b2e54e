import pandas as pd
import pytest

from kerckhoffs.evaluation.keytests import report
from kerckhoffs.evaluation.keytests.lines import CONSTANT, Line
from kerckhoffs.plots import keytests


def share(test, case, value, model="mnist-half-keyed"):
    return Line(test, model, case, value, "share", value - 0.01, value + 0.01, 5, 100)


@pytest.fixture
def lines():
    two = ("mnist-half-keyed", "own/mnist-half-keyed-adversarial")
    return report.frame(
        [
            *(share("wrong-keys", case, value) for case, value in (("right key", 0.02), ("wrong keys", 0.88))),
            *(share("wrong-keys", case, value) for case, value in (("guessing", 0.9), (CONSTANT, 0.87))),
            *(share("wrong-keys", f"wrong key {number}", 0.8 + number / 100) for number in range(1, 4)),
            *(share("avalanche", case, value) for case, value in (("100", 0.3), ("1", 0.02), ("5", 0.1))),
            *(share("leak", case, value) for case, value in (("0", 0.9), ("1", 0.02), ("0.5", 0.5))),
            *(share("attacked", case, value) for case, value in (("0.5 at 0.1", 0.4), ("1 at 0.1", 1.0))),
            *(share("cross-keys", case, 0.02 if case == model else 0.9, model) for model in two for case in two),
        ]
    )


def test_each_wrong_key_is_a_dot_and_what_it_is_held_against_a_line(lines):
    drawn = keytests.wrong_keys(lines)
    assert list(drawn.data[0].x) == pytest.approx([0.81, 0.82, 0.83])
    assert list(drawn.data[1].x) == [0.88]
    assert drawn.data[1].error_x.array == pytest.approx([0.01])
    upright = {trace.name: set(trace.x) for trace in drawn.data[2:]}
    assert upright == {"right key, 2.0 %": {0.02}, "guessing, 90.0 %": {0.9}, f"{CONSTANT}, 87.0 %": {0.87}}
    assert len({trace.line.dash for trace in drawn.data[2:]}) == 3, "not by colour alone"


def test_the_avalanche_runs_along_the_pairs_with_intervals(lines):
    drawn = keytests.avalanche(lines)
    assert list(drawn.data[0].x) == [1, 5, 100]
    assert list(drawn.data[0].y) == [0.02, 0.1, 0.3]
    assert drawn.data[0].error_y.array == pytest.approx([0.01] * 3)
    assert drawn.layout.xaxis.type == "log"
    assert list(drawn.layout.xaxis.tickvals) == [1, 100]


def test_a_leak_has_a_line_for_clean_images_and_one_for_each_budget(lines):
    drawn = keytests.leak(lines, 0.5)
    assert [trace.name for trace in drawn.data] == ["clean, the rest guessed", "attacked, ε 0.1"]
    assert [list(trace.x) for trace in drawn.data] == [[0, 0.5, 1], [0.5, 1]]
    assert drawn.data[0].line.dash != drawn.data[1].line.dash
    [mark] = drawn.layout.shapes
    assert mark.x0 == 0.5


def test_a_matrix_has_the_number_of_each_network_and_key(lines):
    [cells] = keytests.cross_keys(lines).data
    assert cells.z.tolist() == [[0.02, 0.9], [0.9, 0.02]]
    assert cells.texttemplate == "%{z:.1%}"
    assert "network of keyed, key of yours, keyed-adversarial" in cells.text[0][1]


def test_names_leave_out_what_all_share():
    assert keytests.short(["mnist-half-keyed", "mnist-half-surrogate"]) == ["keyed", "surrogate"]
    assert keytests.short(["mnist-half-keyed"]) == ["keyed"]


def test_lines_of_nothing_are_figures_of_nothing():
    nothing = pd.DataFrame(columns=list(report.COLUMNS))
    assert list(keytests.leak(report.frame([])).data[0].x) == []
    assert report.tables(nothing) == {}
