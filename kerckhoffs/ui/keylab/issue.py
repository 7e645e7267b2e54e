"""What to defend, and the key for it: chosen, and made. No page shows a key, only its fingerprint."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from kerckhoffs import keys, zoo
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DEFENCES
from kerckhoffs.keys import Key
from kerckhoffs.ui import foreign
from kerckhoffs.ui.keylab.mine import LONGEST
from kerckhoffs.ui.keylab.said import tell, typed
from kerckhoffs.zoo import NETWORKS

ENTROPY, DERIVED, MINE = "The operating system's entropy", "A master secret", "A key of yours"
_MADE = "lab_keys"  # the fingerprints that were made or chosen last


@dataclass(frozen=True)
class Wanted:
    """What is to be defended.

    Args:
        dataset, network, defence: keys of the registries.
        keys: the fingerprints of the keys for it; as many as it needs, or none as long as there are none.
    """

    dataset: str
    network: str
    defence: str
    keys: tuple[str, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many values its keys have."""
        return DEFENCES[self.defence].key_lengths(DATASETS[self.dataset].shape)


def choose() -> Wanted:
    """The controls of the set, the network, the defence, and its key."""
    columns = st.columns(3)
    dataset = columns[0].selectbox("Set", list(DATASETS), format_func=lambda each: DATASETS[each].name, key="lab_set")
    network = columns[1].selectbox(
        "Network", list(NETWORKS), format_func=lambda each: NETWORKS[each].name, key="lab_network"
    )
    keyed = [each.id for each in DEFENCES.values() if each.keyed and not each.by_attacker]
    defence = columns[2].selectbox(
        "Defence",
        keyed,
        index=keyed.index("keyed"),
        format_func=lambda each: DEFENCES[each].name,
        key="lab_defence",
        help="The Defences page says what each is.",
    )
    wanted = Wanted(dataset, network, defence, ())
    found = st.session_state.get(_MADE, ())
    there = tuple(name for name in found if zoo.user_key_path(name).exists())
    if there and _fits(there, wanted.lengths):
        wanted = Wanted(dataset, network, defence, there)
    _make(wanted)
    return wanted


def _fits(fingerprints: tuple[str, ...], lengths: tuple[int, ...]) -> bool:
    return tuple(keys.look(zoo.user_key_path(name)).length for name in fingerprints) == lengths


def _make(wanted: Wanted) -> None:
    lengths = wanted.lengths
    count = "A key" if len(lengths) == 1 else f"{len(lengths)} keys"
    st.markdown(f"{count} of {', '.join(map(str, lengths))} values, for this classifier alone.")
    secrets = {path.stem: path for path in sorted(keys.secrets_folder().glob("*.bin"))}
    mine = {each.fingerprint: each for each in keys.listed()[0] if each.length == lengths[0]}
    origins = [ENTROPY, *([DERIVED] if secrets else []), *([MINE] if mine and len(lengths) == 1 else [])]
    origin = st.segmented_control("From", origins, default=ENTROPY, key="lab_origin", required=True)
    if origin == MINE:
        st.selectbox("Key", list(mine), key="lab_mine")
        st.button("Take it", icon=":material/key:", key="lab_take", on_click=_take)
    else:
        if origin == DERIVED:
            left, right = st.columns(2)
            left.selectbox("Master secret", list(secrets), key="lab_secret")
            right.text_input("What it is for", max_chars=100, key="lab_context", help="Each purpose gives another key.")
        with st.form("lab_make_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                "Passphrase (optional)",
                type="password",
                autocomplete="off",
                max_chars=LONGEST,
                key="lab_passphrase",
                width=320,
                help="Locks the key's file: to use the key it is asked for again after every start of the program.",
            )
            st.form_submit_button(
                "Make a key" if len(lengths) == 1 else "Make the keys",
                type="secondary" if wanted.keys else "primary",
                icon=":material/key:",
                on_click=_generate,
                args=(lengths, origin, secrets),
            )
    for name in wanted.keys:
        _show(name)


def _show(fingerprint: str) -> None:
    """What may be said of a key."""
    found = keys.look(zoo.user_key_path(fingerprint))
    st.success(
        f"**Key `{fingerprint}`** · {found.length} values · worth {found.entropy_bits:.0f} bits · "
        f"{'locked' if found.locked else 'open'}, in `keys` of your data folder, for you alone (mode 0600). "
        "It is never shown: this fingerprint names it.",
        icon=":material/key:",
    )
    if used := zoo.used_by(fingerprint):
        st.warning(
            f"This key has a classifier already, {foreign.sentence(', '.join(used))}. What is learned of a key on one "
            "of two classifiers holds for both: make another.",
            icon=":material/join:",
        )


def _take() -> None:
    state: Any = st.session_state
    state[_MADE] = (state["lab_mine"],)


def _generate(lengths: tuple[int, ...], origin: str, secrets: dict[str, Any]) -> None:
    state: Any = st.session_state
    words = typed("lab_passphrase")

    def action() -> str:
        made = []
        for number, length in enumerate(lengths):
            if origin == DERIVED:
                context = state["lab_context"].strip()
                if not context:
                    raise ValueError("say what the key is for: each purpose gives another key")
                secret = keys.load_secret(secrets[state["lab_secret"]])
                key = Key.derive(secret, length, f"{context}, key {number}" if number else context)
            else:
                key = Key.generate(length)
            made.append(key)
        there = [each.fingerprint for each in made if zoo.user_key_path(each.fingerprint).exists()]  # derived before
        if words and there:
            raise ValueError(
                f"the key {there[0]} is there already, and a passphrase typed here does not lock its file: leave it "
                f"out, and lock the file with kerckhoffs key lock {there[0]}"
            )
        for key in made:
            if key.fingerprint not in there:
                key.save(zoo.user_key_path(key.fingerprint), passphrase=words or None)
            if words:
                keys.hold(key)
        state[_MADE] = tuple(each.fingerprint for each in made)
        said = "The key was" if len(made) == 1 else f"{len(made)} keys were"
        return f"{said} there already." if len(there) == len(made) else f"{said} made."

    tell(action)
