// A line of a program with its keywords, texts and numbers marked. Program text is only ever set as text.

const WORDS = /("""[^]*?"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\b(def|if|elif|else|return|and|or|not|in|pass|True|False)\b|(\b\d[\d_.]*(?:e[+-]?\d+)?)|(\*\*|[-+*/%<>=!]=?)|(#.*)/g;
const KINDS = ["string", "keyword", "number", "operator", "comment"];

function addWords(place, text) {
  let end = 0;
  for (const found of text.matchAll(WORDS)) {
    place.append(text.slice(end, found.index));
    const word = document.createElement("span");
    word.className = KINDS[found.slice(1).findIndex((part) => part !== undefined)];
    word.textContent = found[0];
    place.append(word);
    end = found.index + found[0].length;
  }
  place.append(text.slice(end));
}
