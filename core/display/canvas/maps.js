// What every component that draws attention shares: reading the bytes of packing.py, and colours.

function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const body = bytes.slice(4 + length); // a copy, so that 16-bit cells are aligned
  const { n, causal, depth, most } = header; // most: where numbers are signed, the largest
  const cells = new (most ? { 1: Int8Array, 2: Int16Array } : { 1: Uint8Array, 2: Uint16Array })[depth](body.buffer);
  const largest = most ? 2 ** (8 * depth - 1) - 1 : 2 ** (8 * depth) - 1;
  const value = most ? (part) => Math.sign(part) * part ** 2 * most : (part) => part ** 2;
  let at = 0;
  const maps = Array.from({ length: header.count }, () => {
    const full = new Float32Array(n * n);
    for (let q = 0; q < n; q++)
      for (let k = 0, last = causal ? q : n - 1; k <= last; k++) full[q * n + k] = value(cells[at++] / largest);
    return full;
  });
  return { header, maps };
}

// 256 colours between the stops, each as the four bytes of a pixel.
function colours(stops) {
  const rgb = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (rgb.length - 1);
    const low = Math.min(Math.floor(place), rgb.length - 2);
    const [r, g, b] = [0, 1, 2].map((c) => Math.round(rgb[low][c] + (place - low) * (rgb[low + 1][c] - rgb[low][c])));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

// Whether the page around an element is dark.
function isDark(element) {
  const written = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(written.slice(i, i + 2), 16));
  return r + g + b < 384;
}

// Maps n x n one below the other; the masked future stays transparent.
function paint(canvas, maps, n, causal, shade) {
  canvas.width = n;
  canvas.height = n * maps.length;
  const image = new ImageData(n, n * maps.length);
  const pixels = new Uint32Array(image.data.buffer);
  maps.forEach((map, m) => {
    for (let q = 0; q < n; q++)
      for (let k = 0, last = causal ? q : n - 1; k <= last; k++)
        pixels[(m * n + q) * n + k] = shade(map[q * n + k]);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function named(token) {
  return token.trim().replaceAll("\n", "⏎") || (token.includes("\n") ? "⏎" : "␣");
}

const NAMED_FROM = 8; // CSS pixels of a cell, from which tokens are named
const LETTERS = 11; // CSS pixels

function namesFit(canvas, n) {
  return canvas.clientWidth / n >= NAMED_FROM;
}

// Each token beside its cell on the diagonal, slanted into the empty future: it names the row and the column.
// Near the edges it leans less, or stands above its column, so that it stays on the map.
function nameTokens(pen, canvas, tokens, side) {
  const style = getComputedStyle(canvas);
  pen.font = `${Math.min(LETTERS * (window.devicePixelRatio || 1), side)}px ${style.getPropertyValue("--st-code-font") || "monospace"}`;
  pen.fillStyle = style.getPropertyValue("--st-text-color") || "#000";
  pen.textBaseline = "middle";
  tokens.forEach((token, i) => {
    const long = Math.max(1, pen.measureText(named(token)).width);
    const isLast = i + 1.3 > tokens.length; // beside its cell is no room
    const [x, y] = isLast ? [(i + 0.5) * side, (i - 0.1) * side] : [(i + 1.1) * side, (i + 0.4) * side];
    const room = tokens.length * side - x;
    const lean = Math.min(Math.PI / 4, Math.asin(Math.min(1, y / long)));
    pen.save();
    pen.translate(x, y);
    pen.rotate(-Math.max(lean, room < long * Math.cos(lean) ? Math.acos(Math.max(0, isLast ? 0 : room / long)) : 0));
    pen.fillText(named(token), 0, 0);
    pen.restore();
  });
}

// How maps are drawn: chosen once, for all pages, and kept in the browser.
const SCALE = {
  root: ["square-root scale", "Small weights are told apart; the colour is that of the weight's square root"],
  own: ["own maximum", "The brightest colour is each map's own largest weight, not 1"],
  moving: ["without resting places", "Without the first token and other keys that most heads of the layer look at; rows made to sum to 1"],
};
const KEPT = "headscript-maps";
const CHANGED = "headscript-maps-changed";
let kept = {}; // where the browser keeps nothing, such as in a frame

function scaleNow() {
  const usual = { root: true, own: false, moving: false };
  try {
    return { ...usual, ...JSON.parse(localStorage.getItem(KEPT)) };
  } catch {
    return { ...usual, ...kept };
  }
}

// Calls `draw` when a switch is turned, here or beside another map of the page; gives what ends that.
function onScale(draw) {
  window.addEventListener(CHANGED, draw);
  return () => window.removeEventListener(CHANGED, draw);
}

function scaleSwitches(parent, names = Object.keys(SCALE)) {
  const boxes = names.map((name) => {
    const [words, title] = SCALE[name];
    const label = element("label", "", parent);
    label.title = title;
    const box = element("input", "", label);
    box.type = "checkbox";
    element("span", "", label, words);
    label.onclick = (event) => event.detail && setTimeout(() => box.blur()); // the page's keys work on after a pointer
    box.onchange = () => {
      kept = { ...scaleNow(), [name]: box.checked };
      try {
        localStorage.setItem(KEPT, JSON.stringify(kept));
      } catch { }
      window.dispatchEvent(new Event(CHANGED));
    };
    return [name, box];
  });
  const follow = () => boxes.forEach(([name, box]) => (box.checked = scaleNow()[name]));
  follow();
  return onScale(follow);
}

// A map without the keys in `rests`, rows made to sum to 1; a row that had nothing elsewhere, and the first, are empty.
function elsewhere(map, n, rests) {
  const kept = new Float32Array(n * n);
  for (let q = 1; q < n; q++) {
    let total = 0;
    for (let k = 0; k < n; k++) if (!rests.has(k)) total += map[q * n + k];
    if (total > 1e-6) for (let k = 0; k < n; k++) if (!rests.has(k)) kept[q * n + k] = map[q * n + k] / total;
  }
  return kept;
}

// The number that has the last colour, whether some are beyond it, and how far along the colours one lies, -1 to 1.
function scaled(map, { root, own }) {
  let most = 0;
  for (const x of map) most = Math.max(most, Math.abs(x));
  const isBeyond = !own && most > 1.001;
  most = own && most > 0 ? most : 1;
  const size = root ? (x) => Math.sqrt(Math.min(1, Math.abs(x) / most)) : (x) => Math.min(1, Math.abs(x) / most);
  return { most, isBeyond, place: (x) => Math.sign(x) * size(x) };
}

function inDigits(most) {
  return most === 1 ? "1" : most.toPrecision(2);
}
