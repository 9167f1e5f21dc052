// One map of the attention view: its heading, canvas and scale, and which cells stand out.

const MARK = "#e08214"; // seen on the darkest and on the lightest cells

class Panel {
  constructor(row, { title, signed, sides = ["", ""] }, header) {
    Object.assign(this, { signed, sides, n: header.n, causal: header.causal, tokens: header.tokens });
    const stops = signed ? (isDark(row) ? header.divergingDark : header.diverging) : header.sequential;
    this.table = colours(stops);
    this.image = document.createElement("canvas");
    const holder = element("div", "map", row);
    element("h2", "", holder, title);
    this.canvas = element("canvas", "", holder);
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", `${title}: rows are queries, columns are keys. Arrow keys walk, Enter pins, Escape lets go; the table of weights says the same`);
    const legend = element("div", "legend", holder);
    this.begin = element("span", "", legend);
    const strip = element("i", "", legend);
    strip.style.background = `linear-gradient(to right, ${stops.join(",")})`;
    this.end = element("span", "end", legend);
  }

  // The query and key under the pointer, nulls outside and in the future.
  cell(event) {
    const box = this.canvas.getBoundingClientRect();
    const q = Math.floor(((event.clientY - box.top) / box.height) * this.n);
    const k = Math.floor(((event.clientX - box.left) / box.width) * this.n);
    return q >= 0 && q < this.n && k >= 0 && k <= this.last(q) ? [q, k] : [null, null];
  }

  last(query) {
    return this.causal ? query : this.n - 1;
  }

  paint(map, scale) {
    const { most, isBeyond, place } = scaled(map, scale);
    const shade = this.signed
      ? (x) => this.table[Math.round(127.5 + 127.5 * place(x))]
      : (x) => this.table[Math.round(255 * place(x))];
    paint(this.image, [map], this.n, this.causal, shade);
    const end = inDigits(most);
    const [low, high] = isBeyond ? ["≤ ", "≥ "] : ["", ""];
    this.begin.textContent = this.signed ? `${this.sides[0]}${low}−${end}` : "0";
    this.end.textContent = (this.signed ? `${high}+${end}${this.sides[1]}` : end) + (scale.root ? " (√)" : "");
  }

  draw(queries, cell) {
    const size = Math.max(1, Math.round(this.canvas.clientWidth * (window.devicePixelRatio || 1)));
    if (this.canvas.width !== size) this.canvas.width = this.canvas.height = size;
    const pen = this.canvas.getContext("2d");
    const side = size / this.n;
    pen.imageSmoothingEnabled = side < 1; // a long sentence is averaged, not thinned out
    pen.clearRect(0, 0, size, size);
    pen.drawImage(this.image, 0, 0, size, size);
    if (queries.length) this.veil(pen, size);
    pen.strokeStyle = MARK;
    pen.lineWidth = Math.max(1.5, size / 250);
    for (const q of queries) {
      const keys = this.last(q) + 1;
      pen.clearRect(0, q * side, keys * side, side);
      pen.drawImage(this.image, 0, q, keys, 1, 0, q * side, keys * side, side);
      pen.strokeRect(0, q * side, keys * side, side);
    }
    if (cell && cell[1] !== null) pen.strokeRect(cell[1] * side, cell[0] * side, side, side);
    if (this.causal && namesFit(this.canvas, this.n)) nameTokens(pen, this.canvas, this.tokens, side);
  }

  // What is not selected steps back; the future, which is transparent, stays so.
  veil(pen, size) {
    pen.globalCompositeOperation = "source-atop";
    pen.fillStyle = getComputedStyle(this.canvas).getPropertyValue("--st-background-color") || "#fff";
    pen.globalAlpha = 0.4;
    pen.fillRect(0, 0, size, size);
    pen.globalCompositeOperation = "source-over";
    pen.globalAlpha = 1;
  }
}
