"""A picture from the clipboard: a Streamlit component that hands it to the page's file uploader.

So a pasted picture is an upload like any other, with the same limits and the same sentences.
"""

import streamlit as st

HTML = """
<button id="paste" type="button">Paste a picture</button>
<span id="said" role="status"></span>
"""

CSS = """
button { font: inherit; padding: 4px 12px; border-radius: 6px; cursor: pointer; color: var(--st-text-color);
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); }
button:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 1px; }
#said { color: var(--st-text-color); font-size: 0.85em; }
"""

JS = """
const NONE = 'There is no picture in the clipboard.';
const REFUSED = 'The browser does not let a button read the clipboard here: press Ctrl+V, or ⌘V.';
const TEXT = 'textarea, input:not([type="file"], [type="range"], [type="radio"], [type="checkbox"])';

export default function ({parentElement}) {
  const said = parentElement.querySelector('#said');
  const hand = (file) => {
    if (file) {
      const input = document.querySelector('[data-testid="stFileUploader"] input[type="file"]');
      const list = new DataTransfer();
      list.items.add(file);
      input.files = list.files;
      input.dispatchEvent(new Event('change', {bubbles: true}));
    }
    said.textContent = file ? '' : NONE;
  };
  const pasted = (event) => {
    if (event.composedPath()[0].matches?.(TEXT)) return;
    hand([...event.clipboardData.files].find((each) => each.type.startsWith('image/')));
  };
  const read = async () => {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((each) => each.startsWith('image/'));
      if (type) return new File([await item.getType(type)], 'pasted.' + type.split('/')[1], {type});
    }
  };
  parentElement.querySelector('#paste').onclick =
    () => read().then(hand, () => { said.textContent = REFUSED; });
  parentElement.listening?.abort();  // this function is called anew when the theme changes
  const listening = parentElement.listening = new AbortController();
  document.addEventListener('paste', pasted, {signal: listening.signal});
  return () => listening.abort();
}
"""

_component = st.components.v2.component("kerckhoffs_paste", html=HTML, css=CSS, js=JS)


def paste(key: str) -> None:
    """Show the button; Ctrl+V works wherever the page has the focus. The page must have one file uploader."""
    _component(key=key)
