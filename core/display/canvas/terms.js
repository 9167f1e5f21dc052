// Terms of the glossary where they stand on the page: underlined, with their sentence under the pointer. The
// page's words are not changed for it: they are ranges of the browser's own highlights. The tab key stops at a
// passage that is the first to use a term on the page, in a tab panel, a dialog or a fold; a control says the
// terms of its label, without a stop more.

const LEFT_OUT = "code, pre, textarea, input, select, button, a, svg, script, style, [role=option], [role=tab], [role=menuitem], "
  + "[data-testid=stSidebar], [data-testid=stTooltipContent]";
const IN_COMPONENT = ".hint, .about, .caption, .switches, .bar label"; // what is said there of the thing, not the thing itself
const BLOCK = "p, li, td, th, dt, dd, label, h1, h2, h3, small, .card-figures, .card-mark";
const TOGETHER = ".card-figures, .card-mark"; // blocks that are one passage
const SCOPE = "[role=tabpanel], [role=dialog], [data-testid=stPopoverBody], details";
const FIELD = "input, textarea, select";
const STOP = "data-says-terms"; // marks what the tab key reaches for its terms
const SAYS = "headscript-meaning-"; // begins the ids of what is said there
const RESTS = 250; // ms without a change until the page is read anew
const SETTLES = 200; // ms over a term until its sentence is shown, and off it until it goes
const MARK = "headscript-term";

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
  ::highlight(${MARK}) { text-decoration: underline dotted 1.5px light-dark(#5b6376, #a3abbd); }
  [${STOP}]:not(${FIELD}, button):focus-visible { outline: 2px solid light-dark(#3d5a9e, #9db4f0); outline-offset: 1px; }`);

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

class Terms {
  constructor(terms, tip, leads) {
    Object.assign(this, { tip, leads });
    this.ranges = new Map(); // element that holds the text -> [{ range, term }]
    this.stops = new Map(); // element that the tab key reaches -> its terms
    this.of = new Map(); // as written, in small letters -> term
    for (const term of terms) for (const written of term.marked) this.of.set(written.toLowerCase(), term);
    const longestFirst = [...this.of.keys()].sort((a, b) => b.length - a.length).map(escaped);
    this.pattern = new RegExp(`(?<![\\p{L}\\p{N}_])(?:${longestFirst.join("|")})(?![\\p{L}\\p{N}_])`, "giu");
    this.roots = new Set();
    this.changed = new MutationObserver(() => this.later());
    this.onMove = (event) => this.point(event);
    this.onKey = (event) => this.press(event);
    this.onFocus = (event) => this.focus(event.composedPath()[0]);
    this.onScroll = () => this.follow();
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
    for (const root of this.roots) root.removeEventListener("focusin", this.onFocus);
    document.removeEventListener("scroll", this.onScroll, { capture: true });
  }

  watch(root) {
    if (this.roots.has(root)) return;
    this.roots.add(root);
    root.addEventListener("focusin", this.onFocus); // a component keeps to itself what moves within it
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
    this.stops = new Map();
    this.said = new Map(); // page, tab panel, dialog or fold -> terms that have a stop there
    this.seen = new Set(); // terms that stand on the page
    this.readWithin(document.querySelector("[data-testid=stMain]") ?? document.body, false);
    for (const dialog of document.querySelectorAll("[role=dialog], [data-testid=stPopoverBody]")) this.readWithin(dialog, false);
    const all = [...this.ranges.values()].flat().map(({ range }) => range);
    CSS.highlights?.set(MARK, new Highlight(...all));
    for (const root of this.roots) this.describe(root);
    if (this.at instanceof Element && !this.stops.has(this.at)) this.hide();
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
      this.stop(holder, term);
    }
    marked.set(block, had);
  }

  // Gives a term its stop, unless it has one before.
  stop(holder, term) {
    const scope = holder.closest(SCOPE) ?? holder.getRootNode().host?.closest(SCOPE) ?? document;
    const said = this.said.get(scope) ?? new Set();
    const at = said.has(term) ? null : this.reached(holder);
    if (!at) return;
    this.said.set(scope, said.add(term));
    this.stops.set(at, [...(this.stops.get(at) ?? []), term]);
  }

  // What the tab key reaches for a text: the control that it is the label of, else the passage. Nothing where
  // it is not seen, as the table within a canvas.
  reached(holder) {
    if (holder.closest("canvas")) return null;
    const control = holder.closest("label")?.control;
    if (control?.matches(FIELD)) return control;
    const silent = holder.closest("[aria-hidden=true]"); // a label that the control beside it repeats
    if (silent) return silent.parentElement.querySelector(`${FIELD}, button`);
    return holder.closest(TOGETHER) ?? holder.closest(BLOCK) ?? holder;
  }

  // Lets the stops within a document or component be reached and say their terms, and no others.
  describe(root) {
    for (const one of root.querySelectorAll(`[${STOP}]`)) if (!this.stops.has(one)) this.relieve(one);
    for (const [one, terms] of this.stops) {
      if (one.getRootNode() !== root) continue;
      one.setAttribute(STOP, "");
      if (one.tabIndex < 0) one.tabIndex = 0;
      const ids = terms.map((term) => this.meaning(root, term).id);
      this.say(one, ids);
    }
  }

  relieve(one) {
    if (!one.matches(`${FIELD}, button`)) one.removeAttribute("tabindex");
    one.removeAttribute(STOP);
    this.say(one, []);
  }

  // What describes an element otherwise stays.
  say(one, ids) {
    const others = (one.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && !id.startsWith(SAYS));
    const all = [...others, ...ids].join(" ");
    if (all) one.setAttribute("aria-describedby", all);
    else one.removeAttribute("aria-describedby");
  }

  // The sentence of a term where elements of this document or component can name it.
  meaning(root, { name, meaning }) {
    const id = SAYS + name.replace(/\s+/g, "-");
    const found = root.getElementById(id);
    if (found) return found;
    const made = element("span", "", root.body ?? root, `${name}: ${meaning}`);
    made.id = id;
    made.hidden = true;
    return made;
  }

  press({ key }) {
    this.isTabbed = key === "Tab";
    if (key === "Escape" || (this.at instanceof Element && key !== "Shift")) this.hide();
  }

  // Only the tab key shows what a stop says: a click on a control is for its options.
  focus(one) {
    const terms = this.isTabbed && this.leads() && this.stops.get(one);
    if (terms) this.show(one, terms);
    else if (this.at instanceof Element) this.hide();
  }

  leave() {
    this.isTabbed = false;
    if (this.at instanceof Element) this.hide();
  }

  follow() {
    if (this.at instanceof Element) this.place();
    else this.hide();
  }

  point(event) {
    if (event.type === "pointerdown") this.leave();
    if (!this.leads()) return;
    const here = this.ranges.get(event.composedPath()[0]);
    const found = here?.find(({ range }) => [...range.getClientRects()].some((box) =>
      event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom));
    if (found?.term === this.over) return;
    this.over = found?.term;
    clearTimeout(this.shows);
    if (!found) return this.hideSoon();
    this.shows = setTimeout(() => this.show(found.range, [found.term]), SETTLES);
  }

  // Terms' sentences beside a word or an element.
  show(at, terms) {
    clearTimeout(this.shows);
    clearTimeout(this.hides);
    this.at = at;
    this.tip.replaceChildren();
    for (const { name, meaning } of terms) {
      const entry = element("div", "", this.tip);
      element("b", "", entry, name);
      element("span", "", entry, ` ${meaning}`);
    }
    this.tip.showPopover();
    this.place();
  }

  place() {
    const word = this.at.getBoundingClientRect();
    const box = this.tip.getBoundingClientRect();
    const below = word.bottom + 6 + box.height <= innerHeight;
    this.tip.style.left = `${Math.max(8, Math.min(word.left, innerWidth - box.width - 8))}px`;
    this.tip.style.top = `${below ? word.bottom + 6 : Math.max(8, word.top - 6 - box.height)}px`;
  }

  hideSoon() {
    clearTimeout(this.hides);
    this.hides = setTimeout(() => this.hide(), SETTLES);
  }

  hide() {
    clearTimeout(this.shows);
    this.over = undefined;
    this.at = undefined;
    if (this.tip.matches(":popover-open")) this.tip.hidePopover();
  }
}

