// Groups of small maps and a distribution. Cells arrive as base64 bytes; texts only ever become text nodes.

const rgb = (stops) => stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));

function paintSmall(canvas, map, causal, table) {
  const n = map.n;
  const bytes = Uint8Array.from(atob(map.cells), (c) => c.charCodeAt(0));
  canvas.width = canvas.height = n;
  const image = new ImageData(n, n);
  let at = 0;
  for (let q = 0; q < n; q++)
    for (let k = 0; k < (causal ? q + 1 : n); k++) {
      const share = Math.min(1, bytes[at++] / (map.signed ? 254 : 255));
      image.data.set([...table[Math.round(share * (table.length - 1))], 255], (q * n + k) * 4);
    }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function group(found, data, diverging) {
  const figure = node("figure");
  figure.title = found.text;
  const maps = node("div", "maps");
  for (const map of found.maps) {
    const canvas = node("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${map.label}: ${found.text}`);
    paintSmall(canvas, map, data.causal, rgb(map.signed ? diverging : data.sequential));
    maps.appendChild(canvas);
  }
  figure.append(node("figcaption", "", found.caption), maps);
  return figure;
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

export default function ({ data, parentElement }) {
  const drawn = JSON.stringify(data);
  if (parentElement.drawn === drawn) return;
  parentElement.drawn = drawn;
  parentElement.querySelector(".all")?.remove();
  const all = node("div", "all");
  const diverging = isDark(parentElement.host ?? parentElement) ? data.divergingDark : data.diverging;
  const grid = node("div", data.wide ? "groups wide" : "groups");
  for (const found of data.groups) grid.appendChild(group(found, data, diverging));
  all.appendChild(grid);
  if (data.bars) all.appendChild(bars(data.bars));
  parentElement.appendChild(all);
}
