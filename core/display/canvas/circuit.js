// Heads as nodes, layers from left to right; an arrow goes from a head that is read to the head whose program
// reads it. Hover and focus light a head's arrows, a click or Space keeps them lit, a second click or Enter opens
// the head. Beside the graph stands the same as a list of links, the most read heads first.

const SVG = "http://www.w3.org/2000/svg";
const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const LEFT = 36, TOP = 14, BOTTOM = 26, LEAST_PITCH = 17, MOST_PITCH = 92;
const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight",
  "text-anchor", "dominant-baseline"];

function drawn(tag, attributes, parent) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.appendChild(made);
  return made;
}

const kind = (exponent) => (exponent === null ? "otherwise" : exponent < 0 ? "away" : "follows");
const spelled = (exponent) => (exponent === null ? "" : `${exponent < 0 ? "−" : ""}${Math.abs(exponent)}`);
const width = (exponent) => (exponent === null ? 1 : 0.8 + 5 * Math.min(1, Math.abs(exponent)));

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const version = JSON.stringify(data);
  if (parentElement.version === version && parentElement.querySelector(".circuit")) return; // nothing new
  parentElement.version = version;
  if (parentElement.stamp !== data.stamp) parentElement.pinned = data.selected; // the address names another head
  parentElement.stamp = data.stamp;
  if (parentElement.pinned >= data.layers * data.heads) parentElement.pinned = null; // left from a larger model
  parentElement.resized?.disconnect();
  parentElement.querySelector(".circuit")?.remove();

  const { layers, heads, nodes, edges, ranked } = data;
  const count = layers * heads;
  const name = (at) => `L${Math.floor(at / heads)}H${at % heads}`;
  const row = Object.fromEntries(nodes.place.map((at, i) => [at, i])); // heads that have a program
  const reads = Array.from({ length: count }, () => []), readers = Array.from({ length: count }, () => []);
  edges.reader.forEach((reader, i) => {
    reads[reader].push(i);
    readers[edges.read[i]].push(i);
  });
  const isAlone = (at) => edges.reader.length && !reads[at].length && !readers[at].length; // among heads that are not
  const about = (at) => (at in row ? nodes.text[row[at]] : "no program yet");
  const said = (at) => `${name(at)}: ${about(at)}. Reads ${reads[at].length}, read by ${readers[at].length}`;

  const root = element("div", "circuit", parentElement);
  const left = element("div", "left", root);
  const bar = element("div", "bar", left);
  const scroll = element("div", "scroll", left);
  const card = element("div", "card", left);
  card.setAttribute("aria-live", "polite");
  const list = element("nav", "list", root);
  list.setAttribute("aria-label", "Heads that are read, the most read first, and what reads them");
  let svg, arrows = [], dots = [], focused = Math.min(parentElement.focused ?? parentElement.pinned ?? ranked[0] ?? 0, count - 1);

  legend();
  drawList();
  draw();
  parentElement.resized = new ResizeObserver(() => {
    if (scroll.clientWidth !== scroll.drawnAt) draw();
  });
  parentElement.resized.observe(scroll);

  function pitches() {
    const across = (scroll.clientWidth - LEFT - 14) / layers;
    return [Math.max(LEAST_PITCH, Math.min(MOST_PITCH, across)), Math.max(19, Math.min(54, (window.innerHeight - 415) / heads))];
  }

  function draw() {
    const had = svg?.contains(parentElement.getRootNode().activeElement);
    scroll.drawnAt = scroll.clientWidth;
    scroll.textContent = "";
    const [dx, dy] = pitches();
    const largest = Math.min(dx, dy) * 0.42;
    const place = (at) => [LEFT + (Math.floor(at / heads) + 0.5) * dx, TOP + ((at % heads) + 0.5) * dy];
    const radius = (at) => {
      if (isAlone(at)) return Math.max(2.5, largest * 0.4);
      return Math.min(largest, largest * (0.55 + 0.12 * Math.sqrt(readers[at].length)));
    };
    const [w, h] = [LEFT + layers * dx + 14, TOP + heads * dy + BOTTOM];
    svg = drawn("svg", { width: w, height: h, viewBox: `0 0 ${w} ${h}`, role: "application" }, scroll);
    svg.setAttribute("aria-label", "Circuit: layers across, heads down. Arrow keys move, Space keeps, Enter opens a head");
    const defs = drawn("defs", {}, svg);
    for (const one of ["follows", "away", "otherwise"]) {
      const marker = drawn("marker", { id: `tip-${one}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8,
        markerUnits: "userSpaceOnUse", orient: "auto" }, defs);
      drawn("path", { d: "M0,0.5 L8,4 L0,7.5 z", class: `tip ${one}` }, marker);
    }
    const step = Math.ceil(22 / dx);
    for (let layer = 0; layer < layers; layer++)
      if (layer % step === 0) label(LEFT + (layer + 0.5) * dx, h - 8, String(layer), "middle");
    for (let head = 0; head < heads; head++) label(LEFT - 8, TOP + (head + 0.5) * dy, String(head), "end");

    label(LEFT - 8, h - 8, "layer", "end");
    label(LEFT - 8, 6, "head", "end");

    const lines = drawn("g", { class: "edges" }, svg);
    lines.style.setProperty("--rest", Math.max(0.16, Math.min(0.6, 7 / Math.sqrt(edges.reader.length))));
    arrows = edges.reader.map((reader, i) => {
      const read = edges.read[i], exponent = edges.exponent[i];
      return drawn("path", { d: route(place(read), place(reader), radius(read), radius(reader), dx, dy),
        class: `edge ${kind(exponent)}`, "stroke-width": width(exponent), "marker-end": `url(#tip-${kind(exponent)})` }, lines);
    });
    dots = Array.from({ length: count }, (_, at) => {
      const [x, y] = place(at);
      const dot = drawn("g", { class: "node", role: "link", tabindex: at === focused ? 0 : -1, "aria-label": said(at) }, svg);
      dot.dataset.at = at;
      drawn("rect", { x: x - dx / 2, y: y - dy / 2, width: dx, height: dy, class: "reach" }, dot);
      const circle = drawn("circle", { cx: x, cy: y, r: radius(at) }, dot);
      if (at in row) circle.style.fill = nodes.colour[row[at]];
      else dot.classList.add("empty");
      if (isAlone(at)) dot.classList.add("alone");
      const mark = nodes.mark[row[at]];
      if (mark) drawn("text", { x: x + radius(at) * 0.7, y: y - radius(at) * 0.7, class: "mark" }, dot).textContent = mark;
      return dot;
    });
    let pointer, hovered;
    svg.onpointermove = (event) => {
      const moved = `${event.clientX} ${event.clientY}`;
      const at = placeOf(event);
      if (moved !== pointer && at !== hovered) light(at); // not where the page moves below it
      [pointer, hovered] = [moved, at];
    };
    svg.onpointerleave = () => {
      hovered = undefined;
      light(dots[focused].matches(":focus-visible") ? focused : null);
    };
    svg.onclick = (event) => press(placeOf(event));
    svg.addEventListener("focusin", (event) => {
      if (placeOf(event) !== null) rove(placeOf(event));
      light(placeOf(event));
    });
    svg.addEventListener("focusout", () => light(null));
    svg.onkeydown = key;
    light(null);
    if (had) dots[focused].focus({ preventScroll: true });
  }

  function label(x, y, text, anchor) {
    drawn("text", { x, y, class: "label", "text-anchor": anchor, "dominant-baseline": "central" }, svg).textContent = text;
  }

  // Leaves to the right and arrives from the left; within a layer it bows out to the right.
  function route([x0, y0], [x1, y1], r0, r1, dx, dy) {
    if (x0 === x1) {
      const out = x0 + dx * (0.5 + 0.06 * Math.abs((y1 - y0) / dy));
      return `M${x0 + r0},${y0} C${out},${y0} ${out},${y1} ${x1 + r1 + 1},${y1}`;
    }
    const bend = (x1 - x0) * 0.45;
    const bow = y0 === y1 && x1 - x0 > dx * 1.5 ? dy * 0.45 : 0; // not through the heads between
    return `M${x0 + r0},${y0} C${x0 + bend},${y0 - bow} ${x1 - bend},${y1 - bow} ${x1 - r1 - 1},${y1}`;
  }

  function placeOf(event) {
    const at = event.target.closest?.(".node")?.dataset.at;
    return at === undefined ? null : Number(at);
  }

  // Lights a head, else the one that is kept, else everything.
  function light(hovered) {
    const at = hovered ?? parentElement.pinned;
    const lit = at === null ? [] : [...reads[at], ...readers[at]];
    const near = new Set(lit.flatMap((i) => [edges.reader[i], edges.read[i]]));
    svg.classList.toggle("lights", at !== null);
    arrows.forEach((arrow, i) => arrow.classList.toggle("lit", edges.reader[i] === at || edges.read[i] === at));
    dots.forEach((dot, place) => {
      dot.classList.toggle("lit", place === at || near.has(place));
      dot.classList.toggle("centre", place === at);
      dot.classList.toggle("pinned", place === parentElement.pinned);
    });
    for (const item of list.querySelectorAll("li")) item.classList.toggle("lit", Number(item.dataset.at) === at);
    tell(at);
  }

  function tell(at) {
    if (card.shown === at && card.pinned === parentElement.pinned) return;
    [card.shown, card.pinned] = [at, parentElement.pinned];
    card.textContent = "";
    if (at === null) {
      element("p", "hint", card, "Hover over a head, or move to it by arrow keys, to see what it reads and what reads it. "
        + "Click or Space keeps it lit; a second click or Enter opens it on Heads.");
      return;
    }
    const title = element("p", "title", card);
    link(title, at, name(at));
    element("span", "", title, ` ${about(at)}`);
    if (at in row && nodes.summary[row[at]]) element("p", "", card, nodes.summary[row[at]]);
    endsOf("reads", reads[at], edges.read);
    endsOf("read by", readers[at], edges.reader);
  }

  function endsOf(word, some, ends) {
    const line = element("p", "ends", card);
    element("b", "", line, word);
    if (!some.length) element("span", "hint", line, "no head");
    for (const i of strongest(some)) chip(line, ends[i], edges.exponent[i]);
  }

  function strongest(some) {
    return [...some].sort((a, b) => Math.abs(edges.exponent[b] ?? 0) - Math.abs(edges.exponent[a] ?? 0));
  }

  // A link that another tab can follow; here it opens the head in this session.
  function link(parent, at, text) {
    const made = element("a", "", parent, text);
    made.href = data.links?.replace("{name}", name(at)) ?? `heads?layer=${Math.floor(at / heads)}&head=${at % heads}`;
    made.title = said(at);
    made.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(at);
    };
    return made;
  }

  function chip(parent, at, exponent) {
    const made = link(parent, at, name(at));
    made.classList.add("chip", kind(exponent));
    const word = { follows: "follows it", away: "turns away from it", otherwise: "looks at it otherwise" }[kind(exponent)];
    made.setAttribute("aria-label", `${name(at)}, ${word}${exponent === null ? "" : `, exponent ${spelled(exponent)}`}`);
    if (exponent !== null) element("small", "", made, ` ${spelled(exponent)}`);
  }

  function drawList() {
    if (!ranked.length) return listHeads();
    element("h2", "", list, "Most read heads");
    const items = element("ol", "", list);
    for (const at of ranked) {
      const item = element("li", "", items);
      item.dataset.at = at;
      const title = element("div", "title", item);
      link(title, at, name(at));
      element("span", "", title, ` read by ${readers[at].length}`);
      if (at in row) element("div", "summary", item, nodes.summary[row[at]]).title = nodes.summary[row[at]];
      const ends = element("div", "ends", item);
      for (const i of strongest(readers[at])) chip(ends, edges.reader[i], edges.exponent[i]);
      followed(item, at);
    }
  }

  // Where there is no arrow: every head that has a program, in the model's order.
  function listHeads() {
    list.setAttribute("aria-label", "Heads and their programs");
    element("h2", "", list, "Heads and their programs");
    element("p", "hint", list, "There is no arrow to show.");
    const items = element("ol", "", list);
    for (const [i, at] of nodes.place.entries()) {
      const item = element("li", "", items);
      item.dataset.at = at;
      const title = element("div", "title", item);
      link(title, at, name(at));
      element("span", "", title, ` ${nodes.text[i]}`);
      element("div", "summary", item, nodes.summary[i]).title = nodes.summary[i];
      followed(item, at);
    }
  }

  // The graph lights what the list points to.
  function followed(item, at) {
    item.onpointerenter = () => light(at);
    item.onpointerleave = () => light(null);
    item.addEventListener("focusin", () => light(at));
    item.addEventListener("focusout", () => light(null));
  }

  function press(at) {
    if (at !== null && at === parentElement.pinned) return open(at);
    if (at !== null) focus(at);
    pin(at);
  }

  function pin(at) {
    if (parentElement.pinned === at) return;
    parentElement.pinned = at;
    setStateValue("selected", at);
    light(at);
  }

  function open(at) {
    setTriggerValue("open", at);
  }

  // One head at a time is reached by Tab: the one that arrow keys start from.
  function rove(at) {
    dots[focused].setAttribute("tabindex", -1);
    focused = parentElement.focused = at;
    dots[at].setAttribute("tabindex", 0);
  }

  function focus(at) {
    dots[at].focus({ preventScroll: true });
    dots[at].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function key(event) {
    const step = STEPS[event.key];
    if (event.key === "Enter") open(focused);
    else if (event.key === " ") pin(parentElement.pinned === focused ? null : focused);
    else if (event.key === "Escape") pin(null);
    else if (step) {
      const within = (value, most) => Math.min(most - 1, Math.max(0, value));
      focus(within(Math.floor(focused / heads) + step[0], layers) * heads + within((focused % heads) + step[1], heads));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function legend() {
    for (const [exponent, word] of !edges.reader.length ? [] : [[0.4, "follows"], [-0.4, "turns away"], [null, "otherwise"]]) {
      const one = element("span", "key", bar);
      const sample = drawn("svg", { width: 30, height: 8, "aria-hidden": true }, one);
      drawn("path", { d: "M0,4 H30", class: `edge ${kind(exponent)}`, "stroke-width": width(exponent) }, sample);
      element("span", "", one, word);
    }
    if (data.ramp) {
      const one = element("span", "key", bar);
      element("span", "", one, `${data.ramp.title} 0`);
      element("i", "ramp", one).style.background = `linear-gradient(90deg, ${data.ramp.colours.join(",")})`;
      element("span", "", one, "1");
    }
    for (const [word, colour] of data.kinds) {
      const one = element("span", "key", bar);
      element("i", "dot", one).style.background = colour;
      element("span", "", one, word);
    }
    const saves = element("span", "saves", bar);
    for (const [word, save] of [["SVG", saveSvg], ["PNG", savePng]]) {
      const button = element("button", "", saves, word);
      button.title = button.ariaLabel = `Download the circuit as ${word}`;
      button.onclick = save;
    }
  }

  // The drawing with the styles that it has here, on the page's background.
  function standalone() {
    const copy = svg.cloneNode(true);
    const originals = [...svg.querySelectorAll("*")];
    [...copy.querySelectorAll("*")].forEach((made, i) => {
      const style = getComputedStyle(originals[i]);
      if (made.matches("g, path, circle, rect, text"))
        made.setAttribute("style", STYLES.map((one) => `${one}:${style.getPropertyValue(one)}`).join(";").replaceAll('"', "'"));
      for (const attribute of ["class", "tabindex", "role", "data-at"]) made.removeAttribute(attribute);
    });
    for (const reach of copy.querySelectorAll("rect")) reach.remove();
    copy.removeAttribute("role");
    copy.setAttribute("xmlns", SVG);
    const background = document.createElementNS(SVG, "rect");
    background.setAttribute("width", "100%");
    background.setAttribute("height", "100%");
    background.setAttribute("fill", getComputedStyle(root).getPropertyValue("--st-background-color").trim() || "white");
    copy.prepend(background);
    return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  }

  function download(blob, file) {
    const made = document.createElement("a");
    made.href = URL.createObjectURL(blob);
    made.download = file;
    made.click();
    setTimeout(() => URL.revokeObjectURL(made.href), 1000);
  }

  function saveSvg() {
    download(standalone(), "circuit.svg");
  }

  async function savePng() {
    const image = new Image();
    image.src = URL.createObjectURL(standalone());
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * svg.width.baseVal.value, 2 * svg.height.baseVal.value];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(image.src);
    canvas.toBlob((blob) => download(blob, "circuit.png"));
  }
}
