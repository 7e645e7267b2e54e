"""Hostile texts, and what a page would make of them: the links, pictures, formulas and the rest that Markdown finds."""

import itertools
import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

SEEDS = (
    "![x](https://evil.example/x.png)",
    "![x](https:&sol;&sol;evil.example/x.png)",
    "![x](https:&#x2F;&#47;evil.example/x.png)",
    "![x](//evil.example/x.png)",
    "[click](https://evil.example)",
    "[click](javascript:alert(1))",
    "[click][1]\n\n[1]: https://evil.example",
    "<https://evil.example>",
    "https://evil.example/x.png",
    "www.evil.example",
    "evil.example",
    "x'www.evil.example",
    "x-WWW.evil.example",
    "mail@evil.example",
    "<img src=https://evil.example/x.png onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<a href=//evil.example>x</a>",
    "</code></p><svg onload=alert(1)>",
    "$\\href{https://evil.example}{x}$",
    "$$\\frac{1}{2}$$",
    ":material/delete:",
    ":smile:",
    ":streamlit:",
    ":red[alarm]",
    ":red-background[alarm]",
    ":blue-badge[fine]",
    "**bold** _thin_ ~~gone~~",
    "`code` ``more`` `",
    "a|b\n-|-\nc|d",
    "# heading",
    "1. list",
    "- list",
    "> quote",
    "---",
    "[^1] [x] - [ ] y",
    "two\nlines\r\nthree\ttabs",
    "\u202egnp.exe\u202c",
    "\u2066\u2067\u200f\u200b\ufeff",
    "\x1b[31mred\x00\x07",
    "\ud83d",
    '=HYPERLINK("https://evil.example";"x")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "-2+3",
    "%{customdata[0]}{x}{{y}}",
    "& &amp; &lt;b&gt; &#36;",
    "--&gt; <- -> != >=",
    "éàü שלום 你好 🙂",
    "\\`escaped\\` \\[x\\](y)",
    "'; DROP TABLE models; --",
    "{0.__class__} %s %n",
    "x" * 400,
    " ",
)
AROUND = ("{}", "a {} b", "'{}'", "`{}", "{}`", "``{}`", "({})", "x\n{}\ny", "{0} {0}", "\\{}")


def hostile(count=500):
    """So many texts, each of them another one."""
    every = (around.replace("{0}", "{}").replace("{}", seed) for around, seed in itertools.product(AROUND, SEEDS))
    return list(itertools.islice(every, count))


# What Streamlit looks for in the text that is left when Markdown has been read, and what other readers of it might.
LOOKED_FOR = re.compile(r"https?:|[wW]{3}\.|\S@\S|:[\w+-]+:|:[\w-]+\[|:material/|[$<&\[\]|~*_`\\{}#]|//")
HARMLESS = {"paragraph_open", "paragraph_close", "inline", "text", "code_inline", "strong_open", "strong_close"}
INVISIBLE = re.compile(r"[^\S ]|[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def active(markdown):
    """What of a text is more than words, bold words and code."""
    tokens = MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(markdown)
    found = INVISIBLE.findall(markdown)
    for token in [*tokens, *(child for each in tokens for child in each.children or [])]:
        if token.type not in HARMLESS:
            found.append(token.type)
        if token.type == "text":
            found += LOOKED_FOR.findall(token.content)
    return found


def read(markdown):
    """The words that a reader sees."""
    tokens = MarkdownIt("commonmark").parse(markdown)
    return "".join(child.content for token in tokens for child in token.children or [])


class Addresses(HTMLParser):
    """The addresses that HTML would lead to or fetch, but for pictures that it holds itself."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            fetched = name in ("src", "href", "srcset", "data", "poster") and not (value or "").startswith("data:")
            if fetched or name.startswith("on") or tag in ("script", "iframe"):
                self.found.append((tag, name, value))


PRELOAD = '<script type="module">import("./static/js/PlotlyChart.'  # kerckhoffs/ui/preload.py


def active_on(app, ours=frozenset()):
    """What is active in all that a page shows, each with its text; but in none of the texts that are the page's own."""
    found = [
        found
        for element in app.get("html")
        if not element.proto.body.startswith(PRELOAD)
        for found in Addresses(element.proto.body).found
    ]
    return found + [(each, text) for text in texts_on(app) - ours for each in active(text)]


def texts_on(app):
    """What a page shows as Markdown: sentences, labels, helps."""
    elements = [each.proto for each in app.main if each.type not in ("html", "code", "arrow_data_frame", "page_link")]
    texts = {getattr(proto, name, "") for proto in elements for name in ("body", "label", "help", "text")}
    return {text for text in texts if isinstance(text, str) and text.strip()}
