"""What all tests share: a home of their own, hypothesis without a clock, the full sets where there are any."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker is a core: two threads of torch would wait for each other

settings.register_profile("kerckhoffs", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("kerckhoffs")


@pytest.fixture(autouse=True)
def kerckhoffs_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, empty: no test reads or writes the real one."""
    folder = tmp_path / "home"
    monkeypatch.setenv("KERCKHOFFS_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's AppTest leaves its page as the main module, which worker processes of later tests would import."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def fresh_caches() -> Iterator[None]:
    """The app as it is after its start: nothing cached."""
    import streamlit as st  # slow, and most tests do without

    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def runs_end(fresh_caches: None) -> Iterator[None]:
    """No process that the test's runs have started is at work after it."""
    from kerckhoffs.ui.batch import runner

    yield
    runner.runner().close()


@pytest.fixture
def full_sets() -> Path:
    """The folder KERCKHOFFS_DATA with both full sets; the test is skipped without it."""
    folder = Path(os.environ.get("KERCKHOFFS_DATA") or os.devnull)
    parts = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    if not all((folder / name / "raw" / part).is_file() for name in ("MNIST", "FashionMNIST") for part in parts):
        pytest.skip("KERCKHOFFS_DATA is not set to a folder that holds the full MNIST and Fashion-MNIST sets")
    return folder
