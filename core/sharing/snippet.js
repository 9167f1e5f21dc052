// Hands the bytes in #told to the attention view of core/display/canvas, behind a shadow root since its styles name plain elements.
const bytes = Uint8Array.from(atob(document.getElementById("told").textContent), (letter) => letter.charCodeAt(0));
const shadow = document.getElementById("view").attachShadow({ mode: "open" });
const place = document.createElement("div");
shadow.append(Object.assign(document.createElement("style"), { textContent: sheet }), place);
draw({ data: bytes, parentElement: place, setStateValue() {} });
