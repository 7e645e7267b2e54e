from kerckhoffs.attacks import ATTACKS
from kerckhoffs.evaluation import costs
from tests.batches import fgsm


def test_the_effort_is_the_registered_cost_scaled_by_the_options_that_count():
    assert costs.effort("fgsm", {"epsilon": 0.1}) == ATTACKS["fgsm"].cost
    assert costs.effort("bim", {"iterations": 80}) == 2 * ATTACKS["bim"].cost
    assert costs.effort("cw_l2", {"solver": "reference"}) == 9 * 1000
    for attack in costs.WALKS:
        assert costs.effort(attack, {}) == ATTACKS[attack].cost
    assert costs.effort("cw_l2", {"starts": 1}) == 50 + 100
    assert costs.effort("cw_l2", {"starts": 2, "iterations": 300}) == 2 * 100 + 200
    assert 25_000 < costs.effort("cw_l0", {"solver": "reference"}) < 45_000
    assert 25_000 < costs.effort("cw_linf", {"solver": "reference"}) < 35_000


def test_work_is_what_all_examples_cost_with_their_judging():
    assert costs.work(fgsm(attack="bim", options={"iterations": 80}), 3) == 3 * (
        2 * ATTACKS["bim"].cost + costs.JUDGING
    )
    assert costs.work(fgsm(), 0) == 0
