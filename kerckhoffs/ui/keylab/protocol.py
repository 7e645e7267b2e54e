"""The life of a key on a page: which there are, unlock them, commit to one, derive many, back up, restore.

No key passes through the browser: what goes out is fingerprints, commitments and files that are locked already, and
what comes in is locked files, and reveals, which are public. A passphrase comes in, is used once and is let go. A file
that lies open is not locked here, because whoever opens the page could choose the passphrase, and carry the key away.
"""

import streamlit as st

from kerckhoffs.ui.keylab import backups, commitments, devices, mine, owner
from kerckhoffs.ui.keylab.said import refusals, say


def protocol() -> None:
    """All of it; where the app is open to others, what touches no key of who runs it."""
    if not owner.is_here():
        st.info(owner.HOSTED, icon=":material/lock:")
        with refusals():
            commitments.verify()
        return
    say()
    with refusals():
        found = mine.table()
        parts = {
            "Unlock": lambda: mine.unlock(found),
            "Commit": lambda: commitments.commit(found),
            "Verify": commitments.verify,
            "Devices": devices.derive,
            "Back up": lambda: backups.download(found),
            "Restore": backups.restore,
        }
        for tab, draw in zip(st.tabs(list(parts)), parts.values(), strict=True):
            with tab, refusals():
                draw()
