"""A new key for a classifier: what it costs to train anew, from the weights behind the old key and from none."""

from pathlib import Path

import pandas as pd
import streamlit as st

from kerckhoffs import places
from kerckhoffs.plots import training as drawn

MEASURED = places.shipped("results") / "rotation"
HOW = (
    "A key that may have leaked, or has served long enough, is **rotated**: make a new key above, and train under it, "
    "starting from the weights behind the old one or from nothing. The old classifier keeps its key until you delete "
    "it, and what was learned of the old key says nothing of the new one; what was learned of the *weights* may."
)


def rotation() -> None:
    """How it is done, and what was measured."""
    st.markdown(HOW)
    for path in sorted(MEASURED.glob("*.csv")):
        found = _read(str(path), path.stat().st_mtime_ns)
        st.plotly_chart(
            drawn.rotation(found),
            key=f"lab_rotation_{path.stem}",
            config={"displayModeBar": False},
            alt="Validation error by epoch behind a new key, from the old weights and from none",
        )
        st.caption(f"{path.stem}: {said(found)}")


@st.cache_data(max_entries=4, show_spinner=False)
def _read(path: str, changed: int) -> pd.DataFrame:
    return pd.read_csv(Path(path))


def said(found: pd.DataFrame) -> str:
    """What the rows show: the mean error at once, after the first epoch, and after the last."""
    means = found.groupby(["start", "epoch"])["validation_error"].mean()
    last, repeats = found["epoch"].max(), found["seed"].nunique()
    old, none = (means[start] for start in ("old weights", "none"))
    return (
        f"behind a new key the old weights misread {old[0]:.0%} of the validation samples, weights that were never "
        f"trained {none[0]:.0%}. "
        f"After one epoch {old[1]:.1%}, from nothing {none[1]:.1%}; after {last} epochs {old[last]:.1%} and "
        f"{none[last]:.1%}. {'One pair' if repeats == 1 else f'Means of {repeats} pairs'} of keys, quick recipe: "
        "`python -m benchmarks.rotation`."
    )
