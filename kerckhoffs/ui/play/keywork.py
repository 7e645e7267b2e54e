"""The key at work: an image goes through P(·, k), and some of its pixels can be followed there.

A few pixels are followed, never all: where every pixel goes is the key. The demonstration keys are public, and still
nothing here shows one.
"""

from collections.abc import Callable, Sequence

import streamlit as st
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from kerckhoffs import plots
from kerckhoffs.data import DATASETS
from kerckhoffs.defences import DefendedClassifier
from kerckhoffs.evaluation.judge import percent, predict
from kerckhoffs.keys import Key
from kerckhoffs.ui.models import card, model, shows_view
from kerckhoffs.ui.play.experiment import Experiment
from kerckhoffs.ui.play.live import Example

FOLLOWED = 16  # pixels
PICTURES = ("clean", "adversarial")
KEYS = ("the defender's key", "a wrong key")
PRIVATE = (
    "The key of the {} is private, so nothing is shown of what its network sees: who may choose the images that go "
    "through P reads the whole permutation off two of them. Nor does an attack here read its gradients, which tell "
    "what lies side by side behind P. The owner of the key can start the app with "
    "`kerckhoffs app --show-private-views`, which gives the key away to everyone who can open it."
)

HTML = """
<div id="row">
  <svg viewBox="0 0 460 186" role="group" aria-label="Pixels of the image, and where P puts them">
    <image id="before" x="0" y="18" width="168" height="168"/>
    <image id="after" x="292" y="18" width="168" height="168"/>
    <text x="84" y="10">image</text>
    <text x="230" y="84" id="p">P( · , k) →</text>
    <text x="376" y="10">what the network sees</text>
    <g id="lines"></g><g id="pixels"></g>
  </svg>
  <button id="send" type="button" aria-pressed="false">Send the pixels through P</button>
</div>
"""

CSS = """
#row { max-width: 560px; margin: 0 auto; text-align: center; }
svg { width: 100%; height: auto; display: block; font: 600 13px var(--st-font); overflow: visible; }
text { fill: var(--st-text-color); text-anchor: middle; dominant-baseline: central; }
image { image-rendering: pixelated; }
#pixels rect { stroke: #d55e00; stroke-width: 1.5; transition: transform 1.4s ease-in-out; cursor: pointer; }
#pixels rect:focus-visible, #pixels rect:hover { stroke-width: 3.5; outline: none; }
line { stroke: #d55e00; stroke-width: 1.5; opacity: 0; pointer-events: none; }
line.shown { opacity: 1; }
button { font: inherit; padding: 6px 14px; margin-top: 8px; border-radius: 6px; cursor: pointer;
  color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); }
button:focus-visible { outline: 3px solid var(--st-primary-color); }
@media (prefers-reduced-motion: reduce) { #pixels rect { transition: none; } }
"""

JS = """
export default function ({data, parentElement}) {
  const find = (id) => parentElement.querySelector('#' + id), send = find('send'), SPACE = 292, TOP = 18;
  const make = (name, values) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
    return made;
  };
  const SIZE = 168 / data.side;
  if (send.shown === JSON.stringify(data)) return;
  send.shown = JSON.stringify(data);
  find('before').setAttribute('href', data.before);
  find('after').setAttribute('href', data.after);
  find('p').textContent = data.words;
  find('lines').replaceChildren();
  find('pixels').replaceChildren();
  send.setAttribute('aria-pressed', 'false');
  send.textContent = 'Send the pixels through P';
  for (const [row, column, toRow, toColumn, grey] of data.pixels) {
    const [x, y, toX, toY] = [column * SIZE, TOP + row * SIZE, SPACE + toColumn * SIZE, TOP + toRow * SIZE];
    const half = SIZE / 2;
    const line = make('line', {x1: x + half, y1: y + half, x2: toX + half, y2: toY + half});
    const words = `pixel in row ${row + 1}, column ${column + 1} goes to row ${toRow + 1}, column ${toColumn + 1}`;
    const pixel = make('rect', {x, y, width: SIZE, height: SIZE, fill: `rgb(${grey},${grey},${grey})`, tabindex: 0,
      role: 'img', 'aria-label': words});
    pixel.there = `translate(${toX - x}px, ${toY - y}px)`;
    const show = (on) => () => line.classList.toggle('shown', on);
    pixel.onmouseenter = pixel.onfocus = show(true);
    pixel.onmouseleave = pixel.onblur = show(false);
    find('lines').append(line);
    find('pixels').append(pixel);
  }
  send.onclick = () => {
    const on = send.getAttribute('aria-pressed') === 'false';
    send.setAttribute('aria-pressed', String(on));
    send.textContent = on ? 'Bring them back' : 'Send the pixels through P';
    for (const pixel of find('pixels').children) pixel.style.transform = on ? pixel.there : '';
  };
}
"""

_component = st.components.v2.component("kerckhoffs_keywork", html=HTML, css=CSS, js=JS)


def key_at_work(experiment: Experiment, example: Example) -> None:
    """The image, or the perturbed one, through P with the defender's key or with a wrong one, and what is then read."""
    name = next((each for each in (experiment.right, *experiment.columns) if card(each).keyed), None)
    if name is None:
        st.caption("None of the classifiers here has a key.")
        return
    if not shows_view(card(name)):
        st.info(PRIVATE.format(experiment.names[name]), icon=":material/lock:")
        return
    keyed, reading = model(name), example.readings[name]
    left, right = st.columns([2, 1], gap="medium", vertical_alignment="center")
    with right:
        what = st.segmented_control("Picture", PICTURES, default=PICTURES[0], required=True, key="key_picture")
        whose = st.segmented_control("Key", KEYS, default=KEYS[0], required=True, key="key_whose")
        shown = experiment.image if what == PICTURES[0] else example.image
        said = reading.before if what == PICTURES[0] else reading.after
        if whose != KEYS[0]:
            keyed = behind_a_wrong_key(name, card(name).sha256)
            said = predict(keyed, shown)[0].tolist()
        read = DATASETS[experiment.dataset].classes[said.index(max(said))]
        crafted = what != PICTURES[0] and example.made
        of = f"what was crafted on the {reading.verdict.crafted_on}" if crafted else "the clean image"
        st.markdown(
            f"Behind {whose}, the network that was trained behind the defender's key reads {of} as **{read}** "
            f"({percent(max(said))})."
        )
        st.caption(
            f"P moves pixels and changes none: every distance is the same before and after it. {FOLLOWED} of the "
            "pixels can be followed, with the mouse or the Tab key. Where all of them go is the key itself, and is "
            "not shown."
        )
    with left:
        _component(
            key="keywork",
            data={
                "before": plots.data_uri(plots.picture(shown[0], upscale=1)),
                "after": plots.data_uri(plots.picture(keyed.view(shown)[0], upscale=1)),
                "words": "P( · , k) →" if whose == KEYS[0] else "P( · , k′) →",
                "pixels": followed(shown, keyed.view),
                "side": max(shown.shape[2:]),
            },
        )


def followed(image: Tensor, permute: Callable[[Tensor], Tensor]) -> Sequence[tuple[int, int, int, int, int]]:
    """Row and column of some pixels before and after P, and their grey: the brightest, evenly spread over the image."""
    flat, (height, width) = image.flatten(), image.shape[2:]
    bright = (flat > flat.max() / 2).nonzero().squeeze(1)
    chosen = bright[torch.linspace(0, len(bright) - 1, min(FOLLOWED, len(bright))).long()]
    marked = one_hot(chosen, len(flat)).float().view(len(chosen), *image.shape[1:])
    places = permute(marked).flatten(1).argmax(1)

    def place(index: Tensor) -> tuple[int, int]:
        row, column = divmod(int(index) % (height * width), width)
        return row, column

    return [(*place(a), *place(b), round(float(flat[a]) * 255)) for a, b in zip(chosen, places, strict=True)]


@st.cache_resource(max_entries=8, show_spinner=False)
def behind_a_wrong_key(model_id: str, sha256: str) -> DefendedClassifier:
    """A keyed model's network behind another key than its own, drawn anew in each process."""
    entry, shape = card(model_id), DATASETS[card(model_id).dataset].shape
    wrong = tuple(Key.generate(length) for length in entry.entry.key_lengths(shape))
    return entry.entry.build(lambda: model(model_id).network, shape, wrong).eval()
