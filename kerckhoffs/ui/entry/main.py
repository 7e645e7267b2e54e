"""The main script: every visit, whatever its address, begins here and goes on in the file of its page."""

import streamlit as st

from kerckhoffs.ui import preload
from kerckhoffs.ui.pages import PAGES

page = st.navigation(
    [st.Page(each.file, title=each.title, default=each is PAGES[0]) for each in PAGES], position="hidden"
)
if page.url_path == "":
    preload.evaluate()
page.run()
