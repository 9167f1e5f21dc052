// Why the pinned cell weighs what it does. Program text and tokens are only ever set as text.

export default function ({ data, parentElement }) {
  parentElement.querySelector(".why")?.remove();
  const root = element("section", "why", parentElement);
  root.setAttribute("aria-live", "polite");
  element("h2", "", root, "why this weight");
  if (!data.pair) {
    element("p", "hint", root, "Click a cell, or a token, to see the lines of the program that fired for it.");
    return;
  }
  const pair = element("p", "pair", root);
  element("b", "", pair, named(data.pair[0]));
  element("span", "", pair, " → ");
  element("b", "", pair, named(data.pair[1]));
  element("span", "hint", pair, `  tokens ${data.positions[0]} and ${data.positions[1]}`);
  const weights = element("p", "weights", root);
  element("span", "", weights, `head ${data.head.toFixed(data.digits ?? 4)}`);
  element("span", "", weights, `program ${data.program.toFixed(data.digits ?? 4)}`);
  const list = element("ol", "", root);
  for (const line of data.lines) {
    const item = element("li", "", list);
    element("span", "line", item, `line ${line.line}`);
    element("b", "", item, line.effect);
    if (line.because) element("code", "", item, line.because);
    if (line.readings) element("span", "readings", item, line.readings);
  }
  element("p", "conclusion", root, data.conclusion);
}
