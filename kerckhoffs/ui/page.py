"""The frame of every page: settings, style, navigation, and errors as sentences.

A page puts all that it draws inside `page`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

import streamlit as st
import torch

from kerckhoffs import plots
from kerckhoffs.ui import foreign, link, models
from kerckhoffs.ui.pages import PAGES

# Runs of pages that work at a time. A run is half Python and half small tensor operations: more of them take Python's
# lock from each other until all together get less done (50 sessions: p95 of a move 4.7 s without this, 0.1 s with it).
AT_ONCE = threading.BoundedSemaphore(2)
# Seconds that a run waits for its turn before it goes without. Runs that go without slow down all others: on a machine
# that is a little too slow for its visitors, 2 s of patience end in a jam (50 sessions: p95 5.8 s, 1.6 s with more).
PATIENCE = 10.0

DEMONSTRATION = (
    "The keys of these demonstration models are **public**: they ship with the program. A defence whose key is "
    "known defends nothing."
)

STYLE = """
<style>
  /* On a projector everything grows, and Play's pictures fill the width that there is. */
  @media (min-width: 1800px) and (min-height: 1000px) { :root:root { font-size: clamp(16px, 0.88vw, 36px); } }
  :root { --k-picture: clamp(100px, min(19.2vw - 108px, 31vh), 620px); }
  .block-container { padding: 0.5rem 1.2rem 0.5rem; max-width: 1500px; }
  .block-container:has([class*="st-key-side_"]) { max-width: none; }
  [data-testid="stHeader"] { background: transparent; height: 2.2rem; min-height: 0; }
  [data-testid="stHeader"], [data-testid="stHeader"] * { pointer-events: none; }
  [data-testid="stHeader"] :is(button, button *) { pointer-events: auto; }
  [data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] { gap: 0.5rem; }
  [class*="st-key-side_"] { gap: 0.5rem; }
  [class*="st-key-panel_"] { gap: 0.4rem; padding: 0.6rem 0.8rem; }
  .st-key-who { gap: 0.4rem; }
  /* icons alone: the words stay, for those who do not see */
  .st-key-knowledge_rungs > :first-child { min-width: 0; }
  .st-key-knowledge_rungs button { padding: 0 0.4rem; }
  .st-key-knowledge_rungs button [data-testid="stMarkdownContainer"] { position: absolute; width: 1px; height: 1px;
    overflow: hidden; clip-path: inset(50%); }
  [class*="st-key-heading_"] > :first-child { flex: 0 1 auto; min-width: 0; }
  [class*="st-key-heading_"] > :last-child { flex-shrink: 0; }
  [class*="st-key-heading_"] button { min-height: 0; padding: 0; }
  [data-testid="stAlertContainer"] { padding: 0.5rem 0.8rem; }
  [data-testid="stAlertContainer"] p > strong:first-child { font-size: 1.3rem; }
  [data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p { color: inherit; opacity: 0.9; }
  /* white on the dark theme's light blue cannot be read */
  :is([data-testid="stBaseButton-primary"], [data-tag], [data-tag] *) { color: light-dark(#fff, #10202c); }
  code { unicode-bidi: isolate; overflow-wrap: anywhere; }  /* foreign text: kerckhoffs/ui/foreign.py */
  h2.k-title { font-size: 1.1rem; font-weight: 600; padding: 0; margin: 0; }
  h1 { font-size: 1.3rem !important; padding: 0 0 0.4rem !important; }
  .st-key-navigation h1 { padding: 0 !important; }
  .st-key-navigation { padding-right: 2.5rem; }
  .st-key-preload { display: none; }
  [class*="st-key-bars_"] { min-height: 130px; }  /* a changed chart is made anew: the page below stays where it is */
  .k-sum { display: flex; align-items: flex-start; justify-content: center; gap: 0.4rem; }
  .k-sum figure { flex: 0 1 var(--k-picture); margin: 0; min-width: 0; text-align: center; }
  .k-sum img, .k-seen { width: 100%; aspect-ratio: 1; image-rendering: pixelated; display: block;
    border: 1px solid rgba(128, 128, 128, 0.6); box-sizing: border-box; }
  .k-seen { max-width: 112px; }
  .k-sum figcaption { font-size: 0.85rem; line-height: 1.25; padding-top: 0.15rem; }
  .k-note { background: light-dark(rgba(0, 114, 178, 0.1), rgba(86, 180, 233, 0.2)); border-radius: 0.5rem;
    padding: 0.5rem 0.8rem; margin: 0.5rem 0 0; }
  .k-several { flex-wrap: wrap; }
  .k-several figure { flex: 0 0 118px; }
  .k-grid figure { flex-basis: 172px; }
  .k-grid img { aspect-ratio: auto; }
  .k-size { font-size: 0.875rem; opacity: 0.9; margin: 0; }
  .k-sum > span { font-size: 1.6rem; font-weight: 600; padding-top: calc(var(--k-picture) / 2 - 1.4rem); }
  .k-stay { display: none; }
  @media (max-width: 640px) {
    .k-sum > span { padding-top: 30px; }
    .k-stay { display: block; position: fixed; inset: auto 0 0; z-index: 99; margin: 0; padding: 0.4rem 1rem;
      text-align: center; font-weight: 600; color: light-dark(#10202c, #fff);
      background: light-dark(#fff, #10202c); border-top: 2px solid rgba(128, 128, 128, 0.6); }
  }
</style>
"""


@contextmanager
def page(title: str, heading: str) -> Iterator[None]:
    """The whole of a page; its heading stands in the row of the navigation.

    Args:
        heading: short, so that the row stays one row on a small laptop (tests/browser/test_navigation.py).
    """
    with _turn():
        one_thread()
        st.set_page_config(page_title=f"{title} · Kerckhoffs", page_icon="🔑", layout="wide")
        st.html(STYLE)
        with st.container(horizontal=True, gap="small", vertical_alignment="center", key="navigation"):
            st.title(heading, anchor=False, width="content")
            for each in PAGES:
                st.page_link(each.file, label=each.title, icon=each.icon)
        told = st.container()
        if problem := models.problem():
            st.warning(f"Your own models are left out: {foreign.sentence(problem)}", icon=":material/folder_off:")
        with sentences():
            yield
        with told:
            link.tell()
        st.caption(DEMONSTRATION)


@contextmanager
def _turn() -> Iterator[None]:
    taken = AT_ONCE.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        if taken:
            AT_ONCE.release()


def one_thread() -> None:
    """Let torch work in this thread alone; every run of a page or of a fragment is a new thread and has to say so.

    For one image more threads cost more than they do: each new thread would start helpers of its own.
    """
    torch.set_num_threads(1)


@contextmanager
def panel(number: int, title: str, key: str) -> Iterator[None]:
    """A numbered panel of a page."""
    with st.container(border=True, key=f"panel_{key}"):
        st.html(headline(number, title))
        yield


def headline(number: int, title: str) -> str:
    """The heading of a panel, in HTML."""
    return f'<h2 class="k-title">{number} · {title}</h2>'


def pictures(*shown: tuple[plots.Picture, str, str], several: bool = False) -> None:
    """A row of pictures, each with its caption and what it is called for those who do not see it.

    Args:
        several: they go on in further rows where there is no room.
    """
    figures = (
        f'<figure><img alt="{escape(called)}" src="{plots.data_uri(picture)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for picture, caption, called in shown
    )
    st.html(f'<div class="k-sum{" k-several" * several}">{"".join(figures)}</div>')


@contextmanager
def sentences() -> Iterator[None]:
    """Show what was refused (a ValueError with its sentence) in place of a traceback, and end the page."""
    try:
        yield
    except ValueError as error:
        st.error(foreign.sentence(str(error)), icon=":material/error:")
        st.stop()
