// A site's pages: what is drawn on each, and addresses such as #/L7H3/3/12.5 (passage 3, query 12, key 5).
// Everything is a classic script and data arrives by scripts, so that a page works when it is opened from disk.
// Texts only ever become text nodes.

const headscript = (() => {
  const { page, root } = document.body?.dataset ?? {};
  const taken = {}; // data of heads, by name
  const waiting = {};
  let passages, palette;

  const byId = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // What draws stands behind a shadow root: its style sheet names plain elements.
  function mount(name, host) {
    const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const sheet = make("style", "", STYLES[name]);
    const place = make("div");
    shadow.replaceChildren(sheet, place);
    return (data, handlers = {}) =>
      COMPONENTS[name]({ data, parentElement: place, setStateValue() {}, setTriggerValue() {}, ...handlers });
  }

  function load(name) {
    waiting[name] ??= new Promise((done, failed) => {
      if (taken[name]) return done(taken[name]);
      const script = make("script");
      script.src = `${document.body.dataset.root}data/${name}.js`;
      script.onload = () => done(taken[name]);
      script.onerror = () => failed(new Error(`${script.src} is missing`));
      document.head.append(script);
    });
    return waiting[name];
  }

  async function inflated(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  const cellCount = (n) => (palette.causal ? (n * (n + 1)) / 2 : n * n);
  const cellOf = (n, q, k) => (palette.causal ? (q * (q + 1)) / 2 + k : q * n + k);

  // Where each passage's cells begin, and behind the last one how many there are.
  function starts() {
    const found = [0];
    for (const { tokens } of passages) found.push(found.at(-1) + cellCount(tokens.length));
    return found;
  }

  // A head's maps; of one with a program also that, and what its lines did. Each is unpacked once.
  async function unpacked(name) {
    const data = await load(name);
    data.open ??= (async () => {
      const [maps, program, cells] = await Promise.all([data.maps, data.program, data.cells].map((one) => one && inflated(one)));
      return { maps, program, cells };
    })();
    return { ...data, ...(await data.open) };
  }

  // The bytes that maps.js reads: a header, then the cells of head and program.
  function payload(header, maps) {
    const text = new TextEncoder().encode(JSON.stringify(header));
    const size = maps.reduce((sum, one) => sum + one.length, 0);
    const bytes = new Uint8Array(4 + text.length + size);
    new DataView(bytes.buffer).setUint32(0, text.length, true);
    bytes.set(text, 4);
    let at = 4 + text.length;
    for (const one of maps) {
      bytes.set(one, at);
      at += one.length;
    }
    return bytes;
  }

  // #/L7H3/3/12.5 or, on a head's own page, #/3/12.5; passages count from 1.
  function address() {
    const parts = decodeURIComponent(location.hash.replace(/^#\/?/, "")).split("/");
    const head = /^L\d+H\d+$/i.test(parts[0]) ? parts.shift().toUpperCase() : null;
    const [q, k] = /^(\d+)\.(\d+)$/.exec(parts[1] ?? "")?.slice(1).map(Number) ?? [];
    return { head, passage: /^\d+$/.test(parts[0] ?? "") ? Number(parts[0]) : null, cell: q === undefined ? null : [q, k], rest: parts };
  }

  function remember(text) {
    history.replaceState(null, "", text);
  }

  // One head

  const SIGNS = { "*": "×", "/": "÷", "-": "−" };
  const short = (number) => String(Number(number.toPrecision(3))).replace("-", "−");

  // The value of `q.prev.pos` for a pair; undefined where the passages do not tell it.
  function reading(source, attributes, query, key) {
    const [parameter, ...names] = source.split(".");
    let at = parameter === "q" ? query : key;
    for (const name of names.slice(0, -1)) at = attributes[name]?.at(at < 0 ? -1 : at) ?? -1;
    const column = attributes[names.at(-1)];
    return column?.[at < 0 ? column.length - 1 : at];
  }

  const shown = (value) =>
    value === true ? "yes" : value === false ? "no" : typeof value === "number" ? short(value) : `“${String(value).replaceAll("\n", "⏎")}”`;

  const tokenNamed = (tokens, at) => (at < 0 ? "no token" : `“${named(tokens[at])}” at ${at}`);

  const OPERATIONS = { "=": (_, b) => b, "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b,
    "//": (a, b) => Math.floor(a / b), "%": (a, b) => a - b * Math.floor(a / b), "**": (a, b) => a ** b };

  // The steps that a pair comes through, each with its operand.
  async function fired(data, at, query, key) {
    const place = starts()[at] + cellOf(passages[at].tokens.length, query, key);
    const total = starts().at(-1);
    const found = [];
    let block = 0;
    for (const step of data.steps) {
      const number = step.told ? data.cells[total * block++ + place] : 1;
      if (!number) continue;
      if (!step.look) found.push({ ...step, operand: step.values[number - 1] });
      else {
        const [head, plus, power] = step.look;
        const weight = ((await unpacked(head)).maps[place] / 255) ** 2;
        found.push({ ...step, operand: (weight + plus) ** power });
      }
    }
    return found;
  }

  // What heads_why.js is told of these steps.
  function lines(steps, at, query, key) {
    const { tokens, attributes } = passages[at];
    const locals = new Set(steps.filter((step) => step.kind === "number" && step.name).map((step) => step.name));
    const valueOf = { number: short, token: (one) => tokenNamed(tokens, one), boolean: (one) => shown(Boolean(one)), text: shown };
    return steps.map(({ line, name, operator, kind, because, reads, operand }) => {
      const effect = `${SIGNS[operator] ?? operator} ${valueOf[kind](operand)}`;
      return {
        line,
        effect: locals.size > 1 || kind !== "number" ? `${name || "return"} ${effect}` : effect,
        because: because.join(" and "),
        readings: reads.map((read) => [read, reading(read, attributes, query, key)])
          .filter(([, value]) => value !== undefined).map(([read, value]) => `${read}: ${shown(value)}`).join(" · "),
      };
    });
  }

  // The weight before its row is divided, as the steps replay to it; null where they do not say which local it is.
  function weightOf(steps) {
    const locals = {};
    for (const { name, operator, operand } of steps) locals[name] = OPERATIONS[operator](locals[name], operand);
    const names = Object.keys(locals);
    if ("" in locals) return Math.max(0, locals[""]);
    return names.length === 1 ? Math.max(0, locals[names[0]]) : null;
  }

  function conclusion(data, at, query, steps, share) {
    if (data.failures[at]) return `Here the program fails: ${data.failures[at]}`;
    const before = passages.slice(0, at).reduce((sum, one) => sum + one.tokens.length, 0);
    const total = data.totals[before + query];
    if (!total) return "Every weight of this row is 0, so the query attends to the first token.";
    const weight = weightOf(steps) ?? share * total;
    return `${short(weight)} of the row's ${short(total)} is ${short(weight / total)}`;
  }

  async function showHead() {
    const name = byId("head").dataset.head;
    for (const line of document.querySelectorAll("#program .line")) {
      const text = line.textContent;
      line.textContent = "";
      addWords(line, text);
    }
    const data = await unpacked(name);
    const select = byId("passage");
    const asked = address();
    const isHere = (at) => at !== null && at >= 0 && at < passages.length;
    let at = isHere(asked.passage === null ? null : asked.passage - 1) ? asked.passage - 1 : Number(select.value);
    let pins = asked.cell && inside(asked.cell) ? { queries: [asked.cell[0]], cell: asked.cell } : { queries: [], cell: null };
    let stamp = 0;
    let drawAttention, drawWhy;

    function inside([q, k]) {
      const n = passages[at].tokens.length;
      return q < n && k < n && (!palette.causal || k <= q);
    }

    function slice(cells) {
      const [from, to] = starts().slice(at, at + 2);
      return cells.slice(from, to);
    }

    function draw() {
      drawAttention = mount("attention", byId("attention"));
      drawWhy = mount("why", byId("why"));
      update();
    }

    function update() {
      select.value = String(at);
      const failure = byId("failure");
      failure.hidden = !data.failures[at];
      failure.textContent = data.failures[at] ? `On this passage the program fails: ${data.failures[at]}` : "";
      const tokens = passages[at].tokens;
      const header = { id: `${name}/${at}/${palette.causal}`, stamp: ++stamp, tokens, title: name, pins, n: tokens.length, count: 2,
        causal: palette.causal, depth: 1, digits: 2, rests: data.rests[at], ...palette };
      drawAttention(payload(header, [slice(data.maps), slice(data.program)]), { setStateValue: (_, told) => pin(told) });
      explain();
    }

    function pin(told) {
      pins = told;
      explain();
    }

    async function explain() {
      const cell = pins.cell;
      const asked = `${at} ${cell}`;
      remember(`#/${at + 1}${cell ? `/${cell.join(".")}` : ""}`);
      byId("link").href = `../index.html#/${name}/${at + 1}${cell ? `/${cell.join(".")}` : ""}`;
      explain.asked = asked;
      const steps = cell ? await fired(data, at, ...cell) : [];
      if (explain.asked !== asked) return; // pinned something else meanwhile
      for (const line of document.querySelectorAll("#program .line"))
        line.classList.toggle("fired", steps.some((one) => one.line === Number(line.dataset.line)));
      if (!cell) return drawWhy({ pair: null });
      const [q, k] = cell;
      const { tokens } = passages[at];
      const place = cellOf(tokens.length, q, k);
      const [head, program] = [slice(data.maps)[place], slice(data.program)[place]].map((byte) => (byte / 255) ** 2);
      drawWhy({ pair: [tokens[q], tokens[k]], positions: cell, head, program, digits: 3, lines: lines(steps, at, q, k),
        conclusion: conclusion(data, at, q, steps, program) });
    }

    select.onchange = () => {
      at = Number(select.value);
      pins = { queries: [], cell: null };
      update();
    };
    window.addEventListener("hashchange", () => {
      const asked = address();
      if (isHere(asked.passage - 1)) at = asked.passage - 1;
      pins = asked.cell && inside(asked.cell) ? { queries: [asked.cell[0]], cell: asked.cell } : { queries: [], cell: null };
      update();
    });
    draw();
    return draw;
  }

  // The first page

  function overview(heads, colours) {
    const told = Object.fromEntries(heads.map((head) => [head.name, head]));
    const links = [...document.querySelectorAll(".map a")];
    const readout = byId("readout");
    const hint = readout.textContent;
    const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    const ramp = (stops, x) => {
      const place = Math.min(Math.max(x, 0), 1) * (stops.length - 1);
      const low = Math.min(Math.floor(place), stops.length - 2);
      const [a, b] = [rgb(stops[low]), rgb(stops[low + 1])];
      return a.map((one, c) => Math.round(one + (place - low) * (b[c] - one)));
    };
    const isLight = (colour) => {
      const [r, g, b] = colour.map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179;
    };
    const scales = {
      iou: [colours.sequential, (x) => x, "0", "1"],
      resolved: [colours.sequential, (x) => x, "0", "1"],
      lift: [colours.diverging, (x) => x + 0.5, "−0.5", "+0.5"],
      twin: [colours.diverging, (x) => x + 0.5, "−0.5", "+0.5"],
    };

    function colour(by) {
      const named = colours[by];
      for (const link of links) {
        const value = told[link.dataset.head][by];
        const found = named ? rgb(named[value] ?? "#9aa3b2") : value === null ? [138, 143, 156] : ramp(scales[by][0], scales[by][1](value));
        link.style.background = `rgb(${found.join(",")})`;
        link.style.color = isLight(found) ? "#000" : "#fff";
      }
      for (const button of byId("colours").querySelectorAll("button")) button.setAttribute("aria-pressed", button.dataset.colour === by);
      legend(by, named);
    }

    function legend(by, named) {
      const box = byId("legend");
      box.replaceChildren();
      if (named) {
        const found = new Set(heads.map((head) => head[by]));
        for (const [word, hue] of Object.entries(named)) {
          if (!found.has(word)) continue;
          const one = make("span");
          const dot = make("i", "dot");
          dot.style.background = hue;
          one.append(dot, word);
          box.append(one);
        }
        return;
      }
      const strip = make("i");
      strip.style.background = `linear-gradient(90deg, ${scales[by][0].join(",")})`;
      box.append(make("span", "", scales[by][2]), strip, make("span", "", scales[by][3]));
    }

    function tell(name) {
      readout.replaceChildren();
      if (!name) return readout.append(hint);
      const head = told[name];
      const resolved = head.resolved === null || head.resolved === head.iou ? "" : `, resolved ${head.resolved.toFixed(2)}`;
      const rung = head.rung === "not audited" ? "" : ` · ${head.rung}`;
      readout.append(make("b", "", name), ` IoU ${head.iou.toFixed(2)}${resolved} · lift ${head.lift < 0 ? "−" : "+"}${Math.abs(head.lift).toFixed(2)} · ${head.category} · ${head.verdict}${rung}`,
        make("br"), head.summary);
    }

    byId("colours").onclick = (event) => event.target.dataset.colour && colour(event.target.dataset.colour);
    const map = document.querySelector(".map");
    map.onpointerover = (event) => tell(event.target.dataset.head);
    map.onpointerleave = () => tell(null);
    map.addEventListener("focusin", (event) => tell(event.target.dataset.head));
    map.onkeydown = (event) => {
      const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
      const at = /^L(\d+)H(\d+)$/.exec(event.target.dataset.head ?? "");
      if (!step || !at) return;
      event.preventDefault();
      let [layer, head] = at.slice(1).map(Number);
      for (let tries = 0; tries < 999; tries++) {
        [layer, head] = [layer + step[0], head + step[1]];
        const next = map.querySelector(`[data-head="L${layer}H${head}"]`);
        if (next) {
          event.target.tabIndex = -1;
          next.tabIndex = 0;
          return next.focus();
        }
      }
    };
    if (!links.some((link) => link.tabIndex === 0) && links[0]) links[0].tabIndex = 0;
  }

  // The list

  function search(sources) {
    const rows = [...document.querySelectorAll("#list tbody tr")];
    const field = byId("words");
    const told = rows.map((row) => `${row.textContent}\n${sources[row.dataset.head]}`.toLowerCase());

    function find() {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      rows.forEach((row, i) => {
        const fits = words.every((word) => told[i].includes(word));
        row.hidden = !fits;
        count += fits;
        const hit = row.querySelector(".hit");
        const line = fits && words.length ? sources[row.dataset.head].split("\n").find((one) => !one.includes('"""') && words.some((word) => one.toLowerCase().includes(word))) : undefined;
        hit.hidden = line === undefined;
        hit.textContent = line?.trim() ?? "";
      });
      byId("found").textContent = `${count} head${count === 1 ? "" : "s"}`;
      remember(field.value ? `#/find/${encodeURIComponent(field.value)}` : "#/");
    }

    field.oninput = find;
    let sorted = "place";
    document.querySelector("#list thead").onclick = (event) => {
      const by = event.target.dataset.sort;
      if (!by) return;
      const sign = by === "place" || by === sorted ? 1 : -1;
      sorted = by === sorted ? "" : by;
      rows.sort((a, b) => sign * (Number(a.dataset[by]) - Number(b.dataset[by])));
      document.querySelector("#list tbody").append(...rows);
      rows.forEach((row, i) => (told[i] = `${row.textContent}\n${sources[row.dataset.head]}`.toLowerCase()));
    };
    const { rest } = address();
    if (rest[0] === "find") {
      field.value = rest.slice(1).join("/");
      find();
    }
  }

  // The circuit

  function circuit(data) {
    const place = (name) => {
      const at = /^L(\d+)H(\d+)$/.exec(name ?? "");
      return at ? Number(at[1]) * data.heads + Number(at[2]) : null;
    };
    const name = (at) => `L${Math.floor(at / data.heads)}H${at % data.heads}`;
    const draw = () =>
      mount("circuit", byId("circuit"))({ ...data, selected: place(address().head), stamp: 0 }, {
        setStateValue: (_, at) => remember(at === null ? "#/" : `#/${name(at)}`),
        setTriggerValue: (_, at) => location.assign(data.links.replace("{name}", name(at))),
      });
    draw();
    return draw;
  }

  // Light or dark; what was drawn is drawn again in the other colours.
  function watchTheme(redraw) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
    byId("theme").onclick = () => {
      document.documentElement.dataset.theme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem("headscript-theme", document.documentElement.dataset.theme);
      } catch {
        // storage is forbidden: until the page is left
      }
      redraw();
    };
    dark.addEventListener("change", redraw);
  }

  // An address of the first page that names a head leads to the head's own page.
  function follow() {
    const { head, passage, cell, rest } = address();
    const known = head && document.querySelector(`.map [data-head="${head}"]`);
    if (known) location.replace(`heads/${head}.html${passage ? `#/${passage}${cell ? `/${cell.join(".")}` : ""}` : ""}`);
    else if (["heads", "circuit", "hybrids", "decisions", "glossary", "about"].includes(rest[0])) location.replace(`${rest[0]}.html`);
    else if (head) byId("readout").textContent = `This site shows no program of ${head}.`;
  }

  let redraw = () => {};
  if (page === "overview") {
    follow();
    window.addEventListener("hashchange", follow);
  }
  watchTheme(() => redraw());
  const start = (made) => Promise.resolve(made).then((draw) => (redraw = draw ?? redraw));
  // Scripts with data come after this one; the head's own is the last.
  document.addEventListener("DOMContentLoaded", () => {
    if (page === "head") start(showHead()).catch((error) => {
      byId("failure").hidden = false;
      byId("failure").textContent = `The maps cannot be drawn: ${error.message}`;
      throw error;
    });
  });

  return {
    take: (name, data) => (taken[name] = data),
    passages: (given, colours) => ([passages, palette] = [given, colours]),
    overview,
    search,
    circuit: (data) => start(circuit(data)),
  };
})();
