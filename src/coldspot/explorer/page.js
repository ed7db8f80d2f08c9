"use strict";
const $ = id => document.getElementById(id);
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#AA4499", "#E69F00", "#56B4E9"];
const DASHES = ["", "8 3", "8 3 2 3", "2 2", "12 3", "5 2 2 2 2 2"];
const UNITS = {energy: "E", potential: "E", voltage: "E/e", temperature: "E/k", rate: "E/ħ", time: "ħ/E", angle: "rad"};
const RATES = {heat: "E²/ħ", work: "E²/ħ", "power of drives": "E²/ħ", "chemical work": "E²/ħ", particles: "E/ħ", "entropy production": "k E/ħ", "mode frequencies": "E/ħ", "mode dampings": "E/ħ", T: "E/k", μ: "E"};
let subject = null, texts = {}, axes = {}, seen = null, traces = null, frame = null, code = null;

// ------------------------------------------------------------------ numbers

// Small numbers by their power: zeros behind the point would push a column off the page.
const plainly = v => v === 0 || (Math.abs(v) >= 1e-4 && Math.abs(v) < 1e7);
const shown = (v, digits = 6) => {
  if (v === null || v === undefined) return "–";
  const rounded = Number(v.toPrecision(digits));
  return (plainly(rounded) ? String(rounded) : rounded.toExponential().replace("+", "")).replaceAll("-", "−");
};
const rough = v => v === null ? "" : v === 0 ? "0" : v.toExponential(0).replace("+", "").replace("-", "−");
const value = path => Number(texts[path]);
const slider = path => subject.sliders.find(s => s.path === path);
const unit = () => $("unit").value.trim() || null;

function unitOf(s) {
  if (s.dimension === "angle") return "rad";
  if (!UNITS[s.dimension]) return "";
  return unit() === null ? UNITS[s.dimension] : UNITS[s.dimension].replace("E", unit());
}

// What is drawn or listed, with its unit; only E stands for the unit of energy.
const rated = name => RATES[name] ? RATES[name].replace("E", unit() ?? "E") : "";
const withUnit = name => rated(name) ? `${name} (${rated(name)})` : name;

// 0 … 1 along a range, and back.
const along = (r, v) => r.log ? Math.log(v / r.low) / Math.log(r.high / r.low) : (v - r.low) / (r.high - r.low);
const back = (r, t) => r.log ? r.low * (r.high / r.low) ** t : r.low + t * (r.high - r.low);
const tidy = v => Number(v.toPrecision(4));

function ticks(r, most) {
  if (r.log) {
    const found = [];
    for (let e = Math.floor(Math.log10(r.low)); e <= Math.log10(r.high) + 1e-9; e++)
      for (const m of r.high / r.low < 30 ? [1, 2, 5] : [1]) {
        const v = m * 10 ** e;
        if (v >= r.low * (1 - 1e-9) && v <= r.high * (1 + 1e-9)) found.push(v);
      }
    return found.filter((_, k) => k % Math.ceil(found.length / most) === 0);
  }
  const raw = (r.high - r.low) / most, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * size).find(s => s >= raw);
  const found = [];
  for (let k = Math.ceil(r.low / step - 1e-9); k * step <= r.high + 1e-9 * step; k++) found.push(k * step);
  return found;
}

// ------------------------------------------------------------------ asking

async function ask(name, body) {
  const answer = await fetch("/api/" + name, {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body),
  }).catch(() => { throw new Error("the program `coldspot explore` does not answer; is it still running?"); });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

const question = more => ({machine: subject.name, values: texts, unit: unit(), x: axes.x, y: axes.y, ...more});

function complain(words) {
  $("error").hidden = !words;
  $("error").textContent = words || "";
}

// The newest setting alone is asked for; older ones that wait are dropped.
let busy = false, waiting = null, rest = 0;

function update(more) {
  clearTimeout(rest);
  waiting = more || {};
  pump();
}

async function pump() {
  if (busy || !waiting || !subject) return;
  const wanted = waiting, begun = performance.now();
  waiting = null;
  busy = true;
  document.body.dataset.state = "busy";
  const patience = setTimeout(() => { $("busy").textContent = seen ? "calculating …" : "compiling …"; }, 250);
  try {
    seen = DATA ? DATA.look : await ask("look", question(wanted));
    complain("");
    if (DATA) keep(DATA);
    draw();
  } catch (error) {
    complain(error.message);
  }
  clearTimeout(patience);
  busy = false;
  const spent = performance.now() - begun;
  $("busy").textContent = DATA ? "" : Math.round(spent) + " ms";
  document.body.dataset.milliseconds = spent.toFixed(1);
  if (waiting) pump();
  else {
    if (wanted.live) rest = setTimeout(() => update(), 300);
    document.body.dataset.state = wanted.live ? "moving" : "ready";
  }
}

// ------------------------------------------------------------------ sliders

function makeSliders() {
  $("sliders").replaceChildren(...subject.sliders.map(s => {
    const row = document.createElement("div"), id = "s-" + s.path;
    row.className = "slider";
    row.innerHTML = "<label></label><input type=text inputmode=decimal spellcheck=false><span></span><input type=range min=0 max=1000 step=1>";
    const [label, text, units, range] = row.children;
    label.append(...s.path.split(/(?<=[._])/).flatMap(part => [part, document.createElement("wbr")]));
    label.htmlFor = id;
    text.id = id;
    range.setAttribute("aria-label", s.path);
    range.dataset.path = text.dataset.path = s.path;
    text.title = s.units.length ? "a number, or with a unit of energy chosen also one in " + s.units.join(", ") : "a number";
    units.textContent = unitOf(s);
    range.oninput = () => { set(s.path, tidy(back(s, range.value / 1000))); text.value = texts[s.path]; };
    text.onchange = () => { set(s.path, text.value.trim()); moveRange(s, range); };
    if (DATA) text.readOnly = true;
    return row;
  }));
  subject.sliders.forEach(showValue);
}

function moveRange(s, range) {
  if (Number.isFinite(value(s.path))) range.value = 1000 * Math.min(1, Math.max(0, along(s, value(s.path))));
}

function showValue(s) {
  const [text, range] = document.querySelectorAll(`[data-path="${CSS.escape(s.path)}"]`);
  text.value = texts[s.path];
  moveRange(s, range);
}

function set(path, v) {
  if (DATA) return choose(path, v);
  texts[path] = String(v);
  traces = null;
  update({live: true});
}

// ------------------------------------------------------------------ pictures

const NS = "http://www.w3.org/2000/svg";

function add(parent, name, attributes, text) {
  const node = document.createElementNS(NS, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

// An empty picture with a frame and ticks; returns where values stand.
function framed(svg, height, x, y) {
  // Numbers, of some 7 pixels a digit, stand between the frame and the label.
  const marks = ticks(y, 6), digits = Math.max(...marks.map(v => shown(v).length));
  const width = svg.parentNode.clientWidth, box = {left: Math.max(58, 28 + 7 * digits), right: width - 10, top: 8, bottom: height - 40};
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = height + "px";
  svg.replaceChildren();
  box.X = v => box.left + along(x, v) * (box.right - box.left);
  box.Y = v => box.bottom - along(y, v) * (box.bottom - box.top);
  add(svg, "rect", {class: "frame", x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top});
  for (const v of ticks(x, width < 500 ? 4 : 7)) {
    add(svg, "line", {class: "frame", x1: box.X(v), x2: box.X(v), y1: box.bottom, y2: box.bottom + 4});
    add(svg, "text", {x: box.X(v), y: box.bottom + 17, "text-anchor": "middle"}, shown(v));
  }
  for (const v of marks) {
    add(svg, "line", {class: "frame", x1: box.left - 4, x2: box.left, y1: box.Y(v), y2: box.Y(v)});
    add(svg, "text", {x: box.left - 7, y: box.Y(v) + 4, "text-anchor": "end"}, shown(v));
  }
  add(svg, "text", {x: (box.left + box.right) / 2, y: height - 5, "text-anchor": "middle"}, x.label);
  if (y.label) add(svg, "text", {transform: `translate(11 ${(box.top + box.bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, y.label);
  return box;
}

const labelled = a => ({...a, label: a.path + (unitOf(slider(a.path)) ? ` (${unitOf(slider(a.path))})` : "")});

function drawMap() {
  const map = seen.map;
  $("map").hidden = !map;  // what is hidden has no width
  $("everything").hidden = Boolean(map || DATA) || !seen.seconds || !seen.point.baths.length || axes.x.path === axes.y.path;
  $("everything").textContent = `Draw map and curves (about ${Math.max(1, Math.round(seen.seconds))} s)`;
  $("map-legend").replaceChildren();
  if (!map) {
    $("map-note").textContent = seen.pending ? "Compiling the program for maps and curves …" : !seen.point.baths.length ? "This machine has no baths, and so no regimes; curves along a parameter stand below."
      : axes.x.path === axes.y.path ? "A map needs two different parameters." : DATA ? "Points of this machine take too long for a map." : "Points of this machine take a while: the map is drawn when you ask for it.";
    return;
  }
  const box = frame = framed($("map-frame"), Math.min($("map").clientWidth, 620), labelled(axes.x), labelled(axes.y));
  const n = map.size, pixels = $("pixels"), picture = new ImageData(n, n), codes = new Int8Array(n * n);
  pixels.width = pixels.height = n;
  Object.assign(pixels.style, {left: box.left + "px", top: box.top + "px", width: box.right - box.left + "px", height: box.bottom - box.top + "px"});
  let at = 0;
  for (let k = 0; k < map.runs.length; k += 2) { codes.fill(map.runs[k], at, at + map.runs[k + 1]); at += map.runs[k + 1]; }
  const rgb = {};
  for (const c in map.colours) rgb[c] = [1, 3, 5].map(i => parseInt(map.colours[c].slice(i, i + 2), 16));
  for (let row = 0; row < n; row++) for (let col = 0; col < n; col++) {
    const here = row * n + col, c = codes[here];
    const edge = (col + 1 < n && codes[here + 1] !== c) || (row + 1 < n && codes[here + n] !== c);
    picture.data.set([...(edge ? [0, 0, 0] : rgb[c]), 255], 4 * ((n - 1 - row) * n + col));
  }
  pixels.getContext("2d").putImageData(picture, 0, 0);
  const x = box.X(value(axes.x.path)), y = box.Y(value(axes.y.path));
  if (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom)
    for (const [colour, width] of [["#ffffff", 4], ["#000000", 1.6]])
      add($("map-frame"), "path", {d: `M${x - 11} ${y}h22M${x} ${y - 11}v22`, stroke: colour, "stroke-width": width, fill: "none"});
  legend($("map-legend"), Object.keys(map.names).map(c => [map.names[c], svg => add(svg, "rect", {width: 26, height: 12, fill: map.colours[c], stroke: "#888"})]));
  const bad = map.points ** 2 - map.trusted;
  $("map-note").textContent = `${map.points} × ${map.points} points` + (bad ? `, ${bad} of which cannot be trusted (white)` : "") + (DATA ? "" : "; click or drag to move the cross");
}

function legend(place, entries) {
  place.replaceChildren(...entries.map(([name, mark]) => {
    const item = document.createElement("span"), svg = add(item, "svg", {viewBox: "0 0 26 12"});
    mark(svg);
    item.append(name);
    return item;
  }));
}

function drawLines(svg, place, x, lines, here, group) {
  const label = withUnit(group);
  const known = Object.values(lines).flat().filter(v => v !== null);
  if (!known.length) {
    svg.replaceChildren();
    svg.style.height = "0";
    place.textContent = "Not defined here.";
    return;
  }
  let low = Math.min(...known), high = Math.max(...known);
  const room = (high - low) * .06 || Math.abs(high) * .1 || 1;
  const box = framed(svg, 260, x, {low: low - room, high: high + room, log: false, label});
  if (low - room < 0 && high + room > 0) add(svg, "line", {class: "zero", x1: box.left, x2: box.right, y1: box.Y(0), y2: box.Y(0)});
  if (here >= x.low && here <= x.high) add(svg, "line", {class: "here", x1: box.X(here), x2: box.X(here), y1: box.top, y2: box.bottom});
  // A bath has the colour that it has among the flows.
  const own = ["heat", "particles"].includes(group) ? Object.fromEntries(seen.point.baths.map(b => [b.name, b.colour])) : {};
  const rest = COLOURS.filter(c => !Object.values(own).includes(c));
  const strokes = Object.keys(lines).map((name, k) => own[name] ?? rest[k % rest.length]);
  const style = k => ({fill: "none", stroke: strokes[k], "stroke-width": 2, "stroke-dasharray": DASHES[k % 6]});
  Object.values(lines).forEach((values, k) => {
    let d = "", pen = "M";
    values.forEach((v, i) => {
      if (v === null) pen = "M";
      else { d += `${pen}${box.X(x.values[i]).toFixed(1)} ${box.Y(v).toFixed(1)}`; pen = "L"; }
    });
    add(svg, "path", {d, ...style(k)});
  });
  legend(place, Object.keys(lines).map((name, k) => [name, s => add(s, "path", {d: "M0 7H26", ...style(k)})]));
}

function options(select, names, kept) {
  select.replaceChildren(...names.map(name => new Option(name, name)));
  if (names.includes(kept)) select.value = kept;
}

function drawCurves() {
  const paths = seen.curves.map(c => c.path);
  $("curves-section").hidden = !paths.length;
  if (!paths.length) return;
  options($("curve-axis"), [...new Set(paths)], $("curve-axis").value);
  const curve = seen.curves[paths.indexOf($("curve-axis").value)];
  options($("curve-group"), Object.keys(curve.groups), $("curve-group").value);
  const x = labelled({path: curve.path, low: curve.x[0], high: curve.x.at(-1), log: curve.log});
  drawLines($("curve"), $("curve-legend"), {...x, values: curve.x}, curve.groups[$("curve-group").value], value(curve.path), $("curve-group").value);
}

function drawTraces() {
  $("traces-section").hidden = !subject.traceable || Boolean(DATA && !traces);
  $("trace-ask").hidden = Boolean(DATA);
  $("trace").parentNode.hidden = $("trace-legend").hidden = $("trace-group").parentNode.hidden = !traces;
  if (!traces) return;
  options($("trace-group"), Object.keys(traces.groups), $("trace-group").value);
  const x = {low: 0, high: 1, log: false, values: traces.time, label: "time / period"};
  drawLines($("trace"), $("trace-legend"), x, traces.groups[$("trace-group").value], NaN, $("trace-group").value);
}

function drawSankey() {
  const svg = $("sankey"), flows = seen.point.flows, height = 250;
  $("sankey-section").hidden = !flows.length;
  const width = svg.parentNode.clientWidth;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = height + "px";
  svg.replaceChildren();
  const most = Math.max(...flows.map(f => Math.abs(f.rate)), 0), middle = width / 2;
  if (!most) { add(svg, "text", {x: middle, y: height / 2, "text-anchor": "middle"}, "Nothing flows."); return; }
  const label = Math.min(150, width * .36), tall = 150;
  for (const side of [-1, 1]) {
    const mine = flows.filter(f => Math.sign(f.rate) === -side && Math.abs(f.rate) > 1e-9 * most).sort((a, b) => Math.abs(b.rate) - Math.abs(a.rate));
    const total = mine.reduce((sum, f) => sum + Math.abs(f.rate), 0), gap = mine.length > 1 ? (height - 30 - tall) / (mine.length - 1) : 0;
    let inner = height / 2 - tall / 2, outer = mine.length > 1 ? 15 : inner;
    const x = [8, .4, .6, 1].map((t, k) => middle + side * (k ? t * (middle - label) : t));
    for (const f of mine) {
      const w = Math.abs(f.rate) / total * tall;
      add(svg, "path", {fill: f.colour, "fill-opacity": .75, d: `M${x[0]} ${inner}C${x[1]} ${inner} ${x[2]} ${outer} ${x[3]} ${outer}V${outer + w}C${x[2]} ${outer + w} ${x[1]} ${inner + w} ${x[0]} ${inner + w}Z`});
      const lines = [...f.words.replace(/e(.)0(\d)/g, "e$1$2").split("\n"), shown(Math.abs(f.rate), seen.digits)], text = add(svg, "text", {"text-anchor": side > 0 ? "start" : "end"});
      lines.forEach((line, k) => add(text, "tspan", {x: x[3] + side * 5, y: outer + w / 2 + 4 + 14 * (k - (lines.length - 1) / 2)}, line));
      inner += w;
      outer += w + gap;
    }
  }
  add(svg, "rect", {x: middle - 8, y: height / 2 - tall / 2, width: 16, height: tall, fill: "currentColor"});
}

// ------------------------------------------------------------------ the point

function drawPoint() {
  const p = seen.point, r = p.record, si = p.si || {}, here = v => shown(v, seen.digits);
  const good = p.status === "OK";
  $("regime").textContent = good ? r.regime || "modes" : `No trustworthy solution (${p.status})`;
  const facts = [];
  for (const [key, name] of [["cop", "COP"], ["efficiency", "efficiency"]])
    if (good && r[key] !== null) facts.push(`${name} ${here(r[key])}` + (p.bound ? ` (Carnot ${here(p.bound[key])})` : ""));
  if (good) facts.push(...r.flags);
  $("facts").textContent = good ? facts.join(" · ") : p.words;
  const list = (node, items) => node.replaceChildren(...items.map(text => Object.assign(document.createElement("li"), {textContent: text})));
  list($("remarks"), p.cautions);
  drawLedger(p, seen.digits);
  const table = $("ledger");
  if (table.scrollWidth > table.parentNode.clientWidth) drawLedger(p, 4);
  $("ledger-section").hidden = !p.baths.length && !r.modes;
  const with_si = (name, v, key) => `${name} ${here(v)}` + (si[key] ? ` (${si[key]})` : "");
  const totals = p.baths.length ? [with_si("work in", r.work_in, "work_in"), with_si("entropy production", r.entropy_production, "entropy_production"), `first law off by ${rough(r.first_law_residual)}`] : [];
  if (r.modes) for (const key in r.modes) totals.push(`${key} ${[r.modes[key]].flat().map(here).join(", ")}`);
  for (const key in p.observables) totals.push(`${key} ${[p.observables[key]].flat().map(here).join(", ")}`);
  if (seen.digits < 6) totals.push(`to ${seen.digits} digits until it rests`);
  $("totals").textContent = totals.join(" · ");
}

function drawLedger(p, digits) {
  const r = p.record, si = p.si || {}, rows = [["bath", "T", "μ", "heat", "particles", "chemical work"]];
  const cell = (v, e, below) => ({text: shown(v, digits), title: e ? "± " + e.toExponential(1) : "", below});
  for (const b of p.baths) {
    const carries = b.chemical_potential !== null;
    rows.push([b.name, cell(b.temperature, 0, si.temperature?.[b.name]), carries ? cell(b.chemical_potential) : "",
      cell(r.heat[b.name], r.error.heat[b.name], si.heat?.[b.name]),
      carries ? cell(r.particles[b.name], r.error.particles[b.name], si.current?.[b.name]) : "",
      carries ? cell(r.chemical_work[b.name], r.error.chemical_work[b.name]) : ""]);
  }
  for (const d in r.work) rows.push(["work " + d, "", "", cell(r.work[d], r.error.work[d], si.work?.[d]), "", ""]);
  const used = rows[0].map((_, k) => rows.slice(1).some(row => row[k] !== ""));
  $("ledger").replaceChildren(...rows.map((row, k) => {
    const line = document.createElement("tr");
    row.forEach((entry, column) => {
      if (!used[column]) return;
      const node = document.createElement(k ? "td" : "th");
      node.textContent = entry.text ?? entry;
      if (entry.title) node.title = entry.title;
      const below = k ? entry.below : rated(entry);
      if (below) node.append(Object.assign(document.createElement("small"), {textContent: below}));
      line.append(node);
    });
    return line;
  }));
}

function draw() {
  if (!seen || document.body.clientWidth < 200) return;  // drawn as soon as there is room
  drawPoint();
  drawMap();
  drawSankey();
  drawCurves();
  drawTraces();
}

// ------------------------------------------------------------------ axes and machines

// An underscore behind a symbol (a Latin letter that ends no word, or any other one) and a power: k_B, σ_{k+1}, e^{−Γ_h t_h}.
const RAISED = /((?<=(?<![A-Za-z_])[A-Za-z]|(?![A-Za-z])\p{L}\p{M}?)_|\^)(?:\{([^{}]+)\}|(\d+|[A-Z][a-z]?|[a-z]+|\p{Script=Greek}[a-z]?))/gu;

function lettered(text) {
  const nodes = [];
  let last = 0;
  for (const found of text.matchAll(RAISED)) {
    const node = document.createElement(found[1] === "_" ? "sub" : "sup");
    node.append(...lettered(found[2] ?? found[3]));
    nodes.push(text.slice(last, found.index), node);
    last = found.index + found[0].length;
  }
  return [...nodes, text.slice(last)];
}

function makeAxes() {
  const place = $("map-axes");
  place.replaceChildren();
  for (const name of ["x", "y"]) {
    const label = document.createElement("label"), select = document.createElement("select");
    label.textContent = name === "x" ? "across" : "up";
    label.htmlFor = select.id = "axis-" + name;
    options(select, subject.sliders.map(s => s.path), axes[name].path);
    const [low, high] = ["low", "high"].map(end => {
      const field = document.createElement("input");
      field.type = "text";
      field.setAttribute("aria-label", `${select.id} ${end}`);
      field.value = axes[name][end];
      field.onchange = () => { axes[name][end] = Number(field.value); update(); };
      return field;
    });
    const ratios = document.createElement("label"), check = Object.assign(document.createElement("input"), {type: "checkbox", checked: axes[name].log});
    check.onchange = () => { axes[name].log = check.checked; update(); };
    ratios.append(check, " log");
    select.onchange = () => { axes[name] = axisOf(select.value); makeAxes(); update(); };
    for (const field of [select, low, high, check]) field.disabled = Boolean(DATA);
    place.append(label, select, low, high, ratios);
  }
}

function axisOf(path) {
  const s = slider(path);
  return {path, low: tidy(s.low), high: tidy(s.high), log: s.log};
}

function begin(found) {
  subject = found;
  seen = traces = null;
  texts = Object.fromEntries(found.sliders.map(s => [s.path, String(s.value)]));
  if (found.unit) $("unit").value = found.unit;
  $("unit").disabled = Boolean(found.unit) || Boolean(DATA);
  axes = {x: axisOf(found.axes.x.path), y: axisOf(found.axes.y.path)};
  $("words").replaceChildren(...found.words.map(text => {
    const p = document.createElement("p");
    p.append(...text.split("`").flatMap((part, k) => k % 2 ? [Object.assign(document.createElement("code"), {textContent: part})] : lettered(part)));
    return p;
  }));
  $("source").textContent = found.source;
  $("code").hidden = true;
  makeSliders();
  makeAxes();
  drawTraces();
  update({live: !DATA});  // the point comes first
}

async function change() {
  complain("");
  $("regime").textContent = "Compiling …";
  $("facts").textContent = "The first time on this computer this takes a few seconds.";
  try {
    begin(await ask("machine", {machine: $("machine").value}));
  } catch (error) {
    complain(error.message);
  }
}

function showCode() {
  for (const name in code) $(name).textContent = code[name];
}

// ------------------------------------------------------------------ a page without a server

function choose(path, v) {
  const kept = DATA.frames[path], s = slider(path);
  const distance = f => Math.abs(along(s, f.value) - along(s, v));
  const best = kept.reduce((a, b) => distance(b) < distance(a) ? b : a);
  for (const other of subject.sliders) texts[other.path] = String(other.value);
  texts[path] = String(best.value);
  subject.sliders.forEach(showValue);
  seen = best.look;
  complain("");
  keep(best);
  showCode();
  draw();
}

// What stands beside the look of a frame; instead of traces there may be words on why there are none.
function keep(found) {
  code = found.code;
  traces = found.trace?.error ? null : found.trace;
  if (found.trace?.error) complain(found.trace.error);
}

// ------------------------------------------------------------------ start

function pointed(event) {
  if (!frame || DATA || !(event.buttons & 1)) return;
  const box = $("map-frame").getBoundingClientRect(), unitless = t => Math.min(1, Math.max(0, t));
  const t = {x: unitless((event.clientX - box.left - frame.left) / (frame.right - frame.left)), y: unitless((frame.bottom - event.clientY + box.top) / (frame.bottom - frame.top))};
  for (const name of ["x", "y"]) {
    texts[axes[name].path] = String(tidy(back(axes[name], t[name])));
    showValue(slider(axes[name].path));
  }
  traces = null;
  update({live: true});
}

$("map-frame").addEventListener("pointerdown", pointed);
$("map-frame").addEventListener("pointermove", pointed);
$("machine").onchange = change;
$("unit").onchange = () => { for (const s of subject.sliders) $("s-" + s.path).nextSibling.textContent = unitOf(s); update(); };
$("curve-axis").onchange = $("curve-group").onchange = drawCurves;
$("trace-group").onchange = drawTraces;
$("everything").onclick = () => update({everything: true});
$("reset").onclick = () => { if (DATA) return choose(subject.sliders[0].path, subject.sliders[0].value); begin(subject); };
$("trace-ask").onclick = async () => {
  $("busy").textContent = "compiling …";
  try { traces = await ask("trace", question()); drawTraces(); complain(""); } catch (error) { complain(error.message); }
  $("busy").textContent = "";
};
$("code-ask").onclick = async () => {
  try {
    if (!DATA) code = await ask("code", question());
    $("code").hidden = false;
    showCode();
    complain("");
  } catch (error) { complain(error.message); }
};
for (const button of document.querySelectorAll("[data-copy]"))
  button.onclick = () => navigator.clipboard?.writeText($(button.dataset.copy).textContent);
new ResizeObserver(() => { if (seen) draw(); }).observe(document.querySelector("main"));

(async () => {
  if (DATA) {
    $("machine").append(new Option(DATA.machine.name));
    $("machine").disabled = true;
    return begin(DATA.machine);
  }
  try {
    const found = await ask("machines", {});
    $("machine").replaceChildren(...found.machines.map(m => Object.assign(new Option(m.name, m.name), {title: m.summary})));
    $("machine").value = found.first;
    await change();
  } catch (error) { complain(error.message); }
})();
