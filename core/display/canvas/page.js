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

// An address that only says more of the same place, as a page does once it knows what it shows, is no place to
// go back to.
function goBackInOne() {
  // On Review cards follow each other by themselves; its history leads back to them.
  const passes = (to, name) => to.pathname.endsWith("/review") && ["head", "program"].includes(name);
  const push = history.pushState;
  if (push.saysMore) return;
  history.pushState = function (state, title, address) {
    const [from, to] = [new URL(location.href), new URL(address ?? location.href, location.href)];
    const isSame = from.pathname === to.pathname && [...from.searchParams].every(([name, value]) => to.searchParams.get(name) === value || passes(to, name));
    return (isSame ? history.replaceState : push).call(history, state, title, address);
  };
  history.pushState.saysMore = true;
}

// Streamlit gives the field for a file a name and says at once that it is nothing, which does not go together.
function nameUploads() {
  const body = document.body;
  if (body.namesUploads) return;
  body.namesUploads = new MutationObserver(() => {
    for (const field of body.querySelectorAll("[data-testid=stFileUploaderDropzone][role=presentation]")) field.setAttribute("role", "group");
  });
  body.namesUploads.observe(body, { childList: true, subtree: true });
}

export default function () {
  goBackInOne();
  nameUploads();
  document.documentElement.setAttribute("translate", "no");
  document.documentElement.classList.add("notranslate");
  if (document.head.querySelector("meta[http-equiv=Content-Security-Policy]")) return;
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = POLICY;
  document.head.appendChild(policy);
}
