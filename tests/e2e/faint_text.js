// Text whose contrast with what lies behind it is below WCAG's level AA: 4.5, or 3 for large text.
() => {
  const OF_CHART = ".mark-text:not(.role-mark) text"; // beside what a chart draws, not on it
  const rgba = (written) => {
    const [r, g, b, a = 1] = (written.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => below.map((channel, i) => top[i] * top[3] + channel * (1 - top[3]));
  const luminance = (colour) => {
    const [r, g, b] = colour.map((channel) => {
      const share = channel / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parent = (element) => element.parentElement ?? element.getRootNode().host ?? null;
  const ancestors = (element) => (element ? [element, ...ancestors(parent(element))] : []);
  const behind = (element) =>
    ancestors(element)
      .map((one) => rgba(getComputedStyle(one).backgroundColor))
      .reverse()
      .reduce((below, colour) => over(colour, below), [255, 255, 255]);
  const ink = (element) => {
    const style = getComputedStyle(element);
    const [r, g, b, a] = rgba(element.matches(OF_CHART) ? style.fill : style.color);
    return [r, g, b, ancestors(element).reduce((share, one) => share * getComputedStyle(one).opacity, a)];
  };
  const contrast = (element) => {
    const background = behind(element);
    const colour = ink(element);
    const [low, high] = [luminance(over(colour, background)), luminance(background)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const isLarge = ({ fontSize, fontWeight }) =>
    parseFloat(fontSize) >= 24 || (parseFloat(fontSize) >= 18.66 && fontWeight >= 700);
  const everything = (root) =>
    [...root.querySelectorAll("*")].flatMap((one) => [one, ...(one.shadowRoot ? everything(one.shadowRoot) : [])]);
  const words = (element) =>
    [...element.childNodes].filter((one) => one.nodeType === Node.TEXT_NODE).map((one) => one.data.trim()).join("");
  // A slider's value is written above its thumb, not on it.
  const left = "svg, style, script, [aria-hidden=true], :disabled, [aria-disabled=true], [data-testid=stSliderThumbValue]";
  return everything(document)
    .filter((one) => words(one) && one.checkVisibility({ visibilityProperty: true }) && ink(one)[3] > 0)
    .filter((one) => one.matches(OF_CHART) || !one.closest(left))
    .filter((one) => contrast(one) < (isLarge(getComputedStyle(one)) ? 3 : 4.5))
    .map((one) => `${words(one).slice(0, 40)}: ${contrast(one).toFixed(2)}`);
}
