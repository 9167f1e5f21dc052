// Groups of small maps and a distribution. Cells arrive as base64 bytes; texts only ever become text nodes.

function unpackSmall({ n, cells, signed }, causal) {
  const bytes = Uint8Array.from(atob(cells), (c) => c.charCodeAt(0));
  const full = new Float32Array(n * n);
  let at = 0;
  for (let q = 0; q < n; q++)
    for (let k = 0; k < (causal ? q + 1 : n); k++) {
      const root = signed ? (bytes[at++] - 127) / 127 : bytes[at++] / 255;
      full[q * n + k] = Math.sign(root) * root ** 2;
    }
  return full;
}

function unpackFired({ sets, cells }, n, causal) {
  const bytes = Uint8Array.from(atob(cells), (c) => c.charCodeAt(0));
  const row = (q) => (causal ? (q * (q + 1)) / 2 : q * n);
  return (q, k) => sets[bytes[row(q) + k]];
}

function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

class Group {
  constructor(found, at, data, diverging, readout, open) {
    Object.assign(this, { found, causal: data.causal, isBlind: data.blind, texts: data.lines, readout });
    this.fired = found.fired ? unpackFired(found.fired, found.maps[0].n, data.causal) : () => [];
    this.figure = node("figure");
    if (!found.tokens.length) this.figure.title = found.text;
    const maps = node("div", "maps");
    this.maps = found.maps.map((map) => {
      const canvas = node("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${map.label}: ${found.text}`);
      maps.appendChild(canvas);
      const under = (event) => this.cell(event, canvas, map.n);
      canvas.onmousemove = (event) => this.tell(...under(event));
      canvas.onmouseleave = () => this.tell(null);
      if (data.opens) {
        canvas.classList.add("opens");
        canvas.onclick = (event) => {
          const [q, k] = under(event);
          if (q !== null) open([at, q, k]);
        };
      }
      return { ...map, canvas, image: node("canvas"), weights: unpackSmall(map, data.causal), table: colours(map.signed ? diverging : data.sequential) };
    });
    this.figure.append(node("figcaption", "", found.caption), maps);
  }

  cell(event, canvas, n) {
    const box = canvas.getBoundingClientRect();
    const [q, k] = [event.clientY - box.top, event.clientX - box.left].map((x, i) => Math.floor((x / (i ? box.width : box.height)) * n));
    return q >= 0 && q < n && k >= 0 && k <= (this.causal ? q : n - 1) ? [q, k] : [null, null];
  }

  tell(q, k) {
    this.readout.replaceChildren();
    const lines = q === null ? [] : this.fired(q, k);
    window.dispatchEvent(new CustomEvent(FIRED, { detail: lines }));
    if (q === null || !this.found.tokens.length) return;
    const n = this.maps[0].n;
    const pair = element("div", "", this.readout);
    element("b", "", pair, named(this.found.tokens[q]));
    element("span", "", pair, " → ");
    element("b", "", pair, named(this.found.tokens[k]));
    for (const map of this.isBlind ? [] : this.maps) element("span", "", pair, ` · ${map.label} ${map.weights[q * n + k].toFixed(3)}`);
    if (lines.length) element("div", "fired", this.readout, lines.map((line) => this.texts[line]).join(" · "));
  }

  paint(scale) {
    const rests = new Set(this.found.rests);
    for (const map of this.maps) {
      const weights = scale.moving && !map.signed ? elsewhere(map.weights, map.n, rests) : map.weights;
      const { place } = scaled(weights, scale);
      const shade = map.signed ? (x) => map.table[Math.round(127.5 + 127.5 * place(x))] : (x) => map.table[Math.round(255 * place(x))];
      paint(map.image, [weights], map.n, this.causal, shade);
    }
    this.draw();
  }

  // A pixel a cell, which the browser enlarges; with its tokens named, where they fit, as large as it is shown.
  draw() {
    for (const { canvas, image, n } of this.maps) {
      const isNamed = this.causal && this.found.tokens.length === n && namesFit(canvas, n);
      const size = isNamed ? Math.round(canvas.clientWidth * (window.devicePixelRatio || 1)) : n;
      canvas.width = canvas.height = size;
      canvas.dataset.named = isNamed;
      const pen = canvas.getContext("2d");
      pen.imageSmoothingEnabled = false;
      pen.drawImage(image, 0, 0, size, size);
      if (isNamed) nameTokens(pen, canvas, this.found.tokens, size / n);
    }
  }
}

// A query with its keys as text, each shaded by what the head gives it above, and by what the program does below.
function queryLine({ shades, place }, open, isBlind, tell) {
  const line = node(open ? "button" : "div", "query");
  if (open) line.onclick = () => open(place);
  line.onmouseenter = () => tell(place);
  line.onmouseleave = () => tell(null);
  shades.forEach(({ text, head, program }, i) => {
    const token = node("span", !text ? "gap" : i + 1 < shades.length ? "key" : "key asks", text ? named(text) : "…");
    if (text && !isBlind) token.title = `head ${head.toFixed(3)}, program ${program.toFixed(3)}`;
    token.style.setProperty("--head", `${Math.round(100 * Math.sqrt(head))}%`);
    token.style.setProperty("--program", `${Math.round(100 * Math.sqrt(program))}%`);
    if (i + 1 === shades.length) line.append(node("i", "", "←"));
    line.append(token);
  });
  return line;
}

function bars(found) {
  const box = node("div", "bars");
  const plot = node("div", "plot");
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", found.caption);
  const most = Math.max(1, ...found.counts);
  found.counts.forEach((count, i) => {
    const bar = node("span");
    bar.style.height = `${(100 * count) / most}%`;
    const width = 1 / found.counts.length;
    bar.title = `${count} between ${(i * width).toFixed(2)} and ${((i + 1) * width).toFixed(2)}`;
    plot.appendChild(bar);
  });
  const axis = node("div", "axis");
  axis.append(node("span", "", "0"), node("span", "", "0.5"), node("span", "", "1"));
  box.append(node("div", "caption", found.caption), plot, axis);
  return box;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const drawn = JSON.stringify(data);
  if (parentElement.drawn === drawn) return;
  parentElement.drawn = drawn;
  parentElement.endScale?.();
  parentElement.querySelector(".all")?.remove();
  const all = node("div", "all");
  const diverging = isDark(parentElement.host ?? parentElement) ? data.divergingDark : data.diverging;
  const open = data.opens ? (place) => setTriggerValue("open", place) : null;
  if (data.queries.length) {
    const queries = node("div", "queries");
    const tell = (place) => groups[place?.[0] ?? 0].tell(...(place?.slice(1) ?? [null]));
    queries.append(...data.queries.map((one) => queryLine(one, open, data.blind, tell)));
    queries.prepend(node("div", "about", "strongest weights off the resting places: head above, program below"));
    all.appendChild(queries);
  }
  const readout = node("div", data.groups.some((one) => one.fired) ? "readout tells" : "readout");
  const grid = node("div", data.wide ? "groups wide" : "groups");
  const groups = data.groups.map((found, at) => new Group(found, at, data, diverging, readout, open));
  grid.append(...groups.map((one) => one.figure));
  const switches = node("div", "switches");
  all.append(grid, readout, switches);
  if (data.bars) all.appendChild(bars(data.bars));
  parentElement.appendChild(all);
  const repaint = () => groups.forEach((one) => one.paint(scaleNow()));
  repaint();
  const resized = new ResizeObserver(() => groups.forEach((one) => one.draw()));
  resized.observe(grid);
  const ends = [scaleSwitches(switches), onScale(repaint), () => resized.disconnect()];
  parentElement.endScale = () => ends.forEach((end) => end());
  return () => {
    if (!all.isConnected) parentElement.endScale();
  };
}
