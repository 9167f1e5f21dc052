// What every component that draws attention shares: reading the bytes of packing.py, colours, elements.

function unpack(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const body = bytes.slice(4 + length); // a copy, so that 16-bit cells are aligned
  const cells = header.depth === 2 ? new Uint16Array(body.buffer) : body;
  const largest = header.depth === 2 ? 65535 : 255;
  const { n, causal } = header;
  let at = 0;
  const maps = Array.from({ length: header.count }, () => {
    const full = new Float32Array(n * n);
    for (let q = 0; q < n; q++)
      for (let k = 0, last = causal ? q : n - 1; k <= last; k++) full[q * n + k] = (cells[at++] / largest) ** 2;
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

function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
}

function named(token) {
  return token.trim().replaceAll("\n", "⏎") || (token.includes("\n") ? "⏎" : "␣");
}
