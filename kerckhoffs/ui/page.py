"""The frame of every page: settings, style, navigation, and errors as sentences.

A page calls `start` before anything else, puts the rest inside `sentences`, and calls `end` last. To add a page,
write its file in pages/ and its line in PAGES.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

PAGES = (
    ("app.py", "Play", ":material/swords:"),
    ("pages/classifiers.py", "Classifiers", ":material/table_chart:"),
)

DEMONSTRATION = (
    "The keys of these demonstration models are **public**: they ship with the program. A defence whose key is "
    "known defends nothing."
)

SIDEBAR_PIXELS = 275

STYLE = """
<style>
  .block-container { padding: 1rem 1rem 0.3rem; max-width: 1500px; }
  [data-testid="stHeader"] { background: transparent; height: 2.2rem; min-height: 0; }
  @media (max-width: 768px) { .block-container { padding-top: 2.6rem; } }
  [data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] { gap: 0.45rem; }
  [data-testid="stSidebarHeader"] { height: 2rem; min-height: 0; padding: 0.3rem 0.8rem 0; margin: 0; }
  [data-testid="stSidebarUserContent"] { padding: 0 0 0.5rem; }
  [data-testid="stSidebarUserContent"] [data-testid="stVerticalBlock"] { gap: 0.55rem; }
  [data-testid="stImage"], [data-testid="stImageContainer"] { max-width: 280px; margin: 0 auto; }
  [class*="st-key-sum_"] [data-testid="stColumn"] { min-width: 0; }
  [data-testid="stImageCaption"] { margin-top: 0; }
  [data-testid="stImage"] img { image-rendering: pixelated; border: 1px solid rgba(128, 128, 128, 0.5); }
  [data-testid="stAlertContainer"] { padding: 0.5rem 0.8rem; }
  h1 { font-size: 1.3rem !important; padding: 0 0 0.3rem !important; }
</style>
"""


def start(title: str) -> None:
    """Set the page up; the first call of every page."""
    st.set_page_config(
        page_title=f"{title} · Kerckhoffs", page_icon="🔑", layout="wide", initial_sidebar_state=SIDEBAR_PIXELS
    )
    st.html(STYLE)
    with st.sidebar, st.container(horizontal=True, gap="small"):
        for path, label, icon in PAGES:
            st.page_link(path, label=label, icon=icon)


def end() -> None:
    """Say that the keys are public; the last call of every page."""
    st.caption(DEMONSTRATION)


@contextmanager
def sentences() -> Iterator[None]:
    """Show what was refused (a ValueError with its sentence) in place of a traceback, and end the page."""
    try:
        yield
    except ValueError as error:
        st.error(str(error), icon=":material/error:")
        st.stop()
