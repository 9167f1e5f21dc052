// The heads of a model as a grid, layers from left to right. A press or a drag picks or drops a cell or a
// block, a layer's or head's number its whole column or row; arrow keys and Space do the same. What is picked
// goes to Python once the pointer is let go. With `version` null the grid is only looked at.

function ramp(stops) {
  const table = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return (x) => {
    const place = Math.min(Math.max(x, 0), 1) * (table.length - 1);
    const low = Math.min(Math.floor(place), table.length - 2);
    const mixed = [0, 1, 2].map((c) => Math.round(table[low][c] + (place - low) * (table[low + 1][c] - table[low][c])));
    return `rgb(${mixed.join(",")})`;
  };
}

export default function ({ data, parentElement, setStateValue }) {
  const { layers, heads } = data;
  const drawn = JSON.stringify(data);
  if (parentElement.drawn === drawn && parentElement.querySelector(".picker")) return; // polled, nothing new
  parentElement.drawn = drawn;
  const picks = data.version !== null;
  const held = parentElement.picked; // survives reruns, as long as Python starts from the same heads
  const chosen = picks && held?.version === data.version ? held.chosen : new Set(data.chosen);
  parentElement.picked = { version: data.version, chosen };
  const focused = parentElement.focused ?? 0;
  const had = parentElement.querySelector(".grid")?.contains(parentElement.getRootNode().activeElement);

  parentElement.querySelector(".picker")?.remove();
  const picker = element("div", picks ? "picker picks" : "picker", parentElement);
  const grid = element("div", "grid", picker);
  grid.style.gridTemplateColumns = `auto repeat(${layers}, minmax(6px, 30px))`;
  grid.style.setProperty("--cell", `${Math.max(8, Math.min(picks ? 24 : 15, Math.floor((picks ? 300 : 190) / heads)))}px`);
  const colour = ramp(data.colours);
  const cells = [];

  for (let head = 0; head < heads; head++) {
    const label = element("button", "label row", grid, String(head));
    label.title = `head ${head} of every layer`;
    label.onclick = () => turn(Array.from({ length: layers }, (_, layer) => layer * heads + head));
    for (let layer = 0; layer < layers; layer++) {
      const at = layer * heads + head;
      const cell = element("button", "cell", grid);
      cell.dataset.at = at;
      cell.tabIndex = at === focused ? 0 : -1;
      cell.setAttribute("aria-label", `L${layer}H${head} ${data.texts[at]}`.trim());
      if (data.ious[at] === null) cell.classList.add("empty");
      else cell.style.backgroundColor = colour(data.ious[at]);
      cells[at] = cell;
    }
  }
  element("span", "label corner", grid, picks ? "layer" : "");
  const step = Math.ceil(layers / 36);
  for (let layer = 0; layer < layers; layer++) {
    const label = element("button", "label column", grid, layer % step ? "" : String(layer));
    label.title = `layer ${layer}`;
    label.onclick = () => turn(Array.from({ length: heads }, (_, head) => layer * heads + head));
  }
  if (!picks) for (const label of grid.querySelectorAll("button")) label.disabled = !label.classList.contains("cell");
  const readout = element("div", "readout", picker);
  const hint = picks ? "press or drag to pick and drop heads · a layer's number picks its column" : "";
  tell(null);
  paint();
  if (had) cells[focused]?.focus();

  function paint(block = [], adds = true) {
    const preview = new Set(block);
    cells.forEach((cell, at) => {
      const is = preview.has(at) ? adds : chosen.has(at);
      cell.classList.toggle("chosen", is);
      if (picks) cell.setAttribute("aria-pressed", is);
    });
  }

  function tell(at) {
    readout.textContent = at === null ? hint : `L${Math.floor(at / heads)}H${at % heads}  ${data.texts[at]}`;
  }

  function put(block, adds) {
    for (const at of block) adds ? chosen.add(at) : chosen.delete(at);
    paint();
    setStateValue("picked", { version: data.version, heads: [...chosen] });
  }

  function turn(block) {
    if (picks) put(block, !block.every((at) => chosen.has(at)));
  }

  function between(a, b) {
    const [la, ha, lb, hb] = [Math.floor(a / heads), a % heads, Math.floor(b / heads), b % heads];
    const block = [];
    for (let layer = Math.min(la, lb); layer <= Math.max(la, lb); layer++)
      for (let head = Math.min(ha, hb); head <= Math.max(ha, hb); head++) block.push(layer * heads + head);
    return block;
  }

  function cellOf(event) {
    const under = parentElement.getRootNode().elementFromPoint(event.clientX, event.clientY);
    return under?.dataset?.at === undefined ? null : Number(under.dataset.at);
  }

  let from = null, to = null, adds = true;
  grid.onpointermove = (event) => {
    const at = cellOf(event);
    tell(at);
    if (from !== null && at !== null && at !== to) {
      to = at;
      paint(between(from, to), adds);
    }
  };
  grid.onpointerleave = () => tell(null);
  if (!picks) return;
  grid.onpointerdown = (event) => {
    const at = cellOf(event);
    if (at === null) return;
    from = to = at;
    adds = !chosen.has(at);
    grid.setPointerCapture(event.pointerId);
    paint([at], adds);
    focus(at);
  };
  grid.onpointerup = () => {
    if (from === null) return;
    const block = between(from, to);
    from = null;
    put(block, adds);
  };
  grid.onpointercancel = () => {
    from = null;
    paint();
  };
  grid.onkeydown = (event) => {
    const steps = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -heads, ArrowRight: heads };
    const at = Number(event.target.dataset.at);
    if (Number.isNaN(at)) return;
    if (event.key === " " || event.key === "Enter") turn([at]);
    else if (!(event.key in steps) || cells[at + steps[event.key]] === undefined) return;
    else focus(at + steps[event.key]);
    event.preventDefault();
  };

  function focus(at) {
    cells[parentElement.focused ?? 0].tabIndex = -1;
    parentElement.focused = at;
    cells[at].tabIndex = 0;
    cells[at].focus({ preventScroll: true });
    tell(at);
  }
}
