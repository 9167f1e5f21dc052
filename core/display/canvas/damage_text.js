// Passages of tokens shaded by what a hybrid does to them. A click, or Enter on the token that the arrows lead to,
// picks one; hovering tells its figures.

export default function ({ data, parentElement, setStateValue }) {
  const drawn = JSON.stringify(data);
  if (parentElement.drawn === drawn && parentElement.querySelector(".passages")) return;
  parentElement.drawn = drawn;
  const had = parentElement.querySelector(".passages")?.contains(parentElement.getRootNode().activeElement);
  parentElement.querySelector(".passages")?.remove();
  const passages = element("div", "passages", parentElement);
  const tokens = [];
  data.passages.forEach((passage, row) => {
    element("div", "label", passages, passage.label);
    const text = element("p", "passage", passages);
    passage.tokens.forEach((token, place) => {
      const span = element("span", "token", text, token.text);
      span.title = token.told;
      if (token.background) {
        span.style.backgroundColor = token.background;
        span.style.color = token.ink;
      }
      if (!data.picks || !place) return; // nothing predicts the first token
      const at = tokens.push(span) - 1;
      span.setAttribute("role", "button");
      span.setAttribute("aria-label", `${token.text.trim()}: ${token.told}`);
      const isPicked = data.picked?.[0] === row && data.picked?.[1] === place;
      span.setAttribute("aria-pressed", isPicked);
      span.tabIndex = -1;
      if (isPicked) parentElement.at = at;
      span.onclick = () => pick(at, [row, place]);
      span.onkeydown = (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (event.key === "Enter" || event.key === " ") pick(at, [row, place]);
        else if (step && tokens[at + step]) lead(at + step);
        else return;
        event.preventDefault();
      };
    });
  });
  if (!tokens.length) return;
  parentElement.at = Math.min(parentElement.at ?? 0, tokens.length - 1);
  tokens[parentElement.at].tabIndex = 0;
  if (had) tokens[parentElement.at].focus({ preventScroll: true });

  function lead(at) {
    tokens[parentElement.at].tabIndex = -1;
    parentElement.at = at;
    tokens[at].tabIndex = 0;
    tokens[at].focus();
  }

  function pick(at, place) {
    lead(at);
    setStateValue("picked", [...place, Date.now()]); // the same token again asks anew
  }
}
