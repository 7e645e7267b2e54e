"""The key lab: be the defender. Make a key, train under it, see what it is worth, and look after it."""

import streamlit as st

from kerckhoffs.ui.keylab import issue, owner, protocol, quality, rotation, training
from kerckhoffs.ui.page import page, panel, sentences

with page("Key lab", heading="Key lab: be the defender"):
    if owner.is_here():
        with panel(1, "What to defend, and its key", "lab_issue"), sentences():
            wanted = issue.choose()
        with panel(2, "Train under it", "lab_training"), sentences():
            training.train_under(wanted)
    else:
        st.info(owner.HOSTED, icon=":material/lock:")
    with panel(3, "How good is the key?", "lab_quality"), sentences():
        quality.quality()
    with panel(4, "The life of a key", "lab_protocol"), sentences():
        protocol.protocol()
    with panel(5, "A new key", "lab_rotation"), sentences():
        rotation.rotation()
