// What `?` opens beside the page: keys, words and the language; with terms underlined on the page, and the tour.

const TYPED = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable=''], [contenteditable=true]";
const ASKED = "headscript-help"; // the event by which another part of the page asks for a section

// While a page gives way to another there may be two for a moment: the one that came last leads.
function helps() {
  const all = (document.headscriptHelps ??= new Set());
  for (const one of [...all]) if (!one.root.isConnected) one.close();
  return [...all];
}

class Help {
  constructor(parent, data) {
    this.root = element("div", "help", parent);
    this.root.dataset.help = "";
    this.ask = element("button", "ask", this.root, "?");
    this.ask.title = "Keys, words, language, tour (?)";
    this.ask.setAttribute("aria-label", "Help");
    this.ask.setAttribute("aria-keyshortcuts", "?");
    this.ask.onclick = () => this.toggle();
    const ring = element("div", "ring", this.root);
    ring.hidden = true;
    this.tip = this.layer("tip", "tooltip");
    this.card = this.layer("card", "region");
    this.panel = this.layer("panel", "region");
    this.panel.setAttribute("aria-label", "Help");
    this.panel.tabIndex = -1;
    this.build(data);
    const before = helps();
    document.headscriptHelps.add(this);
    this.terms = new Terms(data.terms, this.tip, () => this.leads());
    this.terms.told = (seen) => this.order(seen);
    this.order(this.terms.seen ?? new Set());
    this.tour = new Tour(data.tour, this.card, ring);
    this.onKey = (event) => this.press(event);
    this.onAsk = (event) => this.leads() && this.toggle(event.detail);
    document.addEventListener("keydown", this.onKey, true);
    document.addEventListener(ASKED, this.onAsk);
    // What is typed here is no key of the page.
    for (const name of ["keydown", "keyup", "keypress"])
      this.panel.addEventListener(name, (event) => event.target.matches(TYPED) && event.stopPropagation());
    if (before.map((one) => one.standBack()).some(Boolean)) this.panel.showPopover();
  }

  leads() {
    return helps().at(-1) === this;
  }

  // Shows nothing any more; whether the panel was open.
  standBack() {
    const wasOpen = this.isOpen();
    for (const one of [this.tip, this.card, this.panel]) if (one.matches(":popover-open")) one.hidePopover();
    this.tour.close();
    return wasOpen;
  }

  layer(name, role) {
    const made = element("div", name, this.root);
    made.popover = "manual";
    made.setAttribute("role", role);
    return made;
  }

  // Offers the tour to whoever looks at this help; where there is another that came later, once that is gone.
  offer(isOffered) {
    this.isOffered = isOffered;
    if (this.leads()) this.tour.resume(isOffered);
  }

  close() {
    document.headscriptHelps.delete(this);
    document.removeEventListener("keydown", this.onKey, true);
    document.removeEventListener(ASKED, this.onAsk);
    this.terms.close();
    this.tour.close();
    this.root.remove();
    const next = helps().at(-1);
    next?.offer(next.isOffered);
  }

  press(event) {
    if (!this.leads() || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    const isTyped = target instanceof Element && Boolean(target.closest(TYPED));
    if (event.key === "Escape" && this.isOpen() && (!isTyped || this.panel.contains(target))) this.toggle();
    else if (event.key === "F1" || (event.key === "?" && !isTyped)) this.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  isOpen() {
    return this.panel.matches(":popover-open");
  }

  toggle(section) {
    if (this.isOpen() && !section) {
      this.panel.hidePopover();
      if (this.from?.isConnected) this.from.focus();
      return;
    }
    if (!this.isOpen()) {
      this.from = document.activeElement === document.body ? null : document.activeElement;
      this.panel.showPopover();
      this.field.value = ""; // what was looked for the last time hides the rest
      this.filter();
    }
    this.panel.focus();
    const isWritten = document.querySelector(".st-key-program-editor");
    this.jump(section ?? (isWritten ? "language" : "keys"));
  }

  jump(name) {
    const { list } = this;
    list.scrollTop += this.sections[name].getBoundingClientRect().top - list.getBoundingClientRect().top;
  }

  build({ keys, terms, language }) {
    const head = element("div", "head", this.panel);
    this.sections = {};
    for (const [name, title] of [["keys", "Keys"], ["words", "Words"], ["language", "Language"]])
      element("button", "", head, title).onclick = () => this.jump(name);
    element("button", "", head, "Tour").onclick = () => {
      this.toggle();
      this.tour.show(0);
    };
    const shut = element("button", "shut", head, "✕");
    shut.title = "Close (Esc)";
    shut.setAttribute("aria-label", "Close help");
    shut.onclick = () => this.toggle();
    this.field = element("input", "", this.panel);
    this.field.type = "search";
    this.field.placeholder = "Find a key, a word, an attribute";
    this.field.setAttribute("aria-label", "Find in help");
    this.field.oninput = () => this.filter();
    this.list = element("div", "list", this.panel);
    this.list.tabIndex = 0;
    this.list.setAttribute("role", "region");
    this.list.setAttribute("aria-label", "Keys, words and language");
    this.none = element("p", "none", this.list, "Nothing holds these words.");
    this.none.hidden = true;
    this.section("keys", "Keys", keys, "kbd");
    const words = terms.map(({ name, meaning }) => ({ written: name, meaning }));
    this.words = this.section("words", "Words", [{ title: "", entries: words }], "b");
    this.section("language", "Language", language, "code");
  }

  // Groups of entries under a heading; the words' list, to be ordered anew.
  section(name, title, groups, tag) {
    const made = element("section", "", this.list);
    this.sections[name] = made;
    element("h2", "", made, title);
    let list;
    for (const group of groups) {
      if (group.title) element("h3", "", made, group.title);
      if (group.about) element("p", "about", made, group.about);
      list = element("dl", tag, made);
      for (const { written, meaning, example } of group.entries) {
        const entry = element("div", "entry", list);
        element(tag, "", element("dt", "", entry), written);
        const said = element("dd", "", entry, meaning);
        if (example) element(example.includes("\n") ? "pre" : "code", "example", said, example);
      }
    }
    return list;
  }

  // Words that stand on the page come first, and say so.
  order(seen) {
    const entries = [...this.words.children];
    const name = (entry) => entry.querySelector("dt").textContent;
    for (const entry of entries) entry.classList.toggle("here", seen.has(name(entry)));
    this.given ??= entries;
    const here = this.given.filter((entry) => seen.has(name(entry)));
    const wanted = [...here, ...this.given.filter((entry) => !seen.has(name(entry)))];
    if (wanted.some((entry, i) => entry !== entries[i])) this.words.replaceChildren(...wanted);
  }

  filter() {
    const wanted = this.field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const holds = (text) => wanted.every((word) => text.toLowerCase().includes(word));
    for (const entry of this.list.querySelectorAll(".entry")) entry.hidden = !holds(entry.textContent);
    for (const list of this.list.querySelectorAll("dl")) {
      const isEmpty = ![...list.children].some((entry) => !entry.hidden);
      for (let one = list; one && one.tagName !== "H2" && (one === list || one.tagName !== "DL"); one = one.previousElementSibling)
        one.hidden = isEmpty;
    }
    for (const one of Object.values(this.sections)) one.hidden = ![...one.querySelectorAll("dl")].some((list) => !list.hidden);
    this.none.hidden = Object.values(this.sections).some((one) => !one.hidden);
    this.list.scrollTop = 0;
  }
}

export default function ({ data, parentElement }) {
  parentElement.help ??= new Help(parentElement, data);
  const { help } = parentElement;
  help.offer(data.offersTour);
  return () => {
    if (help.root.isConnected) return;
    help.close();
    parentElement.help = undefined;
  };
}
