"""Drawings of the room, which may come from anywhere."""


def drawing(text: str) -> str:
    """An encoded drawing as it is kept.

    Raises:
        ValueError: if it is none, or nothing is drawn.
    """
    from kerckhoffs.ui.parts import strokes  # Pillow, which the server need not wait for

    found = strokes.decode(text)
    if not found:
        raise ValueError("nothing is drawn")
    return strokes.encode(found)
