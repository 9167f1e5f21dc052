// The scenes of a talk: one key leads to the next, and so does a presenter's remote control, which sends PageDown.

const NEXT = [" ", "ArrowRight", "PageDown", "Enter"];
const BACK = ["ArrowLeft", "PageUp", "Backspace"];
const TYPES = "input, textarea, select, [contenteditable], [role=application]";

class Stage {
  constructor(parent) {
    this.root = document.createElement("nav");
    this.root.className = "stage";
    this.root.setAttribute("aria-label", "Scenes");
    parent.appendChild(this.root);
    this.onKey = (event) => this.press(event);
    document.addEventListener("keydown", this.onKey);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    this.root.remove();
  }

  press(event) {
    if (!this.root.isConnected) return this.close();
    const target = event.composedPath()[0];
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || target.closest?.(TYPES)) return;
    const jump = /^[1-9]$/.test(event.key) ? Number(event.key) : null;
    const scene = jump ?? (NEXT.includes(event.key) ? this.shown + 1 : BACK.includes(event.key) ? this.shown - 1 : null);
    if (scene === null) return;
    event.preventDefault();
    this.go(scene);
  }

  go(scene) {
    if (scene < 1 || scene > this.data.scenes.length || scene === this.shown) return;
    this.shown = scene;
    this.mark();
    this.tell(scene);
  }

  mark() {
    [...this.root.querySelectorAll("button")].forEach((button, i) => {
      if (i + 1 === this.shown) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
  }

  draw(data, tell) {
    this.tell = tell;
    const drawn = JSON.stringify(data);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.data = data;
    this.shown = data.scene;
    this.root.replaceChildren(...data.scenes.map((name, i) => {
      const button = document.createElement("button");
      button.textContent = `${i + 1} ${name}`;
      button.onclick = () => {
        this.go(i + 1);
        button.blur(); // the keys stay the stage's
      };
      return button;
    }));
    const keys = document.createElement("span");
    keys.className = "keys";
    const key = document.createElement("kbd");
    key.textContent = "Space";
    keys.append(key, " next scene");
    this.root.append(keys);
    this.mark();
  }
}

export default function ({ data, parentElement, setStateValue }) {
  parentElement.stage ??= new Stage(parentElement);
  parentElement.stage.draw(data, (scene) => setStateValue("scene", scene));
  return () => {
    parentElement.stage?.close();
    parentElement.stage = null;
  };
}
