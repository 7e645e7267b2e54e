"""Names that people give themselves: bounded, in one line, and made of what names are made of."""

import unicodedata

LONGEST = 24  # characters
MARKS = 2  # accents on one letter
SIGNS = " '’.-"


def clean(text: str) -> str:
    """A name as it may be shown.

    Raises:
        ValueError: if nothing is left of it.
    """
    kept: list[str] = []
    marks = 0
    for each in unicodedata.normalize("NFKC", text[: 8 * LONGEST]):
        kind = unicodedata.category(each)
        marks = marks + 1 if kind == "Mn" else 0
        on_letter = bool(kept) and unicodedata.category(kept[-1])[0] in "LM"
        if kind[0] in "LN" or each in SIGNS or (kind in ("Mn", "Mc") and on_letter and marks <= MARKS):
            kept.append(each)
    found = " ".join("".join(kept).split())[:LONGEST].strip()
    if not any(unicodedata.category(each)[0] in "LN" for each in found):
        raise ValueError("a name has letters or digits")
    return found
