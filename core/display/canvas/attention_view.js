// A head, a program and their difference on one sentence. Hovering a cell or a token, or walking with the
// arrow keys, selects a query (and key) in all three maps and in the text. A click pins: a cell, to be
// explained, or tokens, whose attention is summed. Tokens are only ever set as text. Where the numbers are signed,
// they are shares of what the head writes, and not weights.

const PANELS = [
  { key: "head", title: null, signed: false }, // named after the head
  { key: "program", title: "program", signed: false },
  { key: "difference", title: "head − program", signed: true, sides: ["program ", " head"] },
];
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const open = new WeakMap(); // element -> its view, so that a rerun of the page keeps what is hovered

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const arrived = performance.now();
  const { header, maps } = unpack(data);
  let view = open.get(parentElement);
  if (!view || view.id !== header.id) {
    view?.close();
    view = new View(header, maps, parentElement, (pins) => setStateValue("pins", pins), () => setTriggerValue("turned", true));
    open.set(parentElement, view);
    view.root.dataset.drawnMs = (performance.now() - arrived).toFixed(1);
    view.root.dataset.bytes = data.byteLength;
  } else if (view.stamp !== header.stamp) view.adopt(header);
  if (view.turned) view.turned.checked = header.isTurned; // it stays off where contributions cannot be told
  return () => {
    open.get(parentElement)?.close();
    open.delete(parentElement);
  };
}

class View {
  constructor(header, maps, parent, tell, turn) {
    const { id, n, tokens, digits = 3, rests, most } = header;
    Object.assign(this, { id, n, tokens, digits, tell, rests: new Set(rests), isSigned: most !== undefined });
    const [head, program] = maps;
    this.maps = { head, program };
    this.at = [null, null]; // hovered or walked to: query, key
    this.root = element("div", "view", parent);
    this.buildText();
    this.buildMaps(header);
    this.readout = element("div", "readout", this.root);
    this.readout.setAttribute("aria-live", "polite");
    this.buildBar(header.isTurned, turn);
    this.repaint();
    this.adopt(header);
    this.resized = new ResizeObserver(() => {
      this.draw();
      this.reachText();
    });
    this.resized.observe(this.row);
  }

  close() {
    this.resized.disconnect();
    this.endSwitches.forEach((end) => end());
    this.root.remove();
  }

  adopt({ pins, stamp }) {
    this.stamp = stamp;
    this.pins = pins;
    this.draw();
    this.reveal(pins.queries.at(-1));
  }

  buildText() {
    this.text = element("div", "tokens", this.root);
    this.text.setAttribute("role", "group");
    this.text.setAttribute("aria-label", "text of the passage");
    this.spans = this.tokens.map((token, i) => {
      const space = /^\s*(?=\S)/.exec(token)?.[0] ?? ""; // stays outside, so that no frame breaks over two lines
      this.text.append(space);
      const seen = token.slice(space.length);
      const span = element("span", "", this.text, seen.trim() ? seen : (seen.includes("\n") ? "⏎" : "") + (seen || "·"));
      span.onmouseenter = () => this.select(i, null);
      span.onmouseleave = () => this.select(null, null);
      span.onclick = () => this.pinToken(i);
      return span;
    });
  }

  buildMaps(header) {
    this.row = element("div", "maps", this.root);
    const shown = PANELS.filter(({ key }) => header.panels?.includes(key) ?? true);
    this.panels = shown.map(({ key, title, signed, sides }, i) => {
      const named = { title: title ?? `head ${header.title}`, signed: signed || this.isSigned, sides };
      const panel = new Panel(this.row, named, header);
      panel.key = key;
      panel.canvas.tabIndex = i ? -1 : 0; // one stop for the tab key; the arrow keys move in all three
      panel.canvas.onmousemove = (event) => this.select(...panel.cell(event));
      panel.canvas.onmouseleave = () => this.select(null, null);
      panel.canvas.onclick = (event) => this.pinCell(...panel.cell(event), event.shiftKey);
      panel.canvas.onkeydown = (event) => this.key(event);
      return panel;
    });
  }

  // isTurned: whether the switch from weights to contributions is on; undefined or null where there is none.
  buildBar(isTurned, turn) {
    const bar = element("div", "bar", this.root);
    if (typeof isTurned === "boolean") {
      const label = element("label", "", bar);
      label.title = "A weight times what its key writes: the signed share of the head's output for the query; the program's are shares of the same output";
      this.turned = Object.assign(element("input", "", label), { type: "checkbox", checked: isTurned, onchange: turn });
      label.onclick = (event) => event.detail && setTimeout(() => this.turned.blur()); // the page's keys work on after a pointer
      element("span", "", label, "contributions, signed");
    }
    this.endSwitches = [scaleSwitches(bar, this.isSigned ? ["root", "own"] : undefined), onScale(() => {
      this.repaint();
      this.draw();
    })];
    this.clear = element("button", "", bar, "let go of pins");
    this.clear.onclick = () => this.pin([], null);
    element("span", "hint", bar, this.isSigned ? "in the text: orange shade = the head adds, purple = takes away, underline = program" : "in the text: shade = head, underline = program");
  }

  key(event) {
    const step = STEPS[event.key];
    if (!step && !["Enter", " ", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") return this.pin([], null);
    const [q, k] = this.at[0] !== null ? this.at : (this.pins.cell ?? [this.n - 1, null]);
    if (!step) return this.pinCell(q, k ?? this.top([q])[0], event.shiftKey);
    const query = Math.min(this.n - 1, Math.max(0, q + step[0]));
    this.select(query, Math.min(this.panels[0].last(query), Math.max(0, (k ?? query) + step[1])));
    this.reveal(query);
  }

  // Text that does not fit is a stop for the tab key: the arrow keys scroll it.
  reachText() {
    if (this.text.scrollHeight > this.text.clientHeight) this.text.tabIndex = 0;
    else this.text.removeAttribute("tabindex");
  }

  // Scrolls the text, and only the text, until a token is seen.
  reveal(token) {
    if (token === undefined) return;
    const { offsetTop, offsetHeight } = this.spans[token];
    const { scrollTop, clientHeight } = this.text;
    if (offsetTop < scrollTop) this.text.scrollTop = offsetTop;
    if (offsetTop + offsetHeight > scrollTop + clientHeight) this.text.scrollTop = offsetTop + offsetHeight - clientHeight;
  }

  select(q, k) {
    this.at = [q, k];
    this.draw();
  }

  pinCell(q, k, added) {
    if (q === null) return;
    const [oldQuery, oldKey] = this.pins.cell ?? [];
    if (q === oldQuery && k === oldKey) return this.pin([], null);
    this.pin(added ? [...new Set([...this.pins.queries, q])] : [q], [q, k]);
  }

  pinToken(i) {
    const others = this.pins.queries.filter((q) => q !== i);
    const added = others.length === this.pins.queries.length;
    const queries = added ? [...others, i] : others;
    const shown = queries.at(-1);
    this.pin(queries, shown === undefined ? null : [shown, this.top([shown])[0]]);
  }

  pin(queries, cell) {
    this.pins = { queries, cell };
    this.draw();
    this.reveal(queries.at(-1));
    this.tell(this.pins);
  }

  repaint() {
    const scale = scaleNow();
    const moving = (map) => (scale.moving && !this.isSigned ? elsewhere(map, this.n, this.rests) : map);
    const [head, program] = [moving(this.maps.head), moving(this.maps.program)];
    const drawn = { head, program, difference: head.map((weight, i) => weight - program[i]) };
    for (const panel of this.panels) panel.paint(drawn[panel.key], scale);
  }

  draw() {
    const [q, k] = this.at;
    const isPinned = k === null && this.pins.queries.includes(q); // its token is hovered
    const queries = q === null || isPinned ? this.pins.queries : [q];
    const cell = q === null || isPinned ? this.pins.cell : this.at;
    for (const panel of this.panels) panel.draw(queries, cell);
    this.clear.hidden = !this.pins.queries.length;
    this.head = this.sum("head", queries);
    this.program = this.sum("program", queries);
    const most = Math.max(1e-6, ...[...this.head, ...this.program].map(Math.abs));
    this.spans.forEach((span, i) => {
      span.className = (queries.includes(i) ? "query " : "") + (this.pins.queries.includes(i) ? "pinned" : "");
      const [head, program] = [this.head[i] / most, this.program[i] / most];
      const hue = head > 0 ? "224, 130, 20" : "128, 115, 172";
      span.style.backgroundColor = Math.abs(head) > 0.02 ? `rgba(${hue}, ${0.55 * Math.abs(head)})` : "";
      span.style.boxShadow = Math.abs(program) > 0.02 ? `inset 0 -3px rgba(128, 115, 172, ${Math.abs(program)})` : "";
    });
    this.describe(queries, cell);
  }

  sum(map, queries) {
    const total = new Float32Array(this.n);
    for (const q of queries) for (let k = 0; k < this.n; k++) total[k] += this.maps[map][q * this.n + k];
    return total;
  }

  top(queries) {
    const head = this.sum("head", queries);
    return [...head.keys()].sort((a, b) => Math.abs(head[b]) - Math.abs(head[a])).slice(0, 5);
  }

  describe(queries, cell) {
    this.readout.replaceChildren();
    if (!queries.length) {
      element("span", "hint", this.readout, "Rows are queries, columns are keys. Hover to look; click a cell to see why, tokens to sum them. Arrow keys walk, Enter pins, Escape lets go.");
      return;
    }
    const one = queries.length === 1;
    element("b", "", this.readout, queries.map((q) => named(this.tokens[q])).join(" + "));
    element("span", "", this.readout, one ? " → " : " summed → ");
    (this.at[1] !== null ? [cell[1]] : this.top(queries)).forEach((k, i) => {
      element("span", "", this.readout, i ? " · " : "");
      element("b", "", this.readout, named(this.tokens[k]));
      element("span", "", this.readout, ` head ${this.head[k].toFixed(this.digits)} program ${this.program[k].toFixed(this.digits)}`);
    });
  }
}
