"""The user's keys as a table, and those that are locked: unlocked in memory, and locked again."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from kerckhoffs import keys, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import KeyFile
from kerckhoffs.ui import foreign, models
from kerckhoffs.ui.keylab.said import tell, typed

LONGEST = 1000  # characters of a passphrase
HELD = (
    "An unlocked key stays in this program's memory until you lock it or end the program: whoever can open the app can "
    "meanwhile use the classifiers that need it. Its file stays locked."
)


def table() -> tuple[KeyFile, ...]:
    """Draw the keys of the user's folder; returns them."""
    found, refused = keys.listed()
    users = in_use()
    if found:
        rows = [
            {
                "Key": each.fingerprint,
                "Values": each.length,
                "Entropy, bits": round(each.entropy_bits),
                "File": state(each),
                "Used by": ", ".join(users.get(each.fingerprint, ())),
            }
            for each in found
        ]
        st.dataframe(
            pd.DataFrame(rows).map(lambda cell: foreign.cell(cell) if isinstance(cell, str) else cell),
            hide_index=True,
            key="keylab_keys",
            alt="Your keys: fingerprint, number of values, entropy, whether the file is locked, and who uses it",
        )
    else:
        st.info("There are no keys in your data folder yet. `kerckhoffs key new` makes one.", icon=":material/info:")
    for each in found:
        if each.problem:
            st.warning(f"The key {each.fingerprint}: {foreign.sentence(each.problem)}", icon=":material/lock_open:")
        if twice := zoo.used_twice(users.get(each.fingerprint, ())):
            st.warning(f"The key {each.fingerprint}: {twice}.", icon=":material/join:")
    for sentence in refused:
        st.warning(foreign.sentence(sentence), icon=":material/draft:")
    if any(not each.locked for each in found):
        st.caption("A file that lies open is locked with `kerckhoffs key lock FINGERPRINT`, where nobody looks on.")
    return found


def in_use() -> dict[str, tuple[str, ...]]:
    """The classifiers that rely on a key, by its fingerprint; none where their list cannot be read, which is said."""
    try:
        return zoo.keys_in_use()
    except FileRefused as error:
        st.warning(f"Which classifiers rely on a key is not known: {foreign.sentence(str(error))}")
        return {}


def state(key: KeyFile) -> str:
    """How a key lies, in words."""
    if not key.locked:
        return "open"
    return "locked; unlocked in memory" if keys.held(key.fingerprint) else "locked"


def usable(found: Sequence[KeyFile]) -> dict[str, KeyFile]:
    """Those that can be read now, by fingerprint."""
    return {each.fingerprint: each for each in found if not each.locked or keys.held(each.fingerprint)}


def unlock(found: Sequence[KeyFile]) -> None:
    """Ask for the passphrase of a locked key, and offer to lock those again that are unlocked."""
    closed = {each.fingerprint: each for each in found if each.locked and not keys.held(each.fingerprint)}
    opened = [each.fingerprint for each in found if each.locked and keys.held(each.fingerprint)]
    if not closed and not opened:
        st.caption("None of your keys is locked with a passphrase.")
        return
    if closed:
        with st.form("keylab_unlock", clear_on_submit=True, border=False):
            st.selectbox("Locked key", list(closed), key="keylab_locked")
            passphrase("keylab_passphrase")
            st.form_submit_button("Unlock", icon=":material/key:", on_click=_unlock, args=(closed,))
    for fingerprint in opened:
        st.button(
            f"Lock {fingerprint[:8]} again",
            icon=":material/lock:",
            key=f"keylab_lock_{fingerprint}",
            on_click=_lock,
            args=(fingerprint,),
        )
    st.caption(HELD)


def passphrase(key: str) -> None:
    """A field for one, of which nothing is shown or remembered."""
    st.text_input("Passphrase", type="password", autocomplete="off", max_chars=LONGEST, key=key)


def _unlock(closed: dict[str, KeyFile]) -> None:
    state: Any = st.session_state
    words, chosen = typed("keylab_passphrase"), closed[state["keylab_locked"]]

    def action() -> str:
        key = keys.unlock(chosen.path, words)
        return f"The key {key.fingerprint} is unlocked until you lock it or the program ends."

    tell(action)


def _lock(fingerprint: str) -> None:
    keys.lock(fingerprint)
    models.forget()
    tell(lambda: f"The key {fingerprint} is locked again. What is at work with it keeps it until it is done.")
