"""Panel 1: the image, which is one of the samples, a drawing, or an upload. Nothing else decides it."""

from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from kerckhoffs import plots
from kerckhoffs.checks import FileRefused
from kerckhoffs.data import DATASETS, images
from kerckhoffs.evaluation.judge import percent, predict
from kerckhoffs.ui import controls, foreign, link
from kerckhoffs.ui.models import model, names, samples
from kerckhoffs.ui.parts import pixels, strokes
from kerckhoffs.ui.parts.canvas import canvas
from kerckhoffs.ui.parts.paste import paste
from kerckhoffs.ui.play.experiment import picture
from kerckhoffs.ui.uploads import let_go

SOURCES = {"sample": "Samples", "drawing": "Draw", "upload": "Upload"}
INVITATIONS = {
    "drawing": "Draw with the mouse, a finger or a pen. The classifiers answer at the end of each stroke.",
    "upload": "Upload a file, paste or take a picture. What the models see of it stands in the page's address; nothing "
    "else is kept.",
}
AS_READ = -1  # meant to be what the classical classifier reads
EXTENSIONS = ["png", "jpg", "jpeg", "webp", "bmp", "gif"]


@dataclass(frozen=True)
class Chosen:
    """An image as the link names it, and its class: the true one, or what it is meant to be.

    Args:
        said: whether a person said what it is meant to be.
    """

    source: str
    value: str
    label: int
    said: bool = False


def choose(dataset: str, left: str, source: str, opening: int) -> Chosen | None:
    """Let an image be chosen; None while nothing is drawn or uploaded.

    Args:
        source: where it comes from, a key of SOURCES.
        left: the id of the classifier whose reading of an unlabelled image counts, until somebody says otherwise.
    """
    link.once("drawing", "drawing", "", lambda text: strokes.encode(strokes.decode(text)))
    shape = DATASETS[dataset].shape
    link.once("upload", "upload", "", lambda text: pixels.encode(pixels.decode(text, shape)))
    if source == "sample":
        every, labels = samples(dataset)
        index = controls.sample(every, labels, DATASETS[dataset].classes, dataset, opening)
        return Chosen(source, str(index), int(labels[index]))
    pad, right = st.columns([3, 2], gap="small", wrap=False)
    with pad:
        value = _drawn() if source == "drawing" else _uploaded(dataset)
    with right:
        if not value:
            st.caption(INVITATIONS[source])
            return None
        return _meant(dataset, left, source, value)


def _drawn() -> str:
    st.session_state["drawing"] = canvas(st.session_state["drawing"], key=f"pad_{link.visit()}")
    value: str = st.session_state["drawing"]
    return value


def _uploaded(dataset: str) -> str:
    """An upload's pixels; what was uploaded before stays until there is a new one."""
    state = st.session_state
    if st.toggle("Camera", key="camera"):
        file = st.camera_input("Picture", key=f"photo_{link.visit()}", label_visibility="collapsed")
    else:
        file = st.file_uploader(
            "Picture",
            type=EXTENSIONS,
            key=f"file_{link.visit()}",
            label_visibility="collapsed",
            max_upload_size=images.MEGABYTES,
        )
        paste("paste")
    turned = st.segmented_control(
        "Dark and light",
        ["auto", "keep", "swap"],
        key="invert",
        default="auto",
        required=True,
        help="The models know light ink on black. By default a light background is turned over.",
    )
    if file is not None:
        invert = {"auto": None, "keep": False, "swap": True}[turned]
        try:
            prepared = _prepared(file.file_id, file.name, _content(file), invert, dataset)
        except (FileRefused, ValueError) as error:
            state["upload"] = ""  # nothing of an earlier picture stands under this one's name
            st.error(foreign.sentence(str(error)), icon=":material/error:")
        else:
            state["upload"] = pixels.encode(prepared.images)
            st.caption("Dark and light were swapped." if prepared.inverted else "Dark and light are as in the file.")
    value: str = state["upload"]
    return value


def _content(file: UploadedFile) -> bytes:
    """The newest file's bytes, the only ones that are kept, and none of one whose header is refused.

    Raises:
        FileRefused: what `images.declared` refuses.
    """
    state = st.session_state
    if state.get("upload_file", ("",))[0] != file.file_id:
        content = file.getvalue()
        state["upload_file"] = file.file_id, _refused(content, file.name) or content
        let_go(file)  # not before: a run of the page may be cut short, and the next one reads it again
    kept: bytes | str = state["upload_file"][1]
    if isinstance(kept, str):
        raise FileRefused(kept)
    return kept


def _refused(content: bytes, name: str) -> str:
    """Why a file is no picture by its header, or ""."""
    try:
        images.declared(content, name)
    except FileRefused as error:
        return str(error)
    return ""


@st.cache_data(max_entries=4, scope="session", show_spinner=False)
def _prepared(file_id: str, name: str, _content: bytes, invert: bool | None, dataset: str) -> images.Prepared:
    """A file as the models see it, decoded when it comes and not at every run of the page.

    Raises:
        ValueError: what `images` refuses.
    """
    kind = DATASETS[dataset]
    return images.prepare(images.read(_content, name), invert=invert, style=kind.style, shape=kind.shape)


def _meant(dataset: str, left: str, source: str, value: str) -> Chosen | None:
    """What the models see of it, and what it is meant to be: there is no true class, so someone has to say."""
    try:
        image = picture(dataset, source, value)
    except ValueError as error:
        st.info(foreign.sentence(str(error)), icon=":material/info:")
        return None
    probabilities = predict(model(left), image)[0]
    read, confidence = int(probabilities.argmax()), float(probabilities.max())
    size, reader = pixels.size(DATASETS[dataset].shape), names((left,))[left]
    classes = DATASETS[dataset].classes
    st.html(
        f'<img class="k-seen" alt="The image as the models see it, {size} pixels" '
        f'src="{plots.data_uri(plots.picture(image[0], upscale=1))}">'
    )
    st.caption(f"What the models see, {size}. Clean, the {reader} reads **{classes[read]}** ({percent(confidence)}).")
    key = f"meant_{dataset}"
    link.once(key, "meant", AS_READ, link.whole(0, len(classes) - 1))
    meant = st.selectbox(
        "Meant to be",
        [AS_READ, *range(len(classes))],
        format_func=lambda i: "as read" if i == AS_READ else classes[i],
        key=key,
        persist_state="session",
        help=f"Nobody labelled this image. By default it counts as what the {reader} reads of it clean, "
        "so that this classifier is right by definition; say here if it is not.",
    )
    return Chosen(source, value, read) if meant == AS_READ else Chosen(source, value, meant, said=True)
