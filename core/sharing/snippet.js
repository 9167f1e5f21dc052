"use strict";
// Draws what the element #told holds: two maps [query, key] of the same tokens, and their difference. Every word that
// comes with them is put into the page as text.
const told = JSON.parse(document.getElementById("told").textContent);
const n = told.tokens.length;
const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
const head = weightsOf(told.head), program = weightsOf(told.program);
const apart = head.map((weight, cell) => weight - program[cell]);
const most = apart.reduce((most, one) => Math.max(most, Math.abs(one)), 0.01);
const SCALE = ["0", "square root", "1"];
const shown = [
  { name: "head", colour: (cell) => between(told.weights, Math.sqrt(head[cell])), ends: SCALE, stops: told.weights },
  { name: "program", colour: (cell) => between(told.weights, Math.sqrt(program[cell])), ends: SCALE,
    stops: told.weights },
  { name: "head − program", colour: (cell) => between(differences(), apart[cell] / most / 2 + 0.5),
    ends: [`−${most.toFixed(2)}`, `+${most.toFixed(2)}`], stops: differences() },
];
const marks = [], tokens = [];
let query = -1, key = -1, isPinned = false;

function weightsOf(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)), view = new DataView(bytes.buffer);
  return Float32Array.from({ length: n * n }, (_, cell) => view.getUint16(2 * cell, true) / 65535);
}

function differences() { return isDark ? told.apartDark : told.apart; }

function between(stops, place) {
  const at = Math.min(Math.max(place, 0), 1) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
  return [1, 3, 5].map((start) => {
    const [one, other] = [stops[low], stops[low + 1]].map((stop) => parseInt(stop.slice(start, start + 2), 16));
    return Math.round(one + (other - one) * (at - low));
  });
}

function element(kind, parent, properties = {}) {
  const made = Object.assign(document.createElement(kind), properties);
  parent.append(made);
  return made;
}

function visible(token) { return token.replaceAll("\n", "↵").replaceAll("\t", "→") || "∅"; }

function drawMap({ name, colour, ends, stops }) {
  const figure = element("figure", document.getElementById("maps"));
  element("figcaption", figure, { textContent: name });
  const map = element("div", figure, { className: "map", tabIndex: 0 });
  map.setAttribute("role", "img");
  map.setAttribute("aria-label", `${name}, ${n} by ${n} tokens; arrow keys move`);
  const canvas = element("canvas", map, { width: n, height: n });
  const brush = canvas.getContext("2d"), pixels = brush.createImageData(n, n);
  for (let cell = 0; cell < n * n; cell++) {
    if (told.isCausal && cell % n > Math.floor(cell / n)) continue;  // the future stays empty
    pixels.data.set([...colour(cell), 255], 4 * cell);
  }
  brush.putImageData(pixels, 0, 0);
  marks.push([element("div", map, { className: "row", hidden: true }),
    element("div", map, { className: "cell", hidden: true })]);
  const scale = element("div", figure, { className: "scale" });
  scale.style.background = `linear-gradient(90deg, ${stops.join(", ")})`;
  const legend = element("div", figure, { className: "ends" });
  ends.forEach((end) => element("span", legend, { textContent: end }));
  canvas.addEventListener("pointermove", (event) => !isPinned && select(...cellUnder(canvas, event)));
  canvas.addEventListener("click", (event) => { isPinned = !isPinned; select(...cellUnder(canvas, event)); });
  map.addEventListener("keydown", move);
}

function cellUnder(canvas, event) {
  const box = canvas.getBoundingClientRect(), at = (place, length) => Math.min(n - 1, Math.max(0, Math.floor(place / length * n)));
  return [at(event.clientY - box.top, box.height), at(event.clientX - box.left, box.width)];
}

function move(event) {
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
  if (down === undefined) return;
  event.preventDefault();
  const within = (place) => Math.min(n - 1, Math.max(0, place));
  select(within(query + down), right ? within(key + right) : key);
}

function select(nextQuery, nextKey) {
  query = nextQuery;
  key = told.isCausal && nextKey > nextQuery ? -1 : nextKey;
  for (const [row, cell] of marks) {
    row.hidden = query < 0;
    row.style.cssText += `; top: ${100 * query / n}%; height: ${100 / n}%`;
    cell.hidden = key < 0;
    cell.style.cssText += `; top: ${100 * query / n}%; left: ${100 * key / n}%; width: ${100 / n}%; height: ${100 / n}%`;
  }
  tokens.forEach((token, at) => {
    const shades = [head, program].map((map) => between(told.weights, Math.sqrt(map[query * n + at])));
    const isSeen = !told.isCausal || at <= query;
    token.setAttribute("aria-pressed", String(at === query));
    token.style.background = isSeen ? `rgb(${shades[0]})` : "none";
    token.style.borderBottomColor = isSeen ? `rgb(${shades[1]})` : "transparent";
    token.style.color = isSeen ? (isLight(shades[0]) ? "#000" : "#fff") : "inherit";
  });
  document.getElementById("pair").textContent = key < 0 ? strongest() : pair(key);
}

function isLight([red, green, blue]) { return 0.299 * red + 0.587 * green + 0.114 * blue > 128; }

function pair(at) {
  const cell = query * n + at;
  return `“${visible(told.tokens[query])}” → “${visible(told.tokens[at])}”: head ${head[cell].toFixed(3)}, ` +
    `program ${program[cell].toFixed(3)}`;
}

function strongest() {
  const seen = [...Array(n).keys()].filter((at) => !told.isCausal || at <= query);
  const weight = (at) => Math.max(head[query * n + at], program[query * n + at]);
  const best = seen.sort((one, other) => weight(other) - weight(one)).slice(0, 4).map((at) => {
    const cell = query * n + at;
    return `“${visible(told.tokens[at])}” ${head[cell].toFixed(2)} / ${program[cell].toFixed(2)}`;
  });
  return `“${visible(told.tokens[query])}” looks at (head / program): ${best.join(" · ")}`;
}

shown.forEach(drawMap);
told.tokens.forEach((text, at) => {
  const token = element("button", document.getElementById("tokens"), { textContent: visible(text) });
  token.addEventListener("pointerenter", () => !isPinned && select(at, -1));
  token.addEventListener("focus", () => select(at, -1));
  token.addEventListener("click", () => { isPinned = !isPinned; select(at, -1); });
  tokens.push(token);
});
if (n) select(n - 1, -1);
