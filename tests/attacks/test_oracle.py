import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from kerckhoffs.attacks.logits import CHUNK, fooled, margins
from kerckhoffs.attacks.oracle import AccessRefused, Oracle, QueryBudgetExceeded


class Pixels(nn.Module):
    """The pixels are the logits. It notes what it is asked."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.asked = []

    def forward(self, images):
        self.asked.append(len(images))
        return self.scale * images.flatten(1)


def pictures(*rows):
    return torch.tensor(rows)[:, None, None, :]


def test_scores_are_log_probabilities_without_a_gradient():
    images = pictures([0.0, 1.0]).requires_grad_()
    with torch.enable_grad():
        scores = Oracle(Pixels(), "scores", 1).scores(images, torch.tensor([0]))
    torch.testing.assert_close(scores.exp().sum(1), torch.ones(1))
    torch.testing.assert_close(scores[:, 1] - scores[:, 0], torch.ones(1))
    assert not scores.requires_grad
    assert images.grad is None


def test_every_image_shown_is_charged_to_its_row():
    oracle = Oracle(Pixels(), "scores", 4, spent=1)
    three, rows = pictures([0.0, 1.0], [1.0, 0.0], [0.2, 0.3]), torch.tensor([2, 0, 2])
    assert oracle.labels(three, rows).tolist() == [1, 0, 1]
    oracle.scores(three, rows)
    oracle.fooled(three, rows, torch.tensor([0, 0, 0]), False)
    oracle.judged_scores(three, rows, torch.tensor([0, 0, 0]), False)
    assert oracle.queries.tolist() == [5, 1, 9, 1]


def test_the_counts_cannot_be_changed_from_outside():
    oracle = Oracle(Pixels(), "scores", 2)
    oracle.queries.fill_(-100)
    assert oracle.queries.tolist() == [0, 0]


def test_where_only_labels_are_given_scores_are_refused_unasked():
    model = Pixels()
    oracle = Oracle(model, "labels", 1, 5)
    arguments = pictures([0.0, 1.0]), torch.tensor([0])
    with pytest.raises(AccessRefused, match="labels alone"):
        oracle.scores(*arguments)
    with pytest.raises(AccessRefused, match="labels alone"):
        oracle.judged_scores(*arguments, torch.tensor([0]), False)
    assert model.asked == []
    assert oracle.queries.tolist() == [0]
    assert oracle.labels(*arguments).tolist() == [1]
    assert oracle.fooled(*arguments, torch.tensor([0]), False).tolist() == [True]


def test_a_query_beyond_the_budget_is_refused_before_the_model_is_asked():
    model = Pixels()
    oracle = Oracle(model, "scores", 2, 3, spent=1)
    rows = torch.tensor([0, 1, 1])
    oracle.scores(pictures([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]), rows)
    assert oracle.left(torch.tensor([1, 0])).tolist() == [0, 1]
    for ask in (oracle.scores, oracle.labels):
        with pytest.raises(QueryBudgetExceeded, match="image 1 has asked 3 of 3 queries and wants 1 more"):
            ask(pictures([0.0, 1.0], [0.0, 1.0]), torch.tensor([0, 1]))
    assert model.asked == [3]
    assert oracle.queries.tolist() == [2, 3]
    oracle.labels(pictures([0.0, 1.0]), torch.tensor([0]))
    assert oracle.left(torch.tensor([0, 1])).tolist() == [0, 0]


def test_a_query_that_does_not_fool_is_bad_whatever_was_asked_for():
    labels = torch.tensor([0, 1])
    oracle = Oracle(Pixels(), "scores", 2, spent=1, aims=labels, bad=torch.tensor([True, False]))
    images, rows = pictures([1.0, 0.0], [1.0, 0.0], [0.0, 1.0]), torch.tensor([0, 1, 1])  # bad, good, bad
    oracle.labels(images, rows)
    oracle.scores(images, rows)
    oracle.fooled(images, rows, labels[rows], False)
    oracle.judged_scores(images, rows, labels[rows], False)
    assert oracle.queries.tolist() == [5, 9]
    assert oracle.bad_queries.tolist() == [5, 4]
    oracle.bad_queries.fill_(-100)
    assert oracle.bad_queries.tolist() == [5, 4]


def test_for_a_target_every_other_answer_is_bad():
    oracle = Oracle(Pixels(), "labels", 1, aims=torch.tensor([2]), targeted=True)
    oracle.labels(pictures([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), torch.tensor([0, 0, 0]))
    assert oracle.bad_queries.tolist() == [2]


def test_no_more_is_asked_at_once_than_may_be_bad_and_good_queries_are_free():
    model = Pixels()
    oracle = Oracle(model, "labels", 2, 10, aims=torch.tensor([0, 0]), max_bad_queries=2)
    good, bad = pictures([0.0, 1.0]), pictures([1.0, 0.0])
    row = torch.tensor([0])
    for _ in range(3):
        oracle.labels(torch.cat([good, good]), torch.tensor([0, 0]))
    assert oracle.left(torch.tensor([0, 1])).tolist() == [2, 2]
    with pytest.raises(QueryBudgetExceeded, match="image 0 has asked 0 of 2 bad queries and wants 3 more"):
        oracle.labels(torch.cat([good] * 3), torch.tensor([0, 0, 0]))
    oracle.labels(torch.cat([bad, bad]), torch.tensor([0, 0]))
    asked = list(model.asked)
    with pytest.raises(QueryBudgetExceeded, match="image 0 has asked 2 of 2 bad queries and wants 1 more"):
        oracle.labels(good, row)
    assert model.asked == asked
    assert oracle.queries.tolist() == [8, 0]
    assert oracle.left(torch.tensor([0, 1])).tolist() == [0, 2]


def test_a_limit_of_bad_queries_wants_to_know_what_is_bad():
    with pytest.raises(ValueError, match="max_bad_queries is 3, but without aims"):
        Oracle(Pixels(), "labels", 1, max_bad_queries=3)


def test_without_a_budget_there_is_always_more():
    oracle = Oracle(Pixels(), "labels", 1)
    oracle.labels(pictures(*[[0.0, 1.0]] * 50), torch.zeros(50, dtype=torch.int64))
    assert int(oracle.left(torch.tensor([0]))) > 10**12


def test_a_large_question_reaches_the_model_in_pieces_and_in_order():
    model = Pixels()
    images = torch.rand(2 * CHUNK + 3, 1, 1, 5, generator=torch.Generator().manual_seed(0))
    oracle = Oracle(model, "labels", 1)
    found = oracle.labels(images, torch.zeros(len(images), dtype=torch.int64))
    assert torch.equal(found, images.flatten(1).argmax(1))
    assert model.asked == [CHUNK, CHUNK, 3]


class Fixed(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, images):
        return self.logits.expand(len(images), -1)


@example([0.001953125, 0.0], False, 1.05e-5)  # a lead that the float32 scores have rounded away
@given(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=6), st.booleans(), st.floats(-3e-5, 3e-5))
def test_the_verdict_on_scores_is_the_verdict_on_logits(values, targeted, nudge):
    """Also where the first two classes are within the slack of one another."""
    values[1] = values[0] * (1 + nudge)
    logits, label, row = torch.tensor([values]), torch.tensor([0]), torch.tensor([0])
    scores, success = Oracle(Fixed(logits), "scores", 1).judged_scores(torch.zeros(1, 1, 1, 1), row, label, targeted)
    assert torch.equal(success, fooled(logits, label, targeted))
    by_label = Oracle(Fixed(logits), "labels", 1).fooled(torch.zeros(1, 1, 1, 1), row, label, targeted)
    assert torch.equal(by_label, success)
    if bool(success):
        assert float(margins(scores, label, targeted)) <= 0, "a success never trails in the scores"


def test_a_lead_that_is_rounding_is_no_success_to_a_label_oracle_either():
    logits = torch.tensor([[100.0, 100.0005]])
    oracle = Oracle(Fixed(logits), "labels", 1, aims=torch.tensor([0]))
    image, row = torch.zeros(1, 1, 1, 1), torch.tensor([0])
    assert oracle.labels(image, row).tolist() == [1]
    assert oracle.fooled(image, row, torch.tensor([0]), False).tolist() == [False]
    assert oracle.bad_queries.tolist() == [0], "a monitor sees the class alone"
