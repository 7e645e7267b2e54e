"""Keys for many devices from one master secret, as a table without any key."""

from typing import Any

import pandas as pd
import streamlit as st

from kerckhoffs import keys
from kerckhoffs.ui import foreign
from kerckhoffs.ui.keylab.said import tell

MOST = 50
VALUES = 28 * 28
_ROWS = "keylab_device_rows"


def derive() -> None:
    """Choose a secret of the user's folder and a number of devices."""
    folder = keys.secrets_folder()
    there = {path.stem: path for path in sorted(folder.glob("*.bin"))} if folder.is_dir() else {}
    st.markdown(
        "One **master secret** gives every device a key of its own. Who takes a device apart has its key and nothing "
        "of the others'; who finds the secret has all of them, so each is worth the secret's bits at most."
    )
    if not there:
        st.caption("There is no master secret in your data folder. `kerckhoffs key secret` makes one.")
        return
    st.selectbox("Master secret", list(there), key="keylab_secret")
    st.text_input("Purpose", max_chars=100, key="keylab_purpose", help="For example the name of the classifier.")
    st.number_input("Devices", 1, MOST, 3, key="keylab_devices")
    st.button("Derive", icon=":material/account_tree:", key="keylab_derive", on_click=_derive, args=(there,))
    if _ROWS in st.session_state:
        st.dataframe(
            st.session_state[_ROWS],
            hide_index=True,
            key="keylab_device_table",
            alt="Devices, the contexts of their keys, fingerprints and entropy",
        )
        st.caption("`kerckhoffs key derive --out FOLDER` writes the keys themselves, each to a file of its own.")


def _derive(there: dict[str, Any]) -> None:
    state: Any = st.session_state

    def action() -> str:
        names = [str(number) for number in range(1, int(state["keylab_devices"]) + 1)]
        secret = keys.load_secret(there[state["keylab_secret"]])
        made = keys.derive_for(names, secret, length=VALUES, purpose=state["keylab_purpose"])
        state[_ROWS] = pd.DataFrame(  # and no key
            [(each.device, each.context, each.key.fingerprint, round(each.key.entropy_bits)) for each in made],
            columns=["Device", "Context", "Fingerprint", "Entropy, bits"],
        ).map(lambda cell: foreign.cell(cell) if isinstance(cell, str) else cell)
        return f"{len(made)} keys were derived; each is {made[0].key.origin}."

    tell(action)
