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
    listens = config.get_option("server.address")
    if listens in network.LOCAL:
        st.info(
            "The app listens to this machine alone, so no phone can join. To let them, end it and start it with "
            "`kerckhoffs app --address 0.0.0.0`; open rooms stay open. docs/hosting.md says what that means.",
            icon=":material/wifi_off:",
        )


def _one(room: Room) -> None:
    url = urlsplit(st.context.url or "http://localhost:8501")
    base = network.joined_at(config.get_option("server.address"), url.hostname or "", url.port or 80)
    with st.container(border=True, key=f"room_{room.code}"):
        st.markdown(f"Room **{room.code}** · {foreign.code(room.talk.title)}")
        speaker = f"/room/{room.code}/stage?view=presenter#{room.token}"
        st.html(
            f'<p><a href="{escape(speaker)}" target="_blank"><b>The speaker\'s window</b></a>: notes, votes, steering; '
            "from there, the projector's window. This link is the key to the room: show it to nobody.</p>"
            f'<p><a href="/room/{room.code}/stage" target="_blank">Another screen</a>: it follows, no more.</p>'
        )
        if base:
            left, right = st.columns([1, 3], vertical_alignment="center")
            address = f"{base}/room/{room.code}"
            left.html(f'<img alt="QR code of {escape(address)}" width="160" src="{escape(routes.qr(address))}">')
            right.markdown(f"Phones: {foreign.code(address)}")
        if st.button("Close the room", icon=":material/delete:", key=f"close_{room.code}"):
            rooms().close(room)
            st.rerun()
        st.caption(f"Closing deletes its votes, drawings and names. A room that is forgotten ends after {HOURS} hours.")
