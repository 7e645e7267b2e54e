"""Commit to a key, and verify what somebody has revealed."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from kerckhoffs import keys, zoo
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import KeyFile, Reveal
from kerckhoffs.ui import foreign
from kerckhoffs.ui.keylab.mine import usable
from kerckhoffs.ui.keylab.said import tell
from kerckhoffs.ui.uploads import let_go

MEGABYTES = 4  # of an upload: the values of a key for three channels of 256 x 256
NOTHING_ELSE = "the key alone"
_MADE, _READ = "keylab_made", "keylab_reveal_read"


def commit(found: Sequence[KeyFile]) -> None:
    """Make a commitment; its opening is kept in the user's folder and goes to no browser."""
    st.markdown(
        "Publish a **commitment** now and the key later, and everybody can see that it was this key all along. Until "
        "then the commitment tells nothing of the key."
    )
    there = usable(found)
    if not there:
        st.caption("There is no key that can be read now: make one, or unlock one.")
    else:
        chosen = st.selectbox("Key", list(there), key="keylab_commit_key")
        models = (NOTHING_ELSE, *zoo.used_by(chosen))
        st.selectbox("To", models, key="keylab_commit_to", help="A classifier is committed to with its weights.")
        st.text_input("Note", max_chars=keys.commitments.LONGEST, key="keylab_commit_note")
        st.button("Commit", icon=":material/handshake:", key="keylab_commit", on_click=_commit, args=(there,))
    if _MADE in st.session_state:
        st.code(st.session_state[_MADE], language=None)
        st.caption(
            "Publish this line. The opening lies in the folder `commitments` of your data folder: keep it, and show it "
            "to nobody before you reveal the key with `kerckhoffs key reveal`."
        )


def _commit(there: dict[str, KeyFile]) -> None:
    state: Any = st.session_state

    def action() -> str:
        key = keys.find(there[state["keylab_commit_key"]].path)
        model = state["keylab_commit_to"]
        commitment, opening = zoo.commit(key, None if model == NOTHING_ELSE else model, state["keylab_commit_note"])
        opening.save(keys.kept_at(commitment))
        state[_MADE] = commitment
        return f"A commitment to the key {key.fingerprint} was made."

    tell(action)


def verify() -> None:
    """Compare a commitment with a reveal, which is public."""
    st.markdown("Somebody published a commitment, and later a reveal, which holds the key. Is it the same key?")
    said = st.text_input("Commitment", max_chars=100, key="keylab_commitment")
    file = st.file_uploader("Reveal", type=["json"], max_upload_size=MEGABYTES, key="keylab_reveal")
    state: Any = st.session_state
    if file is None:
        state.pop(_READ, None)
        return
    if state.get(_READ, ("",))[0] != file.file_id:
        state[_READ] = file.file_id, _read(file)
        let_go(file)
    shown = state[_READ][1]
    if isinstance(shown, str):
        raise FileRefused(shown)
    if not said:
        st.caption("Enter the commitment that was published.")
        return
    same = keys.verify(said, shown)
    words = foreign.sentence(shown.words(same))
    if same:
        st.success(f"It holds: {words}", icon=":material/verified:")
    else:
        st.error(f"It does not hold: {words}", icon=":material/gpp_bad:")


def _read(file: UploadedFile) -> Reveal | str:
    try:
        return Reveal.read(whole(file), file.name)
    except FileRefused as error:
        return str(error)


def whole(file: UploadedFile) -> bytes:
    """The bytes of a small upload.

    Raises:
        FileRefused: if it is large.
    """
    if file.size > MEGABYTES * 1_000_000:
        raise FileRefused(f"{file.name} has more than {MEGABYTES} MB")
    return file.getvalue()
