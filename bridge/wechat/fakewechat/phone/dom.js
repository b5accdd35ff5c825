// What the phone page builds with: elements, calls to the server, times.
// All words from outside go into the page as text, never as HTML.

import { icons } from './words.js';

const base = new URL('.', import.meta.url);

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') Object.entries(value).forEach(([event, f]) => node.addEventListener(event, f));
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

export function icon(name) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(ns, 'path');
  path.setAttribute('d', icons[name]);
  path.setAttribute('fill-rule', 'evenodd');
  svg.append(path);
  return svg;
}

export function button(test, label, press, attributes = {}, ...children) {
  const shown = children.length ? children : [label];
  return el('button', { type: 'button', 'data-test': test, 'aria-label': children.length ? label : undefined, on: { click: press }, ...attributes }, ...shown);
}

export const at = (path) => new URL(path.replace(/^\/_fake\//, ''), base).href;

export async function ask(path, options) {
  const answer = await fetch(at(path), options);
  const body = await answer.json().catch(() => ({ error: answer.statusText }));
  if (!answer.ok) throw new Error(body.error || answer.statusText);
  return body;
}

export const order = (path, body) => ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

export function upload(path, fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return ask(path, { method: 'POST', body: form });
}

const two = (n) => String(n).padStart(2, '0');
export const hour = (time) => { const d = new Date(time); return two(d.getHours()) + ':' + two(d.getMinutes()); };

// moment writes a time as WeChat does: the hour, and the day unless it is today.
export function moment(time, now) {
  const d = new Date(time);
  const today = d.toDateString() === new Date(now).toDateString();
  return (today ? '' : (d.getMonth() + 1) + '/' + d.getDate() + ' ') + hour(time);
}
