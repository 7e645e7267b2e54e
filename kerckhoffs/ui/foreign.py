"""Text that comes from elsewhere (names of files, manifests, addresses, what an error quotes), made harmless to show.

Streamlit reads Markdown wherever it shows a sentence, and a browser fetches the pictures that Markdown names. Escaping
does not help: addresses, :shortcodes: and a few more are looked for after backslashes and entities are gone. Nothing
is looked for inside code, so whatever could mean anything stands there, with its control characters made visible.
"""

import re

from kerckhoffs.evaluation import tables

LONGEST = 300  # characters that are shown of one text
LONGEST_SENTENCE = 1000
SIGNS = ("…", "·", "×", "–", "—", "ε")
PLAIN = re.compile(r"(?!.*[Ww]{3}\.)[A-Za-z0-9]+(?:['’.-][A-Za-z0-9]+)*|-?\d+(?:[.,]\d+)*[%°]?")
NUMBERED = re.compile(r"\d+[.)]+")  # begins a list
OPENING, CLOSING = "(\"'“‘", ")\"'”’.,;:!?…"


def visible(text: str, longest: int = LONGEST) -> str:
    """A text in one line, the middle of a long one left out.

    What has no glyph, or turns the rest of the line around, is shown as Python writes it: \\n, \\x1b, \\u202e.
    """
    half = longest // 2
    short = text if len(text) <= longest else f"{text[:half]}…{text[1 - half :]}"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in short)


def code(text: str, longest: int = LONGEST) -> str:
    """A text as code in Markdown, whatever is in it, backticks too."""
    shown = visible(text, longest) or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    ends = {shown[0], shown[-1]} & {"`", " "} if shown.strip() else ()
    room = " " if ends else ""  # which Markdown takes away again
    return f"{fence}{room}{shown}{room}{fence}"


def sentence(text: str) -> str:
    """A sentence that may quote foreign text, in Markdown: words of Latin letters and digits stay, the rest is code."""
    said: list[str] = []
    strange: list[str] = []  # words in a row that are not plain
    for word in visible(text, LONGEST_SENTENCE).split():
        plain = _is_plain(word)
        if not plain:
            strange.append(word)
        if strange and (plain or word[-1] in ",;:"):
            said.append(_quoted(strange))
            strange = []
        if plain:
            said.append(word)
    return " ".join([*said, _quoted(strange)] if strange else said)


def _is_plain(word: str) -> bool:
    bare = word.lstrip(OPENING).rstrip(CLOSING)
    return not NUMBERED.fullmatch(word) and (word in SIGNS or PLAIN.fullmatch(bare) is not None)


def _quoted(words: list[str]) -> str:
    """Words as code; a mark that ends them belongs to the sentence around them."""
    text = " ".join(words)
    mark = text[-1] if len(text) > 1 and text[-1] in ",;:" else ""
    return code(text.removesuffix(mark), len(text)) + mark


def cell(text: str) -> str:
    """A text for a table, which a person may save as CSV: never a formula there."""
    return str(tables.safe(visible(text)))
