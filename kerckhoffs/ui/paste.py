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

export default function ({parentElement}) {
  const said = parentElement.querySelector('#said');
  const hand = (file) => {
    const input = document.querySelector('[data-testid="stFileUploader"] input[type="file"]');
    const list = new DataTransfer();
    list.items.add(file);
    input.files = list.files;
    input.dispatchEvent(new Event('change', {bubbles: true}));
    said.textContent = '';
  };
  const pasted = (event) => {
    if (event.target.matches?.('input:not([type="file"]), textarea')) return;  // text, into a field
    const file = [...event.clipboardData.files].find((each) => each.type.startsWith('image/'));
    if (file) hand(file); else said.textContent = NONE;
  };
  parentElement.querySelector('#paste').onclick = async () => {
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((each) => each.startsWith('image/'));
        if (type) return hand(new File([await item.getType(type)], 'pasted.' + type.split('/')[1], {type}));
      }
      said.textContent = NONE;
    } catch {
      said.textContent = REFUSED;
    }
  };
  parentElement.listening?.abort();  // this function is called anew when the theme changes
  const {signal} = parentElement.listening = new AbortController();
  document.addEventListener('paste', pasted, {signal});
  return () => parentElement.listening.abort();
}
"""

_component = st.components.v2.component("kerckhoffs_paste", html=HTML, css=CSS, js=JS)


def paste(key: str) -> None:
    """Show the button; Ctrl+V works wherever the page has the focus. The page must have one file uploader."""
    _component(key=key)
