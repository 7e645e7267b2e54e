"""A canvas to draw on, with the mouse, a finger or a pen: a Streamlit component, with nothing loaded from outside.

It keeps its strokes in the encoding of strokes.py and sends them at the end of each one.
"""

import streamlit as st

from kerckhoffs.ui.parts.strokes import INK, MAX_POINTS, SIDE

HTML = f"""
<canvas id="pad" width="{SIDE}" height="{SIDE}" tabindex="0" role="img" aria-label="Canvas: draw with the mouse,
 a finger or a pen"></canvas>
<div id="tools" role="group" aria-label="Drawing"><button id="undo" type="button">Undo</button>
<button id="clear" type="button">Clear</button></div>
"""

CSS = """
canvas { width: 100%; max-width: 184px; aspect-ratio: 1; background: #000; border-radius: 6px; touch-action: none;
  cursor: crosshair; display: block; border: 1px solid var(--st-border-color); box-sizing: border-box; }
#tools { display: flex; gap: 6px; margin-top: 6px; max-width: 184px; }
button { flex: 1; font: inherit; padding: 4px 0; border-radius: 6px; cursor: pointer; color: var(--st-text-color);
  background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); }
:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 1px; }
"""

JS = f"""
const SIDE = {SIDE}, INK = {INK}, MAX = {MAX_POINTS};
const decode = (text) => {{
  const bytes = [...atob(text.replace(/-/g, '+').replace(/_/g, '/'))].map((c) => c.charCodeAt(0));
  const strokes = [];
  for (let at = 0; at < bytes.length; at += 1 + 2 * bytes[at]) {{
    const flat = bytes.slice(at + 1, at + 1 + 2 * bytes[at]);
    strokes.push(Array.from({{length: flat.length / 2}}, (_, i) => [flat[2 * i], flat[2 * i + 1]]));
  }}
  return strokes;
}};
const encode = (strokes) => btoa(String.fromCharCode(...strokes.flatMap((s) => [s.length, ...s.flat()])))
  .replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=/g, '');

export default function (component) {{
  const {{data, parentElement, setStateValue}} = component;
  const pad = parentElement.querySelector('#pad');
  pad.send = (strokes) => setStateValue('strokes', encode(strokes));
  if (pad.strokes) return;  // a rerun: what is on the canvas is newer than what Python knows
  const ink = pad.getContext('2d');
  pad.strokes = decode(data);
  let drawing = null;
  const redraw = () => {{
    ink.clearRect(0, 0, SIDE, SIDE);
    Object.assign(ink, {{lineWidth: INK, lineCap: 'round', lineJoin: 'round', strokeStyle: '#fff'}});
    for (const stroke of pad.strokes) {{
      ink.beginPath();
      ink.moveTo(...stroke[0]);
      for (const point of stroke) ink.lineTo(...point);
      ink.stroke();
    }}
  }};
  const place = (event) => {{
    const box = pad.getBoundingClientRect();
    const on = (at, start, size) => Math.max(0, Math.min(SIDE - 1, Math.round((at - start) / size * SIDE)));
    return [on(event.clientX, box.left, box.width), on(event.clientY, box.top, box.height)];
  }};
  const room = () => pad.strokes.reduce((sum, stroke) => sum + stroke.length, 0) < MAX;
  pad.onpointerdown = (event) => {{
    if (event.button !== 0 || drawing !== null || !room()) return;
    drawing = event.pointerId;
    pad.setPointerCapture(drawing);
    pad.strokes.push([place(event)]);
    redraw();
  }};
  pad.onpointermove = (event) => {{
    if (event.pointerId !== drawing) return;
    const stroke = pad.strokes.at(-1), last = stroke.at(-1), next = place(event);
    if (Math.hypot(next[0] - last[0], next[1] - last[1]) < 4 || !room()) return;
    if (stroke.length < 255) stroke.push(next); else pad.strokes.push([last, next]);
    redraw();
  }};
  pad.onpointerup = pad.onpointercancel = (event) => {{
    if (event.pointerId !== drawing) return;
    drawing = null;
    pad.send(pad.strokes);
  }};
  const change = (strokes) => {{ pad.strokes = strokes; redraw(); pad.send(strokes); }};
  parentElement.querySelector('#undo').onclick = () => change(pad.strokes.slice(0, -1));
  parentElement.querySelector('#clear').onclick = () => change([]);
  redraw();
}}
"""

_canvas = st.components.v2.component("kerckhoffs_canvas", html=HTML, css=CSS, js=JS)


def canvas(strokes: str, key: str) -> str:
    """Show the canvas with these strokes on it, the first time; returns the newest ones, encoded."""
    drawn = _canvas(key=key, data=strokes, default={"strokes": strokes}, on_strokes_change=lambda: None)
    newest: str = drawn.strokes
    return newest
