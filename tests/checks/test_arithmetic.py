"""What `in_float32` switches off, and that it leaves everything as it was."""

from threading import Barrier, Thread

import pytest
import torch

from kerckhoffs.checks.arithmetic import in_float32
from tests.states import STATES, Watched, every_state, matmul_precision, states

MATMUL = torch.backends.mkldnn.matmul


@every_state
def test_inside_products_are_float32_and_afterwards_all_is_as_it_was(state):
    with state():
        before = states()
        with in_float32():
            assert torch.is_grad_enabled()
            Watched(torch.nn.Identity())(torch.zeros(1, dtype=torch.float32))
        assert states() == before
        with pytest.raises(KeyError), in_float32():
            raise KeyError
        assert states() == before


def test_what_a_backend_takes_from_its_parent_it_still_takes_afterwards():
    with STATES["bfloat16 in every backend"](), in_float32():
        assert MATMUL.fp32_precision == "ieee"
    assert MATMUL.fp32_precision in ("none", "ieee")


def test_a_decorated_function_keeps_its_name_and_runs_inside():
    @in_float32()
    def asks():
        return torch.is_autocast_enabled("cpu"), torch.is_grad_enabled()

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert asks() == (False, True)
    assert asks.__name__ == "asks"


def test_threads_that_overlap_all_have_it_and_the_last_one_out_puts_it_back():
    first_in, second_in, first_out = Barrier(2, timeout=10), Barrier(2, timeout=10), Barrier(2, timeout=10)
    found = []

    def first():
        with in_float32():
            first_in.wait()
            second_in.wait()
        first_out.wait()

    with matmul_precision():
        thread = Thread(target=first)
        thread.start()
        first_in.wait()
        with in_float32():
            second_in.wait()
            first_out.wait()
            found.append(MATMUL.fp32_precision)
        found.append(MATMUL.fp32_precision)
        thread.join()
    assert found == ["ieee", "bf16"]
