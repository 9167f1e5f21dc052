// All heads of a model as thumbnails, one sprite a layer. Arrow keys walk, Enter or a click opens a head.

const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

const FOCUS_AFTER = 300; // ms until the dialog has taken the focus for itself

export default function ({ data, parentElement, setTriggerValue }) {
  const { header, maps } = unpack(data);
  const { n, layers, heads, causal } = header;
  const table = colours(header.sequential);
  parentElement.querySelector(".sprites")?.remove();
  const root = element("div", "sprites", parentElement);
  const name = element("p", "name", root);
  name.setAttribute("aria-live", "polite");
  const grid = element("div", "grid", root);
  grid.tabIndex = 0;
  grid.setAttribute("role", "application");
  grid.setAttribute("aria-label", "All heads: layers across, heads down. Arrow keys walk, Enter opens");
  grid.style.gridTemplateColumns = `repeat(${layers}, minmax(0, 1fr))`;
  let at = header.shown;
  for (let layer = 0; layer < layers; layer++) {
    const column = element("div", "layer", grid);
    element("span", "", column, `${layer}`);
    const canvas = element("canvas", "", column);
    canvas.style.aspectRatio = `1 / ${heads}`;
    paint(canvas, maps.slice(layer * heads, (layer + 1) * heads), n, causal, (x) => table[Math.round(255 * Math.sqrt(x))]);
    const head = (event) => {
      const box = canvas.getBoundingClientRect();
      return Math.min(heads - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * heads)));
    };
    canvas.onmousemove = (event) => show([layer, head(event)]);
    canvas.onclick = (event) => setTriggerValue("head", [layer, head(event)]);
  }
  const frame = element("i", "frame", grid);

  function show(place) {
    at = place;
    name.textContent = `L${at[0]}H${at[1]}`;
    const box = grid.children[at[0]].querySelector("canvas");
    const side = box.clientHeight / heads;
    Object.assign(frame.style, {
      left: `${box.offsetLeft}px`, top: `${box.offsetTop + at[1] * side}px`,
      width: `${box.clientWidth}px`, height: `${side}px`,
    });
  }

  grid.onkeydown = (event) => {
    if (event.key === "Enter") return setTriggerValue("head", at);
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const within = (value, count) => Math.min(count - 1, Math.max(0, value));
    show([within(at[0] + step[0], layers), within(at[1] + step[1], heads)]);
  };
  const resized = new ResizeObserver(() => show(at));
  resized.observe(grid);
  // A dialog keeps the Tab key among what it knows of, and of what is in here it knows nothing.
  const enter = (event) => {
    if (event.key !== "Tab" || event.composedPath().includes(grid)) return;
    event.preventDefault();
    event.stopPropagation();
    grid.focus();
  };
  const dialog = () => parentElement.getRootNode().host?.closest("[role=dialog]");
  const settled = setTimeout(() => {
    dialog()?.addEventListener("keydown", enter, true);
    grid.focus();
  }, FOCUS_AFTER);
  return () => {
    resized.disconnect();
    clearTimeout(settled);
    dialog()?.removeEventListener("keydown", enter, true);
  };
}
