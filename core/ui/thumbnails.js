// Small pairs of maps, head beside program, one pair a sentence. Data as in attention_view.js.

function decode(base64, n, causal) {
  const raw = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const packed = new Uint16Array(raw.buffer);
  const full = new Float32Array(n * n).fill(-1);
  let at = 0;
  for (let q = 0; q < n; q++)
    for (let k = 0; k < (causal ? q + 1 : n); k++) full[q * n + k] = packed[at++] / 65535;
  return full;
}

function paint(canvas, weights, n, stops) {
  const table = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  canvas.width = canvas.height = n;
  const image = new ImageData(n, n);
  weights.forEach((weight, i) => {
    if (weight < 0) return; // the masked future
    const colour = table[Math.round(Math.min(weight, 1) * (table.length - 1))];
    image.data.set([...colour, 255], i * 4);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export default function ({ data, parentElement }) {
  parentElement.querySelector(".pairs")?.remove();
  const pairs = document.createElement("div");
  pairs.className = "pairs";
  for (const item of data.items) {
    const figure = document.createElement("figure");
    figure.title = item.text;
    const caption = document.createElement("figcaption");
    caption.textContent = item.caption;
    const maps = document.createElement("div");
    for (const key of ["head", "program"]) {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${key} on: ${item.text}`);
      paint(canvas, decode(item[key], item.n, data.causal), item.n, data.sequential);
      maps.appendChild(canvas);
    }
    figure.append(caption, maps);
    pairs.appendChild(figure);
  }
  parentElement.appendChild(pairs);
}
