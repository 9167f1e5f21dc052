// The row of decisions and its keys. Every event carries the ticket of the card that was on the screen, so
// that a second press, a held key or a late message can never decide the next card; and nothing is sent while
// the screen shows another card than that of the ticket, as after a browser's translation.

const RESEND_AFTER = 3000; // ms until an unanswered decision may be sent again
const HANDS_OVER = 150; // ms that a text field takes to tell what was typed
const PAUSE = 1500; // ms without a key until what was typed is handed over
const SIGN_STAYS = 1500; // ms
const NOT_PAINTED = "This page shows another card than the keys decide (was it translated?): nothing was decided. Reload it.";
const TOO_EARLY = "Too early: the next card was not there yet. That key did nothing.";

const LIST_CLOSES = 200; // ms after a choice until the list has closed and taken the focus back

const node = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

const TEXT = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable=''], [contenteditable=true]";
const CONTROL = "input, button, a[href], summary, [role=button], [role=tab], [role=option], [role=radio], [role=switch]";

function leaveControl() {
  const focused = document.activeElement;
  const isOpen = focused?.getAttribute("aria-expanded") === "true" || focused?.closest("[role=dialog]");
  if (!isOpen && focused?.matches("input[type=checkbox], [role=switch], button")) focused.blur();
}

function leaveClosedList() {
  const focused = document.activeElement;
  if (focused?.matches("input[role=combobox]:not([aria-expanded=true])")) focused.blur();
}

// A list to choose one from, closed and without typed text; a list of many is typed into.
const isClosedList = (field) => field.matches("input[role=combobox]:not([aria-expanded=true])")
  && !field.closest("[data-testid=stMultiSelect]");

function isTaken(event, root) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  const field = target.closest(TEXT);
  if (field && !isClosedList(field)) return true;
  if (document.querySelector("[role=dialog], [aria-modal=true]")) return true;
  // Another control keeps the keys that operate it; a button of this row does not keep Space.
  const control = target.closest(CONTROL);
  const operates = event.key === " " || event.key === "Enter" || event.key.startsWith("Arrow");
  return Boolean(operates && control && !root.contains(control));
}

// What a key writes, and what it would write on the usual layout: `ф` and `&` lie where `a` and `1` do.
function namesOf(event) {
  const place = /^(?:Key|Digit|Numpad)([A-Z0-9])$/.exec(event.code);
  return [event.key.toLowerCase(), ...(place ? [place[1].toLowerCase()] : [])];
}

function actOf(event, data) {
  for (const key of namesOf(event)) {
    if (key === "h") return { act: "help" };
    if (data.editing) continue;
    if (key in SCROLLS) return { act: "scroll", by: SCROLLS[key] };
    const reason = /^[1-9]$/.test(key) && data.reasons[Number(key) - 1];
    if (reason) return { act: "reject", reason: reason.name };
    const found = data.keys.find((one) => one.key.toLowerCase() === key);
    if (found) return found.disabled ? null : { act: found.act };
  }
  return null;
}

const SCROLLS = { j: 0.8, pagedown: 0.8, k: -0.8, pageup: -0.8 }; // of the program's height
const panel = () => document.querySelector(".st-key-program-panel");
// The text field of the editor, which may be on the screen before this row has heard of it.
const isDraft = (element) => Boolean(element?.matches("textarea") && panel()?.contains(element));

// Whether the head and the program on the screen are those of the ticket.
function isPainted({ ticket, painted }) {
  if (!painted) return true;
  const heading = document.querySelector("h1")?.textContent;
  const hosts = [...(panel()?.querySelectorAll("*") ?? [])];
  const program = hosts.map((one) => one.shadowRoot?.querySelector(".program")).find(Boolean);
  return heading === painted.heading && program?.dataset.ticket === ticket
    && program.querySelector("code").textContent === painted.source;
}

// The help of the page opens at the keys, or closes.
const askForKeys = () => document.dispatchEvent(new CustomEvent("headscript-help", { detail: "keys" }));

class Row {
  constructor(root) {
    this.root = root;
    this.sent = null;
    this.box = node("div", "box");
    this.sign = node("div", "sign");
    this.sign.setAttribute("role", "status");
    this.sign.hidden = true;
    root.append(this.box, this.sign);
    this.onKey = (event) => this.press(event);
    this.onKeyUp = (event) => {
      // Space would click a focused button of this row when it is let go.
      if (event.key === " " && this.root.contains(event.composedPath()[0])) event.preventDefault();
    };
    document.addEventListener("keydown", this.onKey, true);
    this.onClick = (event) => {
      // A choice is made from a list, or a switch or a button was clicked: give the keys back to the card.
      if (event.target.closest?.("[role=option]")) setTimeout(leaveClosedList, LIST_CLOSES);
      else if (event.detail) setTimeout(leaveControl);
    };
    this.onInput = (event) => {
      if (!isDraft(event.target)) return;
      clearTimeout(this.handsOver);
      this.handsOver = setTimeout(() => this.handOver(event.target), PAUSE);
    };
    document.addEventListener("input", this.onInput, true);
    this.onLeave = (event) => this.handsOver && event.preventDefault(); // a reload would lose the change
    window.addEventListener("beforeunload", this.onLeave);
    document.addEventListener("keyup", this.onKeyUp, true);
    document.addEventListener("click", this.onClick, true);
  }

  close() {
    document.removeEventListener("keydown", this.onKey, true);
    document.removeEventListener("keyup", this.onKeyUp, true);
    document.removeEventListener("input", this.onInput, true);
    clearTimeout(this.handsOver);
    window.removeEventListener("beforeunload", this.onLeave);
    document.removeEventListener("click", this.onClick, true);
  }

  press(event) {
    if (!this.box.isConnected) return this.close();
    if (event.key === "Escape" && isDraft(document.activeElement)) {
      clearTimeout(this.handsOver); // a second handing over would run the page again while it is left
      this.handsOver = null;
      document.activeElement.blur(); // hands over what was typed
      return setTimeout(() => this.send({ act: "leave" }), HANDS_OVER);
    }
    if (event.key === "Escape" && document.activeElement?.closest("[data-testid=stPopover], [data-testid=stPopoverBody]"))
      return setTimeout(leaveControl, LIST_CLOSES); // what it closes gives the focus back
    if (isTaken(event, this.root)) return;
    // A held Enter would click the focused button of this row again and again.
    if (event.key === "Enter" && event.repeat && this.root.contains(event.composedPath()[0])) event.preventDefault();
    const act = actOf(event, this.data);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (act.act === "scroll") return panel()?.scrollBy({ top: act.by * panel().clientHeight });
    if (event.repeat) return;
    if (act.act === "help") askForKeys();
    else this.send(act);
  }

  // As Control and Enter do: the server keeps what was typed, and says what it thinks of it.
  handOver(field) {
    this.handsOver = null;
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 13, ctrlKey: true, bubbles: true }));
  }

  send(act) {
    const now = performance.now();
    if (act.act !== "leave") { // which decides nothing
      if (this.sent === this.data.ticket && now - this.sentAt < RESEND_AFTER) return this.say(TOO_EARLY);
      if (!isPainted(this.data)) return this.say(NOT_PAINTED, true);
    }
    this.sent = this.data.ticket;
    this.sentAt = now;
    this.box.classList.add("sent");
    this.setTriggerValue("act", { ticket: this.data.ticket, reason: "", ...act });
  }

  // The text field may come a moment after this row.
  enterField(tries) {
    const field = panel()?.querySelector("textarea");
    if (field && document.activeElement !== field) {
      field.setSelectionRange(0, 0); // a program is read from its beginning
      field.focus();
    }
    if (this.editing && tries && (!field || document.activeElement !== field)) setTimeout(() => this.enterField(tries - 1), 50);
  }

  say(words, stays = false) {
    this.sign.textContent = words;
    this.sign.hidden = false;
    clearTimeout(this.hides);
    if (!stays) this.hides = setTimeout(() => (this.sign.hidden = true), SIGN_STAYS);
  }

  draw(data, setTriggerValue) {
    this.data = data;
    this.setTriggerValue = setTriggerValue;
    this.sent = null;
    this.box.classList.remove("sent");
    this.box.dataset.ticket = data.ticket;
    const wasEditing = this.editing;
    this.editing = data.editing;
    const drawn = JSON.stringify({ ...data, ticket: "", painted: null });
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const held = this.box.querySelector("button:focus")?.dataset.name ?? this.root.activeElement?.dataset?.name;
    const row = node("div", "row");
    for (const one of data.keys) row.appendChild(this.button(one));
    const help = node("button", "quiet", "?");
    help.title = "Keys (h)";
    help.dataset.name = "help";
    help.setAttribute("aria-label", "Keys");
    help.onclick = askForKeys;
    row.appendChild(help);
    const reasons = node("div", "reasons");
    reasons.setAttribute("aria-label", "Reject with a reason");
    data.reasons.forEach((reason, i) => reasons.appendChild(this.reason(reason, i + 1)));
    this.box.replaceChildren(row, reasons);
    if (data.editing && !wasEditing) this.enterField(20);
    if (held) this.box.querySelector(`[data-name="${CSS.escape(held)}"]`)?.focus();
  }

  button(one) {
    const made = node("button", one.kind);
    made.dataset.name = one.act;
    made.disabled = Boolean(one.disabled || this.data.editing);
    made.setAttribute("aria-keyshortcuts", one.key === " " ? "Space" : one.key);
    made.title = one.title;
    made.append(node("kbd", "", one.shown), node("span", "", one.label));
    made.onclick = () => this.send({ act: one.act });
    return made;
  }

  reason(reason, number) {
    const made = node("button", "reason");
    made.dataset.name = `reason ${number}`;
    made.disabled = Boolean(this.data.editing);
    made.setAttribute("aria-keyshortcuts", String(number));
    made.title = `Reject: ${reason.name}; given ${reason.count} times so far`;
    made.append(node("kbd", "", String(number)), node("span", "", reason.name));
    if (reason.count) made.append(node("b", "", String(reason.count)));
    made.onclick = () => this.send({ act: "reject", reason: reason.name });
    return made;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  parentElement.row ??= new Row(parentElement);
  parentElement.row.draw(data, setTriggerValue);
  const row = parentElement.row;
  return () => {
    if (!row.box.isConnected) row.close();
  };
}
