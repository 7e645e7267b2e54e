"""A locked key as a download, and back again. A key that lies open never goes through a browser."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from kerckhoffs import keys
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import KeyFile
from kerckhoffs.ui.keylab.commitments import MEGABYTES, whole
from kerckhoffs.ui.keylab.mine import passphrase
from kerckhoffs.ui.keylab.said import tell, typed
from kerckhoffs.ui.uploads import let_go

_READ = "keylab_backup_read"


def download(found: Sequence[KeyFile]) -> None:
    """Offer the files that are locked, as they lie."""
    st.markdown("Nothing recovers a key that is lost: keep a copy in another place.")
    locked = {each.fingerprint: each for each in found if each.locked}
    if not locked:
        st.caption(
            "Only locked keys are handed out here. `kerckhoffs key lock FINGERPRINT` locks one, and `kerckhoffs key "
            "backup FINGERPRINT --out FILE` writes a locked copy of an open one."
        )
        return
    chosen = st.selectbox("Locked key", list(locked), key="keylab_backup")
    st.download_button(
        "Locked copy",
        partial(keys.locked_copy, locked[chosen].path),
        f"{chosen}.locked.json",
        "application/json",
        on_click="ignore",
        icon=":material/download:",
        key="keylab_download",
    )


def restore() -> None:
    """Take a locked copy, and put it where its classifier looks for it."""
    file = st.file_uploader("Bring a locked copy back", type=["json"], max_upload_size=MEGABYTES, key="keylab_upload")
    state: Any = st.session_state
    if file is None:
        state.pop(_READ, None)
        return
    if state.get(_READ, ("",))[0] != file.file_id:
        try:
            state[_READ] = file.file_id, _locked(whole(file), file.name), file.name
        finally:
            let_go(file)
    if not state[_READ][1]:
        return
    with st.form("keylab_restore", clear_on_submit=True, border=False):
        passphrase("keylab_backup_passphrase")
        st.form_submit_button("Restore", icon=":material/restore:", on_click=_restore)


def _locked(text: bytes, name: str) -> bytes:
    """The bytes of an upload if they are a locked key.

    Raises:
        FileRefused: if it is none; a key that lies open is told where to go.
    """
    if not keys.locked.is_sealed(text):
        raise FileRefused(
            f"{name} is no locked key; one that lies open does not belong in a browser: kerckhoffs key restore FILE"
        )
    keys.locked.header(text, name)
    return text


def _restore() -> None:
    state: Any = st.session_state
    words = typed("keylab_backup_passphrase")
    file_id, text, name = state[_READ]

    def action() -> str:
        path = keys.put_back(text, name, words)
        state[_READ] = file_id, b"", name
        return f"The key {path.stem} is back in its place, locked as it was."

    tell(action)
