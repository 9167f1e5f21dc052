// Terms of the glossary where they stand on the page: underlined, with their sentence under the pointer. The
// page is not changed for it: the words are ranges of the browser's own highlights.

const LEFT_OUT = "code, pre, textarea, input, select, button, a, svg, script, style, [role=option], [role=tab], [role=menuitem], "
  + "[data-testid=stSidebar], [data-testid=stTooltipContent]";
const IN_COMPONENT = ".hint, .about, .caption, .switches, .bar label"; // what is said there of the thing, not the thing itself
const BLOCK = "p, li, td, th, dt, dd, label, h1, h2, h3, small, .card-figures, .card-mark";
const RESTS = 250; // ms without a change until the page is read anew
const SETTLES = 200; // ms over a term until its sentence is shown, and off it until it goes
const MARK = "headscript-term";

const sheet = new CSSStyleSheet();
sheet.replaceSync(`::highlight(${MARK}) { text-decoration: underline dotted 1.5px light-dark(#5b6376, #a3abbd); }`);

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

class Terms {
  constructor(terms, tip, leads) {
    Object.assign(this, { tip, leads });
    this.ranges = new Map(); // element that holds the text -> [{ range, term }]
    this.of = new Map(); // as written, in small letters -> term
    for (const term of terms) for (const written of term.marked) this.of.set(written.toLowerCase(), term);
    const longestFirst = [...this.of.keys()].sort((a, b) => b.length - a.length).map(escaped);
    this.pattern = new RegExp(`(?<![\\p{L}\\p{N}_])(?:${longestFirst.join("|")})(?![\\p{L}\\p{N}_])`, "giu");
    this.roots = new Set();
    this.changed = new MutationObserver(() => this.later());
    this.onMove = (event) => this.point(event);
    this.onKey = (event) => event.key === "Escape" && this.hide();
    this.onScroll = () => this.hide();
    document.addEventListener("pointermove", this.onMove, { passive: true });
    document.addEventListener("pointerdown", this.onMove, { passive: true });
    document.addEventListener("keydown", this.onKey, true);
    document.addEventListener("scroll", this.onScroll, { passive: true, capture: true });
    tip.onpointerenter = () => clearTimeout(this.hides);
    tip.onpointerleave = () => this.hideSoon();
    this.watch(document);
    this.read();
  }

  close() {
    this.changed.disconnect();
    clearTimeout(this.reads);
    document.removeEventListener("pointermove", this.onMove);
    document.removeEventListener("pointerdown", this.onMove);
    document.removeEventListener("keydown", this.onKey, true);
    document.removeEventListener("scroll", this.onScroll, { capture: true });
  }

  watch(root) {
    if (this.roots.has(root)) return;
    this.roots.add(root);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    this.changed.observe(root === document ? document.body : root, { childList: true, subtree: true, characterData: true });
  }

  later() {
    clearTimeout(this.reads);
    this.reads = setTimeout(() => this.read(), RESTS);
  }

  read() {
    if (!this.leads()) return;
    this.ranges = new Map();
    this.seen = new Set(); // terms that stand on the page
    this.readWithin(document.querySelector("[data-testid=stMain]") ?? document.body, false);
    for (const dialog of document.querySelectorAll("[role=dialog], [data-testid=stPopoverBody]")) this.readWithin(dialog, false);
    const all = [...this.ranges.values()].flat().map(({ range }) => range);
    CSS.highlights?.set(MARK, new Highlight(...all));
    this.told?.(this.seen);
  }

  readWithin(root, isComponent) {
    const marked = new WeakMap(); // block -> terms that it has marked
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (one) => {
      if (one.nodeType === Node.ELEMENT_NODE && one.matches(LEFT_OUT)) return NodeFilter.FILTER_REJECT;
      return NodeFilter.FILTER_ACCEPT;
    });
    for (let one = walker.nextNode(); one; one = walker.nextNode()) {
      if (one.nodeType === Node.TEXT_NODE) this.mark(one, isComponent, marked);
      else if (one.shadowRoot && !one.shadowRoot.querySelector("[data-help]")) {
        this.watch(one.shadowRoot);
        this.readWithin(one.shadowRoot, true);
      }
    }
  }

  mark(text, isComponent, marked) {
    const holder = text.parentElement;
    if (!holder || (isComponent && !holder.closest(IN_COMPONENT))) return;
    const block = holder.closest(BLOCK) ?? holder;
    const had = marked.get(block) ?? new Set();
    for (const found of text.data.matchAll(this.pattern)) {
      const term = this.of.get(found[0].toLowerCase());
      this.seen.add(term.name);
      if (had.has(term)) continue;
      had.add(term);
      const range = new Range();
      range.setStart(text, found.index);
      range.setEnd(text, found.index + found[0].length);
      this.ranges.set(holder, [...(this.ranges.get(holder) ?? []), { range, term }]);
    }
    marked.set(block, had);
  }

  point(event) {
    if (!this.leads()) return;
    const here = this.ranges.get(event.composedPath()[0]);
    const found = here?.find(({ range }) => [...range.getClientRects()].some((box) =>
      event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom));
    if (found?.term === this.over) return;
    this.over = found?.term;
    clearTimeout(this.shows);
    if (!found) return this.hideSoon();
    this.shows = setTimeout(() => this.show(found), SETTLES);
  }

  show({ range, term }) {
    clearTimeout(this.hides);
    this.tip.replaceChildren();
    element("b", "", this.tip, term.name);
    element("span", "", this.tip, ` ${term.meaning}`);
    this.tip.showPopover();
    const word = range.getBoundingClientRect();
    const box = this.tip.getBoundingClientRect();
    const below = word.bottom + 6 + box.height <= innerHeight;
    this.tip.style.left = `${Math.max(8, Math.min(word.left, innerWidth - box.width - 8))}px`;
    this.tip.style.top = `${below ? word.bottom + 6 : word.top - 6 - box.height}px`;
  }

  hideSoon() {
    clearTimeout(this.hides);
    this.hides = setTimeout(() => this.hide(), SETTLES);
  }

  hide() {
    clearTimeout(this.shows);
    this.over = undefined;
    if (this.tip.matches(":popover-open")) this.tip.hidePopover();
  }
}

