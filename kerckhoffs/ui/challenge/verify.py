"""Verify a commitment in the visitor's own browser: SHA-256 by SubtleCrypto over the message of keys/commitments.py."""

import streamlit as st

from kerckhoffs import keys
from kerckhoffs.challenge.service import Challenge
from kerckhoffs.challenge.wire import ADDRESS
from kerckhoffs.ui import foreign

HTML = """
<label>The commitment that you kept <input id="kept" type="text" size="64" spellcheck="false"></label>
<button id="verify" type="button">Verify in this browser</button>
<p id="said" role="status"></p>
"""

CSS = """
* { font: inherit; color: var(--st-text-color); box-sizing: border-box; }
label { display: block; margin-bottom: 6px; }
input { display: block; width: 100%; padding: 4px 8px; font-family: monospace; border-radius: 6px;
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); }
button { padding: 4px 12px; border-radius: 6px; cursor: pointer;
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); }
:is(button, input):focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 1px; }
p { overflow-wrap: anywhere; }
"""

COMMITMENT = """
async function sha256(bytes) {
  const hash = await crypto.subtle.digest('SHA-256', bytes);
  return [...new Uint8Array(hash)].map((each) => each.toString(16).padStart(2, '0')).join('');
}

async function commitmentOf(reveal) {
  if (!/^[0-9a-f]{64}$/i.test(reveal.nonce)) throw new RangeError('a nonce has 32 bytes');
  const text = new TextEncoder();
  const values = new DataView(new ArrayBuffer(8 * reveal.values.length));
  reveal.values.forEach((each, place) => values.setFloat64(8 * place, each, true));
  const origin = reveal.secret_bits === null ? '' : String(reveal.secret_bits);
  const texts = [origin, reveal.model, reveal.weights, reveal.note].map((each) => text.encode(each));
  const nonce = Uint8Array.from(reveal.nonce.match(/../g), (each) => parseInt(each, 16));
  const parts = [text.encode('kerckhoffs commitment 1'), nonce];
  for (const field of [new Uint8Array(values.buffer), ...texts]) {
    const length = new DataView(new ArrayBuffer(8));
    length.setBigUint64(0, BigInt(field.length));
    parts.push(new Uint8Array(length.buffer), field);
  }
  return sha256(await new Blob(parts).arrayBuffer());
}
"""
"""From a reveal, as JSON has it, to the commitment that it opens: with a nonce of another length to one of several."""

JS = (
    COMMITMENT
    + """
const ABROAD = 'This browser computes SHA-256 only for pages over https or from its own machine. Save the reveal and ' +
  'run kerckhoffs key verify.';

export default function ({parentElement, data}) {
  const kept = parentElement.querySelector('#kept');
  const said = parentElement.querySelector('#said');
  kept.value ||= data.commitment;
  const verify = async () => {
    if (!globalThis.crypto?.subtle) return ABROAD;
    const answer = await fetch(data.reveal);
    if (!answer.ok) return 'The reveal could not be fetched.';
    const reveal = await answer.json();
    const found = await commitmentOf(reveal);
    if (found !== kept.value.trim().toLowerCase())
      return 'It does not hold: the revealed key has the commitment ' + found + '.';
    const weights = await fetch(data.weights);
    if (!weights.ok)
      return 'The key holds: it has the commitment ' + found + '. The weights could not be fetched to compare them.';
    return await sha256(await weights.arrayBuffer()) === reveal.weights
      ? 'It holds: the revealed key and weights have the commitment ' + found + '.'
      : 'It does not hold: the key has the commitment ' + found + ', but these weights are not those of it.';
  };
  parentElement.querySelector('#verify').onclick =
    () => verify().then((words) => { said.textContent = words; }, () => { said.textContent = 'That is no reveal.'; });
}
"""
)

_component = st.components.v2.component("kerckhoffs_verify", html=HTML, css=CSS, js=JS)


def verify(challenge: Challenge) -> None:
    """After the reveal: compare, here and elsewhere."""
    body = challenge.revealed()
    shown = keys.Reveal.read(body, "the reveal")
    same = keys.verify(challenge.commitment, shown)
    st.markdown("The key is **public** now. Compare it with the commitment that you kept from the beginning:")
    at = {name: f"{ADDRESS}/{challenge.id}/{name}" for name in ("reveal", "weights")}
    _component(key="challenge_verify", data={"commitment": challenge.commitment, **at})
    words = foreign.sentence(shown.words(same))
    st.caption(f"This server finds: {words}. Ask it for nothing that you can compute yourself.")
    st.download_button(
        "The reveal",
        body,
        f"{challenge.id}.reveal.json",
        on_click="ignore",
        icon=":material/download:",
        key="challenge_saved",
    )
    st.code(f"kerckhoffs key verify {challenge.commitment} {challenge.id}.reveal.json", language=None)
    st.caption(f"The weights whose SHA-256 it names are at `{at['weights']}`.")
