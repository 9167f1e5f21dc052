// A head, a program and their difference on one sentence. Hovering a cell or a token selects a query
// (and key) in all three maps and in the text; a click pins it; arrow keys walk. Data arrives as uint16
// fixed-point lower triangles (65535 = 1), base64. Tokens are only ever set as text.

const PANELS = [
  { key: "head", title: "head", signed: false },
  { key: "program", title: "program", signed: false },
  { key: "difference", title: "head − program", signed: true },
];

function decode(base64, n, causal) {
  const raw = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const packed = new Uint16Array(raw.buffer);
  const full = new Float32Array(n * n);
  let at = 0;
  for (let q = 0; q < n; q++)
    for (let k = 0; k < (causal ? q + 1 : n); k++) full[q * n + k] = packed[at++] / 65535;
  return full;
}

function ramp(stops) {
  const table = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return (x) => {
    const place = Math.min(Math.max(x, 0), 1) * (table.length - 1);
    const low = Math.min(Math.floor(place), table.length - 2);
    return [0, 1, 2].map((c) => table[low][c] + (place - low) * (table[low + 1][c] - table[low][c]));
  };
}

function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
}

export default function ({ data, parentElement }) {
  const n = data.tokens.length;
  const maps = { head: decode(data.head, n, data.causal), program: decode(data.program, n, data.causal) };
  maps.difference = maps.head.map((weight, i) => weight - maps.program[i]);
  const colours = { false: ramp(data.sequential), true: ramp(data.diverging) };
  const shown = data.tokens.map((token) => token.trim().replaceAll("\n", "⏎") || (token.includes("\n") ? "⏎" : "␣"));
  let query = null, key = null, pinned = null, root_scale = false;

  parentElement.querySelector(".view")?.remove();
  const view = element("div", "view", parentElement);
  const bar = element("div", "bar", view);
  const label = element("label", "", bar);
  const box = element("input", "", label);
  box.type = "checkbox";
  element("span", "", label, "square-root scale");
  element("span", "hint", bar, "hover a token or a cell · click pins · arrow keys walk");
  const text = element("div", "tokens", view);
  const spans = data.tokens.map((token, i) => {
    const span = element("span", "", text, token || "·");
    span.onmouseenter = () => select(i, null);
    span.onmouseleave = () => select(null, null);
    span.onclick = () => pin(i, null);
    return span;
  });
  const row = element("div", "maps", view);
  const panels = PANELS.map((panel) => {
    const holder = element("div", "map", row);
    element("h4", "", holder, panel.key === "head" ? data.title : panel.title);
    const canvas = element("canvas", "", holder);
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${panel.title}: rows are queries, columns are keys; the table below lists the largest weights`);
    const legend = element("div", "legend", holder);
    element("span", "", legend, panel.signed ? "program more −1" : "0");
    const strip = element("i", "", legend);
    strip.style.background = `linear-gradient(to right, ${(panel.signed ? data.diverging : data.sequential).join(",")})`;
    const end = element("span", "", legend);
    canvas.onmousemove = (event) => select(...cell(canvas, event));
    canvas.onmouseleave = () => select(null, null);
    canvas.onclick = (event) => pin(...cell(canvas, event));
    canvas.onkeydown = walk;
    return { ...panel, canvas, end, image: null };
  });
  const readout = element("div", "readout", view);

  function cell(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const q = Math.floor(((event.clientY - box.top) / box.height) * n);
    const k = Math.floor(((event.clientX - box.left) / box.width) * n);
    return q >= 0 && q < n && k >= 0 && k < n && (!data.causal || k <= q) ? [q, k] : [null, null];
  }

  function walk(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const q = Math.min(n - 1, Math.max(0, (query ?? pinned?.[0] ?? n - 1) + step[0]));
    const last = data.causal ? q : n - 1;
    select(q, Math.min(last, Math.max(0, (key ?? pinned?.[1] ?? q) + step[1])));
  }

  function select(q, k) {
    [query, key] = [q, k];
    draw();
  }

  function pin(q, k) {
    pinned = q === null || (pinned && pinned[0] === q && pinned[1] === k) ? null : [q, k];
    draw();
  }

  function paint(panel) {
    const image = new ImageData(n, n);
    for (let q = 0; q < n; q++)
      for (let k = 0; k < n; k++) {
        const i = q * n + k;
        if (data.causal && k > q) continue; // the masked future stays transparent
        const weight = maps[panel.key][i];
        const size = root_scale ? Math.sqrt(Math.abs(weight)) : Math.abs(weight);
        const [r, g, b] = colours[panel.signed](panel.signed ? (1 + Math.sign(weight) * size) / 2 : size);
        image.data.set([r, g, b, 255], i * 4);
      }
    const source = document.createElement("canvas");
    source.width = source.height = n;
    source.getContext("2d").putImageData(image, 0, 0);
    panel.image = source;
    const scale = root_scale ? " (√)" : "";
    panel.end.textContent = (panel.signed ? "+1 head more" : "1") + scale;
  }

  function draw() {
    const [q, k] = query !== null ? [query, key] : pinned ?? [null, null];
    for (const panel of panels) {
      const size = Math.max(1, Math.round(panel.canvas.clientWidth * (window.devicePixelRatio || 1)));
      if (panel.canvas.width !== size) panel.canvas.width = panel.canvas.height = size;
      const pen = panel.canvas.getContext("2d");
      pen.imageSmoothingEnabled = false;
      pen.clearRect(0, 0, size, size);
      pen.drawImage(panel.image, 0, 0, size, size);
      if (q === null) continue;
      const side = size / n;
      pen.strokeStyle = "#e08214"; // seen on the darkest and on the lightest cells
      pen.lineWidth = Math.max(1.5, size / 250);
      pen.strokeRect(0, q * side, (data.causal ? q + 1 : n) * side, side);
      if (k !== null) pen.strokeRect(k * side, q * side, side, side);
    }
    const widest = q === null ? 1 : Math.max(...maps.head.subarray(q * n, q * n + n), 1e-6);
    spans.forEach((span, i) => {
      span.className = (i === q ? "query " : "") + (pinned && i === pinned[0] ? "pinned" : "");
      const share = q === null || (data.causal && i > q) ? 0 : maps.head[q * n + i] / widest;
      span.style.background = share > 0.02 ? `rgba(224, 130, 20, ${0.75 * share})` : "";
    });
    describe(q, k);
  }

  function describe(q, k) {
    readout.replaceChildren();
    if (q === null) {
      element("span", "hint", readout, "Rows are queries, columns are keys. Hover to see what a token looks at.");
      return;
    }
    element("b", "", readout, shown[q]);
    const keys = k !== null ? [k] : top(q);
    element("span", "", readout, " → ");
    keys.forEach((j, i) => {
      if (i) element("span", "", readout, " · ");
      element("b", "", readout, shown[j]);
      const weights = ` head ${maps.head[q * n + j].toFixed(3)} program ${maps.program[q * n + j].toFixed(3)}`;
      element("span", "", readout, weights);
    });
  }

  function top(q) {
    const keys = [...Array(data.causal ? q + 1 : n).keys()];
    return keys.sort((a, b) => maps.head[q * n + b] - maps.head[q * n + a]).slice(0, 4);
  }

  box.onchange = () => {
    root_scale = box.checked;
    panels.forEach(paint);
    draw();
  };
  panels.forEach(paint);
  draw();
  const resized = new ResizeObserver(draw);
  resized.observe(row);
  return () => resized.disconnect();
}
