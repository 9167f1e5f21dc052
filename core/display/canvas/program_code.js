// A program to be read whole: smaller type before anything is cut off, and a mark that counts the lines still below.
// Program text is only ever set as text.

const SIZES = [13, 12.5, 12, 11.5, 11]; // px

// An element and those that it lies in, on this side of the component's border and the other.
function boxesAround(element) {
  const boxes = [];
  for (let one = element; one; one = one.parentElement ?? one.getRootNode().host) if (one instanceof Element) boxes.push(one);
  return boxes;
}

// The box that scrolls the program.
function scroller(element) {
  const scrolls = (one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowY);
  return boxesAround(element).find(scrolls) ?? document.scrollingElement;
}

class Program {
  constructor(parent) {
    this.box = document.createElement("div");
    this.box.className = "program";
    const pre = document.createElement("pre");
    this.code = document.createElement("code");
    this.left = document.createElement("button");
    this.left.className = "left";
    this.left.hidden = true;
    this.left.onclick = () => this.around.scrollBy({ top: 0.8 * this.around.clientHeight });
    pre.append(this.code);
    this.box.append(pre, this.left);
    parent.appendChild(this.box);
    this.parent = parent;
    this.onScroll = () => this.count();
    this.resized = new ResizeObserver(() => requestAnimationFrame(() => this.box.isConnected && this.fit()));
    for (const one of boxesAround(parent)) this.resized.observe(one);
    this.onFired = ({ detail }) => this.point(detail);
    window.addEventListener(FIRED, this.onFired);
  }

  close() {
    this.around?.removeEventListener("scroll", this.onScroll);
    this.resized.disconnect();
    window.removeEventListener(FIRED, this.onFired);
    this.box.remove();
  }

  draw({ source, ticket, key, fired, off, numbered, less, worth }) {
    this.box.dataset.ticket = ticket;
    this.box.classList.toggle("numbered", numbered);
    Object.assign(this, { key, less });
    if (source !== this.code.textContent) this.write(source);
    const lines = [...this.code.children];
    lines.forEach((line, i) => {
      line.classList.toggle("fired", String(i + 1) in fired);
      line.classList.toggle("off", off.includes(i + 1));
      line.dataset.effect = fired[i + 1] ?? "";
      [line.dataset.worth, line.title] = worth[i + 1] ?? ["", ""];
    });
    this.fit();
    const first = lines.find((line) => line.classList.contains("fired"));
    if (first && this.isCut(first)) first.scrollIntoView({ block: "nearest" });
  }

  // Marks the lines that fire for a cell under the pointer, of a map beside it.
  point(numbers) {
    if (this.less === null) return;
    [...this.code.children].forEach((line, i) => line.classList.toggle("pointed", numbers.includes(i + 1 + this.less)));
  }

  isCut(line) {
    const [box, around] = [line.getBoundingClientRect(), this.around.getBoundingClientRect()];
    return box.top < around.top || box.bottom > around.bottom;
  }

  write(source) {
    const lines = source.split("\n").map((text, i, all) => {
      const line = document.createElement("span");
      line.className = "line";
      line.style.setProperty("--in", text.length - text.trimStart().length);
      addWords(line, i + 1 < all.length ? `${text}\n` : text);
      return line;
    });
    this.code.replaceChildren(...lines);
    this.find();
    this.around.scrollTop = 0;
  }

  // What scrolls: anew each time, since the page's styles may come after the program.
  find() {
    const around = scroller(this.parent);
    if (around === this.around) return;
    this.around?.removeEventListener("scroll", this.onScroll);
    around.addEventListener("scroll", this.onScroll, { passive: true });
    this.around = around;
  }

  fit() {
    this.find();
    this.left.hidden = true;
    for (const size of SIZES) {
      this.box.style.setProperty("--size", `${size}px`);
      if (this.box.offsetHeight <= this.around.clientHeight) break;
    }
    this.count();
  }

  count() {
    const bottom = this.around.getBoundingClientRect().bottom;
    const below = (line, edge) => line.getBoundingClientRect().bottom > edge + 1;
    const lines = [...this.code.children];
    const isCut = lines.some((line) => below(line, bottom));
    this.left.hidden = !isCut;
    if (!isCut) return;
    const count = lines.filter((line) => below(line, bottom - this.left.offsetHeight)).length;
    this.left.textContent = `${count} more line${count === 1 ? "" : "s"} below${this.key ? ` · ${this.key}` : ""}`;
  }
}

export default function ({ data, parentElement }) {
  parentElement.program ??= new Program(parentElement);
  parentElement.program.draw(data);
  return () => {
    parentElement.program?.close();
    parentElement.program = null;
  };
}
