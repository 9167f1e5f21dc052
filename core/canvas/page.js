// What every page tells the browser: code, tokens and figures are not to be translated, and nothing is to be
// asked of another host. A header would say the second before anything is loaded, but Streamlit sends none.

const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:", // charts are compiled, components are blobs
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'self'",
  "form-action 'self'",
].join("; ");

export default function () {
  document.documentElement.setAttribute("translate", "no");
  document.documentElement.classList.add("notranslate");
  if (document.head.querySelector("meta[http-equiv=Content-Security-Policy]")) return;
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = POLICY;
  document.head.appendChild(policy);
}
