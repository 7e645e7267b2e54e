"""Stage: open a room for a talk, with a projector, a speaker's window and the phones of those who listen."""

import streamlit as st

from kerckhoffs.ui.page import page, panel, sentences
from kerckhoffs.ui.stage import opening, speaker

with page("Stage", heading="On stage"):
    if speaker.may_open():
        with panel(1, "Choose a talk", "stage_talk"), sentences():
            opening.choose()
        with panel(2, "Open rooms", "stage_rooms"), sentences():
            opening.opened()
    else:
        st.info(speaker.HOSTED, icon=":material/lock:")
