import pytest

from kerckhoffs import zoo
from kerckhoffs.cli.app import main
from kerckhoffs.evaluation.keytests import TESTS, report
from tests.commands import assert_silent_about

QUICK = ["key", "test", "mnist-half-keyed", "--samples", "10", "--wrong", "3"]


def test_every_test_is_printed_with_what_it_shows_and_the_key_is_not(tmp_path, capsys):
    assert main([*QUICK, "--csv", str(tmp_path / "lines.csv")]) == 0
    said = capsys.readouterr().out
    for test in set(TESTS) - {"attacked"}:
        assert f"## {TESTS[test]}\n" in said
    assert "Behind 3 wrong keys" in said
    lines = report.read(tmp_path / "lines.csv")
    assert set(lines["test"]) == set(TESTS) - {"attacked"}
    [key] = zoo.find_keys(zoo.card("mnist-half-keyed"))
    assert_silent_about(key, said + (tmp_path / "lines.csv").read_text())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mnist-half-classical"], "has no key to test"),
        (["ghost"], "unknown model 'ghost'"),
        (["mnist-half-keyed", "--samples", "0"], "--samples must be between 1 and 1000, but is 0"),
        (["mnist-half-keyed", "--wrong", "0"], "--wrong must be at least 1, but is 0"),
    ],
)
def test_bad_arguments_end_with_status_2_and_one_line(arguments, sentence, capsys):
    assert main(["key", "test", *arguments]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
