// Keys for a map of heads that a chart has drawn: one cell is a stop of the tab key, arrow keys walk, Enter and
// Space open. The chart draws its cells anew as it likes; the stop is kept on the head.

const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const placeOf = (cell) => [cell.__data__?.datum?.layer, cell.__data__?.datum?.head];

class Keys {
  constructor(parent) {
    this.told = document.createElement("p");
    this.told.className = "told";
    this.told.setAttribute("aria-live", "polite");
    parent.appendChild(this.told);
  }

  follow({ chart, texts, hint, heads }) {
    Object.assign(this, { texts, hint, heads });
    const around = document.querySelector(`.st-key-${chart}`);
    this.say();
    if (this.around === around) return this.mark();
    this.close();
    this.around = around;
    this.onKey = (event) => this.press(event);
    this.onFocus = (event) => this.say(event.type === "focusin" ? this.cellOf(event.target) : null);
    around?.addEventListener("keydown", this.onKey);
    around?.addEventListener("focusin", this.onFocus);
    around?.addEventListener("focusout", this.onFocus);
    this.drawn = new MutationObserver(() => this.mark());
    if (around) this.drawn.observe(around, { childList: true, subtree: true });
    this.mark();
  }

  close() {
    this.drawn?.disconnect();
    this.around?.removeEventListener("keydown", this.onKey);
    this.around?.removeEventListener("focusin", this.onFocus);
    this.around?.removeEventListener("focusout", this.onFocus);
    this.around = null;
  }

  cells() {
    return [...(this.around?.querySelectorAll(".mark-rect path") ?? [])].filter((cell) => placeOf(cell)[0] !== undefined);
  }

  cellOf(element) {
    return element.matches?.(".mark-rect path") ? element : null;
  }

  at(layer, head) {
    return this.cells().find((cell) => placeOf(cell)[0] === layer && placeOf(cell)[1] === head);
  }

  mark() {
    const cells = this.cells();
    const chosen = (this.place && this.at(...this.place)) ?? cells[0];
    for (const cell of cells) {
      cell.setAttribute("tabindex", cell === chosen ? "0" : "-1");
      if (cell.getAttribute("role") === "button") continue;
      cell.setAttribute("role", "button");
      cell.setAttribute("aria-label", this.textOf(cell));
    }
  }

  textOf(cell) {
    const [layer, head] = placeOf(cell);
    return `L${layer}H${head} · ${this.texts[layer * this.heads + head] ?? ""}`;
  }

  say(cell) {
    this.told.textContent = cell ? this.textOf(cell) : this.hint;
  }

  press(event) {
    const cell = this.cellOf(event.target);
    if (!cell) return;
    const step = STEPS[event.key];
    const opens = event.key === "Enter" || event.key === " ";
    if (!step && !opens) return;
    event.preventDefault();
    event.stopPropagation();
    if (opens) return cell.dispatchEvent(new MouseEvent("click", { bubbles: true, view: window }));
    // A filter leaves holes: on to the next cell in that direction.
    let [layer, head] = placeOf(cell);
    const most = Math.max(...this.cells().map((one) => Math.max(...placeOf(one))));
    for (let steps = 0; steps <= most; steps++) {
      [layer, head] = [layer + step[0], head + step[1]];
      const next = this.at(layer, head);
      if (!next) continue;
      this.place = [layer, head];
      this.mark();
      return next.focus({ preventScroll: true });
    }
  }
}

export default function ({ data, parentElement }) {
  parentElement.keys ??= new Keys(parentElement);
  parentElement.keys.follow(data);
  return () => {
    parentElement.keys?.close();
  };
}
