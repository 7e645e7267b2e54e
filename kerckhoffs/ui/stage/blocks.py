"""What fills a scene, as data for the page that draws it: texts and small pictures, no HTML.

A view is its blocks, and where its figures come from, which the screen says: live, precomputed, or measured.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kerckhoffs import plots

Block = Mapping[str, Any]
LIVE = "Live: computed now"
DRAWN = "Live: computed when the drawing was taken"
PRECOMPUTED = "Precomputed when the room was opened"


def view(*blocks: Block, source: str = "", epsilon: float | None = None) -> Mapping[str, Any]:
    """What a scene shows at one time.

    Args:
        epsilon: where its slider stands.
    """
    return {"blocks": list(blocks), "source": source, "epsilon": epsilon}


def words(text: str) -> Block:
    """A sentence or two."""
    return {"kind": "words", "text": text}


def join() -> Block:
    """The room's address, large; which one it is, the page knows."""
    return {"kind": "join"}


def picture(pixels: plots.Picture, alt: str, caption: str = "") -> Block:
    """A small picture, which the page enlarges by whole pixels."""
    return {"src": plots.data_uri(pixels), "alt": alt, "caption": caption}


def total(image: Block, perturbation: Block | None, example: Block | None, note: str) -> Block:
    """Image + perturbation = example."""
    return {"kind": "sum", "terms": [each for each in (image, perturbation, example) if each], "note": note}


def cards(crafted: str, entries: Sequence[Block]) -> Block:
    """What classifiers say.

    Args:
        crafted: what they are shown, which stands over them: no verdict is without it.
    """
    return {"kind": "cards", "crafted": crafted, "cards": list(entries)}


def bars(title: str, note: str, rows: Sequence[Block], names: Sequence[str]) -> Block:
    """Errors with their intervals; a row without values where they are not yet to be seen.

    Args:
        names: of the values of each row, in order.
    """
    return {"kind": "bars", "title": title, "note": note, "rows": list(rows), "names": list(names)}
