"""The scheme as a drawing: image -> P(·, k) -> network -> output, what of it the attacker sees, and where they craft.

What stands before the network is the defence's: P with its key, a box without one, or nothing. Several networks, each
behind its own P, are boxes behind boxes. Below stands what the attacker has instead: a row of their own, or a bracket
around the classifier that they ask or have.

Hidden parts are hatched, dashed and say so, never told apart by colour alone.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

import streamlit as st

from kerckhoffs.attackers import ATTACKERS, Attacker
from kerckhoffs.defences import RETRAININGS
from kerckhoffs.zoo import ModelCard

BOX = 34  # height
LANES = (50, 106)  # the y of the defender's row and of the attacker's
UNDER = 135  # that of what stands under the latter

CSS = """
svg { width: 100%; max-width: 290px; height: auto; display: block; margin: 0 auto; }
svg { font: 600 13px var(--st-font); color: var(--st-text-color); }
.small { font-weight: 400; font-size: 11px; }
rect, path { fill: none; stroke: currentColor; stroke-width: 1.5; }
.hidden { stroke-dasharray: 5 3; fill: url(#hatch); }
.used { stroke: #d55e00; stroke-width: 2.5; }
text { fill: currentColor; text-anchor: middle; dominant-baseline: central; }
text.side { text-anchor: start; }
"""

JS = """
export default function ({data, parentElement}) {
  const place = parentElement.querySelector('#scheme');
  if (place.shown !== data) { place.innerHTML = data; place.shown = data; }
}
"""

_component = st.components.v2.component("kerckhoffs_scheme", html='<div id="scheme"></div>', css=CSS, js=JS)


def scheme(knowledge: str, defended: ModelCard, key: str, given: Mapping[str, Any] | None = None) -> None:
    """Show it for one attacker, with the options of this attacker."""
    _component(key=key, data=svg(ATTACKERS[knowledge], defended, given))


def svg(knowledge: Attacker, defended: ModelCard, given: Mapping[str, Any] | None = None) -> str:
    """The drawing; its title and description say the same in words."""
    defence = defended.entry
    there = {"network", "weights", "transform" if defence.box else "", "key" if defended.keyed else ""}
    hidden = tuple(part for part in knowledge.hidden if part in there)
    name, summary = knowledge.words(defended)
    above, _ = LANES
    several = defence.networks if defence.networks > 1 else 0
    parts = [_arrow(28, above, 64 if defence.box else 172, above)]
    if defence.box:
        parts += [_box(64, above, 78, defence.box, "transform" in hidden, behind=several > 0)]
        parts += [_arrow(142, above, 172, above)]
    if defended.keyed:
        parts += [_box(64, 16, 78, "keys k" if several else "key k", "key" in hidden, height=22)]
        parts += [_arrow(103, 27, 103, above - BOX / 2)]
    networks = f"{several} networks" if several else "network"
    parts += [
        _box(172, above, 96, networks, "network" in hidden or "weights" in hidden, behind=several > 0),
        _text(18, above, "x"),
        _arrow(268, above, 298, above),
        _text(330, above, "output"),
        _text(220, above - 26, _network_words(hidden), "small"),
    ]
    if defence.training != "clean":
        parts.append(_text(220, above - 41, RETRAININGS[defence.training].name, "small"))
    chosen = knowledge.chosen(given or {})
    instead, how, height = _below(knowledge.id, chosen, defended.keyed)
    before = defence.box or "nothing"
    kept = ", ".join(_words(hidden, defended.keyed)) or "nothing"
    described = f"What stands before the {networks}: {before}. {summary} {how} Hidden from the attacker: {kept}."
    return (
        f'<svg viewBox="0 0 360 {height:g}" role="img" aria-labelledby="scheme-title scheme-words">'
        f'<title id="scheme-title">The defended classifier as the attacker sees it. {escape(name)}</title>'
        f'<desc id="scheme-words">{escape(described)}</desc>'
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<path d="M0 0V6" style="stroke-width:1;opacity:.45"/></pattern></defs>'
        + "".join([*parts, *instead])
        + "</svg>"
    )


def _below(attacker: str, chosen: Mapping[str, Any], keyed: bool) -> tuple[list[str], str, float]:
    """What the attacker has: its drawing, the same in words, and where the drawing ends."""
    above, below = LANES
    if attacker in ("labels", "scores", "key"):
        told = {"labels": "class only", "scores": "scores"}.get(attacker, "")
        words = "crafted by asking this one" if told else "crafted on this one" + (", key and all" if keyed else "")
        bracket = [f'<path class="used" d="M58 {above + 24} v8 h216 v-8"/>', _text(166, above + 46, words, "small")]
        return [*bracket, *([_text(330, above + 16, told, "small")] if told else [])], f"It is {words}.", above + 60
    if attacker == "noise":
        words = "crafted on nothing: nothing is asked"
        row = [
            _box(64, below, 78, "+ noise", False, "used"),
            _arrow(28, below, 64, below),
            _arrow(142, below, 172, below),
            _text(212, below, "x + noise"),
            _text(160, UNDER, words, "small"),
        ]
        return [_text(18, below, "x"), *row], f"Noise is added to x; it is {words}.", UNDER + 8
    row, how = _own(attacker, chosen)
    row += [_text(18, below, "x"), _arrow(28, below, 64 if "<rect" in row[0] else 172, below)]
    row += [_arrow(268, below, 298, below), _text(330, below, "output")]
    row.append(_text(245, UNDER, "crafted on this one", "small"))
    return row, f"Crafted on {how}.", UNDER + 8


def instead(attacker: str, given: Mapping[str, Any]) -> str:
    """What an attacker crafts on who has a model of their own, in words."""
    return _own(attacker, ATTACKERS[attacker].chosen(given))[1]


def _own(attacker: str, chosen: Mapping[str, Any]) -> tuple[list[str], str]:
    """The attacker's own row between x and its output: what stands before the network comes first."""
    above, below = LANES
    alike = ", same training" if attacker.endswith("-alike") else ""

    def first(box: str, words: str, behind: bool = False) -> list[str]:
        return [
            _box(64, below, 78, box, False, "used", behind=behind) + _arrow(142, below, 172, below),
            _text(100, UNDER, words, "small"),
        ]

    def network(words: str, behind: bool = False) -> str:
        return _box(172, below, 96, words, False, "used", behind=behind)

    if attacker in ("data", "twin", "twin-alike"):
        other = " of another kind" if attacker == "data" else ""
        own = "own network" if other else "network"
        row = [_text(100, UNDER, f"no key{alike}", "small"), network(own)]
        return row, f"a network of their own{other}, without a key{alike}"
    if attacker in ("own-key", "own-key-alike"):
        row = [*first("P( · , k′)", f"made-up key k′{alike}"), network("network")]
        return row, f"a network of their own behind P with a made-up key k′{alike}"
    if attacker == "own-keys":
        number = chosen["number"]
        row = [
            *first("P( · , k′)", f"{number} made-up keys k′", behind=True),
            network(f"{number} networks", behind=True),
        ]
        return row, f"the mean of {number} networks of their own, each behind P with a made-up key k′ of its own"
    if attacker == "substitute":
        started = chosen["start"] == "surrogate"
        before = first("P( · , k′)", "made-up key k′") if started else [_text(100, UNDER, "no key", "small")]
        answers = f'<path d="M330 {above + 10} V{above + 29} H236 V{below - BOX / 2 - 2} l-4 -6 m4 6 l4 -6"/>'
        row = [*before, network("own network"), answers, _text(158, above + 29, "learned from its answers", "small")]
        behind = " behind P with a made-up key k′" if started else ", without a key,"
        return row, f"a network of their own{behind} trained on its answers"
    share = f"{100 * chosen.get('share', 0):.0f} %"
    own = "the defender's own network behind"
    box, small, how = {
        "bypass": ("A", "a learned map A", f"{own} a learned map A, which stands for P"),
        "recovery": ("P( · , k̂)", "a guessed key k̂", f"{own} P with a guessed key k̂"),
        "part-of-key": ("P( · , k̃)", f"{share} of k, rest drawn", f"{own} P with {share} of k, the rest drawn"),
    }[attacker]
    same = f'<path d="M217 {above + BOX / 2} V{below - BOX / 2} M223 {above + BOX / 2} V{below - BOX / 2}"/>'
    row = [*first(box, small, behind=chosen.get("draws", 1) > 1), network("network"), same]
    return [*row, _text(278, above + 28, "the same weights", "small")], how


def _words(hidden: tuple[str, ...], keyed: bool) -> list[str]:
    names = {
        "transform": "the transform P" if keyed else "what stands before the network",
        "key": "the key k",
        "network": "the architecture and the data",
        "weights": "the trained weights",
    }
    return [names[part] for part in hidden]


def _network_words(hidden: tuple[str, ...]) -> str:
    if "network" in hidden:
        return "all hidden"
    return "its weights hidden" if "weights" in hidden else "all known"


def _box(
    x: float,
    y: float,
    width: float,
    words: str,
    hidden: bool,
    kind: str = "",
    height: float = BOX,
    behind: bool = False,
) -> str:
    """A box whose middle is at height y; a hidden one says so. Of several the edges of one more show behind it."""
    classes = " ".join(filter(None, (kind, "hidden" if hidden else "")))
    rect = f'<rect class="{classes}" x="{x}" y="{y - height / 2}" width="{width}" height="{height}" rx="6"/>'
    if behind:
        rect += f'<path d="M{x + 8} {y + height / 2 + 3.5} h{width - 10} q6 0 6 -6 v{10 - height}"/>'
    return rect + _text(x + width / 2, y, f"{words} ?" if hidden else words)


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    head = "l-6 -4 m6 4 l-6 4" if y1 == y2 else "l-4 -6 m4 6 l4 -6"
    return f'<path d="M{x1} {y1} L{x2 - 2 * (y1 == y2)} {y2 - 2 * (x1 == x2)} {head}"/>'


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'
