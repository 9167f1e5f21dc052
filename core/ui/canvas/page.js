// What every page tells the browser: code, tokens and figures are not to be translated.

export default function () {
  document.documentElement.setAttribute("translate", "no");
  document.documentElement.classList.add("notranslate");
}
