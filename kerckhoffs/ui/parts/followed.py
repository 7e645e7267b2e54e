"""A picture through a transform that only moves pixels, some of which can be followed with the mouse or the keyboard.

A few pixels are followed, never all: where every pixel goes is the key.
"""

from collections.abc import Callable, Sequence

import streamlit as st
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from kerckhoffs import plots

FOLLOWED = 16  # pixels

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

_component = st.components.v2.component("kerckhoffs_followed", html=HTML, css=CSS, js=JS)


def follow(image: Tensor, permute: Callable[[Tensor], Tensor], words: str) -> None:
    """Show it.

    Args:
        image: (1, C, H, W).
        permute: from images to the same values in another order.
        words: what stands between the two pictures.
    """
    _component(
        key="keywork",
        data={
            "before": plots.data_uri(plots.picture(image[0], upscale=1)),
            "after": plots.data_uri(plots.picture(permute(image)[0], upscale=1)),
            "words": words,
            "pixels": followed(image, permute),
            "side": max(image.shape[2:]),
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
