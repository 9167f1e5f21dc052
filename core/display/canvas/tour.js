// Five steps through the app, each on its page with a frame around what it speaks of. Shown once unasked; where
// one is, and that one has seen it, the browser keeps.

const SEEN = "headscript-tour-seen";
const AT = "headscript-tour-step"; // while it is under way
const FOLLOWS = 250; // ms between two looks at where the framed thing is

class Tour {
  constructor(steps, card, ring) {
    Object.assign(this, { steps, card, ring });
  }

  close() {
    clearInterval(this.follows);
    this.ring.hidden = true;
  }

  // Goes on where a reload or another page interrupted it, or begins where it is offered for the first time;
  // on the page at hand, for a link to another leads where it says.
  resume(isOffered) {
    if (this.isOpen()) return;
    const at = sessionStorage.getItem(AT);
    if (at !== null || (isOffered && !localStorage.getItem(SEEN))) this.show(Number(at), false);
  }

  isOpen() {
    return this.card.matches(":popover-open");
  }

  show(at, goes = true) {
    const step = this.steps[at];
    if (!step) return this.end();
    this.at = at;
    localStorage.setItem(SEEN, "yes");
    sessionStorage.setItem(AT, String(at));
    this.draw(step);
    if (goes && this.page() !== step.page) this.go(step.page);
    clearInterval(this.follows);
    this.follows = setInterval(() => this.follow(), FOLLOWS);
    this.follow();
  }

  page() {
    return location.pathname.split("/").at(-1);
  }

  go(page) {
    const links = [...document.querySelectorAll("[data-testid=stSidebarNavLink]")];
    const link = links.find((one) => new URL(one.href).pathname.split("/").at(-1) === page);
    if (link) link.click();
    else location.assign(`${location.pathname.replace(/[^/]*$/, "")}${page}`);
  }

  draw(step) {
    this.card.replaceChildren();
    this.card.setAttribute("aria-label", "Tour");
    element("p", "count", this.card, `Tour · ${this.at + 1} of ${this.steps.length}`);
    element("p", "title", this.card, step.title);
    element("p", "", this.card, step.words);
    const row = element("div", "row", this.card);
    const end = element("button", "", row, "End the tour");
    end.onclick = () => this.end();
    if (this.at) element("button", "", row, "Back").onclick = () => this.show(this.at - 1);
    const isLast = this.at + 1 === this.steps.length;
    const next = element("button", "primary", row, isLast ? "Done" : "Next");
    next.onclick = () => this.show(this.at + 1);
    this.card.showPopover();
  }

  // The frame follows what it is around; the card keeps to the corner where it covers least of that.
  follow() {
    const found = this.page() === this.steps[this.at].page && document.querySelector(this.steps[this.at].around);
    const box = found?.getBoundingClientRect?.();
    const isSeen = Boolean(box?.width && box.bottom > 0 && box.top < innerHeight);
    this.ring.hidden = !isSeen;
    const card = this.card.getBoundingClientRect();
    const corners = [["auto", "1rem"], ["1rem", "auto"]].map(([top, bottom]) => ({ top, bottom,
      from: top === "auto" ? innerHeight - 16 - card.height : 16 }));
    const covered = ({ from }) => isSeen && box.right > innerWidth - 16 - card.width
      ? Math.max(0, Math.min(box.bottom, from + card.height) - Math.max(box.top, from)) : 0;
    const best = corners.sort((a, b) => covered(a) - covered(b))[0];
    Object.assign(this.card.style, { top: best.top, bottom: best.bottom });
    if (!isSeen) return;
    const top = Math.max(0, box.top - 4);
    Object.assign(this.ring.style, { left: `${box.left - 4}px`, top: `${top}px`, width: `${box.width + 8}px`,
      height: `${Math.min(innerHeight, box.bottom + 4) - top}px` });
  }

  end() {
    this.close();
    sessionStorage.removeItem(AT);
    if (this.isOpen()) this.card.hidePopover();
  }
}

