"""The page on which a speaker chooses a talk, opens a room for it, and finds its windows."""

from html import escape
from urllib.parse import urlsplit

import streamlit as st
from streamlit import config

from kerckhoffs.room import Room, network, rooms, talk
from kerckhoffs.room.registry import HOURS
from kerckhoffs.ui import foreign
from kerckhoffs.ui.stage import routes, show
from kerckhoffs.ui.uploads import let_go

OWN = "A file of your own"
MEGABYTES = 1


def choose() -> None:
    """Choose a talk, and open a room for it."""
    shipped = talk.shipped()
    titles = {name: talk.read(text).title for name, text in shipped.items()}
    chosen = st.segmented_control(
        "Talk",
        [*titles, OWN],
        format_func=lambda each: titles.get(each, each),
        default=next(iter(titles)),
        required=True,
    )
    text = shipped.get(chosen or "", "")
    if chosen == OWN:
        file = st.file_uploader("Scenes (.toml)", type="toml", key="talk_file", max_upload_size=MEGABYTES)
        if file is not None and file.size:
            st.session_state["talk"] = _text(file.getvalue())
            let_go(file)
        text = st.session_state.get("talk", "")
        st.caption("docs/stage.md says how scenes are written; Play gives an entry for what it shows.")
    if not text:
        return
    found = talk.read(text)
    show.check(found)
    with st.expander(f"{len(found.scenes)} scenes"):
        for number, scene in enumerate(found.scenes, 1):
            asked = f" · asks: {scene.question.ask}" if scene.question else ""
            st.text(f"{number}. {scene.heading}{asked}")
    with st.container(horizontal=True, gap="small"):
        if st.button("Open a room", type="primary", icon=":material/co_present:", key="open_room"):
            routes.begin(rooms().create(text))
            st.rerun()
        st.download_button("The talk (.toml)", text, "talk.toml", on_click="ignore", icon=":material/download:")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("the file of scenes is no text in UTF-8") from error


def opened() -> None:
    """The rooms that are open, with the links of their windows."""
    there = rooms().all()
    if not there:
        st.caption("No room is open.")
    for room in there:
        _one(room)
    if config.get_option("server.address") in network.LOCAL:
        st.info(
            "The app listens to this machine alone, so no phone can join. To let them, end it and start it with "
            "`kerckhoffs app --address 0.0.0.0`; open rooms stay open. docs/hosting.md says what that means.",
            icon=":material/wifi_off:",
        )
    elif _base() is None:
        st.info("This machine has no address in a network, so no phone can join.", icon=":material/wifi_off:")


def _base() -> str | None:
    """The beginning of the address of phones."""
    url = urlsplit(st.context.url or "http://localhost:8501")
    return network.joined_at(config.get_option("server.address"), url.hostname or "", url.port or 80)


def _one(room: Room) -> None:
    base, stage = _base(), f"./room/{room.code}/stage"
    with st.container(border=True, key=f"room_{room.code}"):
        st.markdown(f"Room **{room.code}** · {foreign.code(room.talk.title)}")
        with st.container(horizontal=True, gap="small"):
            speaker = f"{stage}?view=presenter#{room.token}"
            st.link_button("The speaker's window", speaker, type="primary", icon=":material/co_present:")
            st.link_button("Another screen", stage, icon=":material/tv:", help="It follows, and steers nothing.")
        st.caption(
            "The speaker's window opens the projector's. Its link is the key to the room: show it to nobody. Closing "
            f"deletes votes, drawings and names; a room that is forgotten ends after {HOURS} hours."
        )
        if base:
            left, right = st.columns([1, 3], vertical_alignment="center")
            address = f"{base}/room/{room.code}"
            left.html(f'<img alt="QR code of {escape(address)}" width="160" src="{escape(routes.qr(address))}">')
            right.markdown(f"Phones: {foreign.code(address)}")
        if st.button("Close the room", icon=":material/delete:", key=f"close_{room.code}"):
            rooms().close(room)
            st.rerun()
