// The row of decisions and its keys. Every event carries the ticket of the card that was on the screen, so
// that a second press, a held key or a late message can never decide the next card.

const RESEND_AFTER = 3000; // ms until an unanswered decision may be sent again

const LIST_CLOSES = 200; // ms after a choice until the list has closed and taken the focus back

const node = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

const TEXT = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable=''], [contenteditable=true]";
const CONTROL = "input, button, a[href], summary, [role=button], [role=tab], [role=option], [role=radio], [role=switch]";

function leaveClosedList() {
  const focused = document.activeElement;
  if (focused?.matches("input[role=combobox]:not([aria-expanded=true])")) focused.blur();
}

function isTaken(event, root) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  if (target.closest(TEXT)) return true;
  if (document.querySelector("[role=dialog], [aria-modal=true]")) return true;
  // Another control keeps the keys that operate it; a button of this row does not keep Space.
  const control = target.closest(CONTROL);
  const operates = event.key === " " || event.key === "Enter" || event.key.startsWith("Arrow");
  return Boolean(operates && control && !root.contains(control));
}

function actOf(key, data) {
  if (key === "h" || key === "H") return { act: "help" };
  if (data.editing) return null;
  if (/^[1-9]$/.test(key)) {
    const reason = data.reasons[Number(key) - 1];
    return reason ? { act: "reject", reason: reason.name } : null;
  }
  const found = data.keys.find((one) => one.key.toLowerCase() === key.toLowerCase());
  return found && !found.disabled ? { act: found.act } : null;
}

class Row {
  constructor(root) {
    this.root = root;
    this.sent = null;
    this.box = node("div", "box");
    root.appendChild(this.box);
    this.onKey = (event) => this.press(event);
    this.onKeyUp = (event) => {
      // Space would click a focused button of this row when it is let go.
      if (event.key === " " && this.root.contains(event.composedPath()[0])) event.preventDefault();
    };
    document.addEventListener("keydown", this.onKey, true);
    this.onClick = (event) => {
      // A choice is made from a list: give the keys back to the card.
      if (event.target.closest?.("[role=option]")) setTimeout(leaveClosedList, LIST_CLOSES);
    };
    document.addEventListener("keyup", this.onKeyUp, true);
    document.addEventListener("click", this.onClick, true);
  }

  close() {
    document.removeEventListener("keydown", this.onKey, true);
    document.removeEventListener("keyup", this.onKeyUp, true);
    document.removeEventListener("click", this.onClick, true);
  }

  press(event) {
    if (!this.box.isConnected) return this.close();
    if (isTaken(event, this.root)) return;
    if (event.key === "Escape" && this.help && !this.help.hidden) return this.toggleHelp();
    // A held Enter would click the focused button of this row again and again.
    if (event.key === "Enter" && event.repeat && this.root.contains(event.composedPath()[0])) event.preventDefault();
    const act = actOf(event.key, this.data);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.repeat) return;
    if (act.act === "help") this.toggleHelp();
    else this.send(act);
  }

  send(act) {
    const now = performance.now();
    if (this.sent === this.data.ticket && now - this.sentAt < RESEND_AFTER) return;
    this.sent = this.data.ticket;
    this.sentAt = now;
    this.box.classList.add("sent");
    this.setTriggerValue("act", { ticket: this.data.ticket, reason: "", ...act });
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
  }

  draw(data, setTriggerValue) {
    this.data = data;
    this.setTriggerValue = setTriggerValue;
    this.sent = null;
    this.box.classList.remove("sent");
    this.box.dataset.ticket = data.ticket;
    const drawn = JSON.stringify({ ...data, ticket: "" });
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const held = this.box.querySelector("button:focus")?.dataset.name ?? this.root.activeElement?.dataset?.name;
    const wasOpen = this.help && !this.help.hidden;
    const row = node("div", "row");
    for (const one of data.keys) row.appendChild(this.button(one));
    const help = node("button", "quiet", "?");
    help.title = "Keys (h)";
    help.dataset.name = "help";
    help.setAttribute("aria-label", "Keys");
    help.onclick = () => this.toggleHelp();
    row.appendChild(help);
    const reasons = node("div", "reasons");
    reasons.setAttribute("aria-label", "Reject with a reason");
    data.reasons.forEach((reason, i) => reasons.appendChild(this.reason(reason, i + 1)));
    this.help = this.helpPanel(data);
    this.help.hidden = !wasOpen;
    this.box.replaceChildren(this.help, row, reasons);
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

  helpPanel(data) {
    const panel = node("div", "help");
    panel.setAttribute("role", "note");
    panel.append(node("strong", "", "Keys"));
    const list = node("dl");
    const rows = [...data.keys.map((one) => [one.shown, one.title]), ["1–9", "Reject with that reason"],
      ["h", "Show or hide this list"]];
    for (const [key, title] of rows) {
      const shown = node("dt");
      shown.append(node("kbd", "", key));
      list.append(shown, node("dd", "", title));
    }
    panel.append(list, node("p", "", "A key typed into a text field decides nothing. A held key decides once."));
    return panel;
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
