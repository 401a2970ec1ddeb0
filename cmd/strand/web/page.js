"use strict";
// The page of `strand serve`: it polls /stats once a second and draws what changed,
// and talks to /echo, /ws and /chat as any client would. Nothing here comes from elsewhere.

const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// ---------------------------------------------------------------- figures

const period = 1000; // ms between two looks at /stats
const span = 60; // seconds the plot shows

// Each figure: its title above the plot, its value from two looks, the small print, and how it is written.
const figures = {
  connections: {
    title: "Connections",
    value: (s) => s.connections,
    small: (s) => short(s.accepted) + " in all",
  },
  requests: {
    title: "Requests a second",
    value: (s, d) => d("requests"),
    small: (s) => short(s.requests) + " in all",
  },
  messages: {
    title: "Messages a second",
    value: (s, d) => d("messages"),
    small: (s) => short(s.messages) + " in all",
  },
  bytes: {
    title: "Bytes a second, in and out",
    value: (s, d) => d("bytes_in") + d("bytes_out"),
    small: (s) => size(s.bytes_in + s.bytes_out) + " in all",
    write: size,
  },
  blocks: {
    title: "Blocks in use",
    value: (s) => s.blocks_in_use,
    small: (s) => "none when idle",
  },
  handoffs: {
    title: "Hand-offs a second",
    value: (s, d) => d("handoffs"),
    small: (s) => short(s.handoffs) + " in all",
  },
  violations: {
    title: "Isolation violations",
    value: (s) => s.isolation_violations,
    small: (s) => (s.isolation_violations ? "refused, see the log" : "no foreign byte"),
  },
};

function short(n) {
  if (n < 1e4) return n.toLocaleString("en", { maximumFractionDigits: 0 });
  if (n < 1e6) return (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + " k";
  if (n < 1e9) return (n / 1e6).toFixed(n < 1e8 ? 1 : 0) + " M";
  return (n / 1e9).toFixed(1) + " G";
}

function size(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let u = 0;
  while (n >= 999.5 && u < units.length - 1) { n /= 1000; u++; }
  return n.toFixed(u && n < 99.95 ? 1 : 0) + " " + units[u];
}

function since(seconds) {
  const s = Math.floor(seconds), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  if (h >= 48) return Math.floor(h / 24) + " days";
  if (h) return h + " h " + m + " min";
  if (m) return m + " min " + (s % 60) + " s";
  return s + " s";
}

let shown = "requests"; // the figure in the plot
let before = null; // the look before this one
let samples = []; // {at: ms on this page's clock, v: {figure: value}}

async function look() {
  if (document.hidden) return;
  let stats;
  try {
    const r = await fetch("/stats", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!r.ok) throw new Error(r.status);
    stats = await r.json();
  } catch {
    state("lost", "no answer, trying again");
    before = null;
    return;
  }
  take(stats);
}

function take(stats) {
  const old = before;
  if (old && old.started === stats.started && stats.uptime_seconds - old.uptime_seconds < 0.3) return; // too soon for a rate
  before = stats;
  state("live", "up " + since(stats.uptime_seconds));
  about(stats);
  if (!old || old.started !== stats.started) {
    samples = [];
    tiles(stats, () => 0);
    return;
  }
  const dt = stats.uptime_seconds - old.uptime_seconds;
  tiles(stats, (key) => Math.max(0, (stats[key] - old[key]) / dt));
}

function tiles(stats, rate) {
  const v = {};
  for (const tile of $("tiles").children) {
    const key = tile.dataset.key, f = figures[key];
    v[key] = f.value(stats, rate);
    tile.querySelector("b").textContent = (f.write || short)(Math.round(v[key]));
    tile.querySelector("em").textContent = f.small(stats);
  }
  document.querySelector(".promise").toggleAttribute("data-broken", stats.isolation_violations > 0);
  samples.push({ at: performance.now(), v });
  while (samples.length > 2 && samples[1].at < performance.now() - (span + 3) * 1000) samples.shift();
  headline(stats);
  $("chat-count").textContent = stats.chat === 1 ? "one here" : stats.chat > 1 ? stats.chat + " here" : "";
  if (calm.matches) draw();
}

function headline(stats) {
  const f = figures[shown], last = samples[samples.length - 1];
  $("live-title").textContent = f.title;
  if (!last) return;
  $("now").textContent = (f.write || short)(Math.round(last.v[shown]));
  $("now-side").textContent = f.small(stats || before);
}

function about(s) {
  const text = `strand ${s.version} · ${s.go} · ${s.loops} ${s.loops === 1 ? "loop" : "loops"} · ${s.file_descriptors.toLocaleString("en")} file descriptors`;
  if ($("about").textContent !== text) $("about").textContent = text;
}

function state(name, text) {
  $("state").dataset.state = name;
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
}

$("tiles").addEventListener("click", (e) => {
  const tile = e.target.closest("button");
  if (!tile) return;
  shown = tile.dataset.key;
  for (const t of $("tiles").children) t.setAttribute("aria-pressed", String(t === tile));
  ceilingNow = 0;
  if (before) headline();
  draw();
});

$("stir").addEventListener("click", async () => {
  const button = $("stir");
  button.disabled = true;
  let left = 500;
  const worker = async () => {
    while (left-- > 0) await (await fetch("/plaintext", { cache: "no-store" })).text();
  };
  try {
    await Promise.all(Array.from({ length: 6 }, worker));
  } catch { /* the state line says that the server went away */ }
  button.disabled = false;
});

// ---------------------------------------------------------------- plot

const canvas = $("plot"), pen = canvas.getContext("2d");
let ceilingNow = 0; // the eased top of the scale
let ink = {};

function inks() {
  const css = getComputedStyle(document.documentElement);
  for (const name of ["strand", "wash", "line", "bad", "good"]) ink[name] = css.getPropertyValue("--" + name).trim();
}

function fit() {
  const dpr = Math.min(devicePixelRatio || 1, 2), box = canvas.getBoundingClientRect();
  const w = Math.round(box.width * dpr), h = Math.round(box.height * dpr);
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  pen.setTransform(dpr, 0, 0, dpr, 0, 0);
  return box;
}

// ceiling gives the next 1, 2 or 5 times a power of ten, so that the scale moves seldom.
function ceiling(n) {
  if (n <= 4) return 4;
  const p = 10 ** Math.floor(Math.log10(n));
  for (const m of [1, 2, 5, 10]) if (n <= m * p) return m * p;
}

function draw() {
  const box = fit(), w = box.width, h = box.height, floor = h - 28, head = 24;
  pen.clearRect(0, 0, w, h);
  const now = performance.now() - (calm.matches ? 0 : period); // one period late, so that each piece glides in
  const points = samples.map((s) => [w - ((now - s.at) / 1000 / span) * w, s.v[shown]]);
  const most = ceiling(Math.max(0, ...points.map((p) => p[1])));
  ceilingNow = !ceilingNow || calm.matches ? most : ceilingNow + (most - ceilingNow) * 0.08;
  const y = (v) => floor - (v / ceilingNow) * (floor - head);

  pen.lineWidth = 1;
  pen.strokeStyle = ink.line;
  for (const part of [0, 0.5, 1]) {
    const at = Math.round(floor - part * (floor - head)) + 0.5;
    pen.beginPath(); pen.moveTo(0, at); pen.lineTo(w, at); pen.stroke();
  }
  $("plot-top").textContent = (figures[shown].write || short)(most);
  if (points.length < 2) return;

  const broken = shown === "violations" && points[points.length - 1][1] > 0;
  const line = new Path2D();
  curve(line, points.map(([x, v]) => [x, y(v)]));
  const area = new Path2D(line);
  area.lineTo(points[points.length - 1][0], floor);
  area.lineTo(points[0][0], floor);
  area.closePath();
  pen.fillStyle = ink.wash;
  pen.fill(area);
  pen.lineWidth = 2;
  pen.lineJoin = pen.lineCap = "round";
  pen.strokeStyle = broken ? ink.bad : shown === "violations" ? ink.good : ink.strand;
  pen.stroke(line);
}

// curve joins the points with horizontal tangents: smooth, and never above a value that was seen.
function curve(path, points) {
  path.moveTo(points[0][0], points[0][1]);
  for (let i = 1; i < points.length; i++) {
    const [ax, ay] = points[i - 1], [bx, by] = points[i], mid = (ax + bx) / 2;
    path.bezierCurveTo(mid, ay, mid, by, bx, by);
  }
}

let last = 0;
function frame(at) {
  if (!calm.matches && at - last > 30) { last = at; draw(); }
  requestAnimationFrame(frame);
}

inks();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { inks(); draw(); });
addEventListener("resize", draw);
document.addEventListener("visibilitychange", () => { if (!document.hidden) { before = null; look(); } });
requestAnimationFrame(frame);
look();
setInterval(look, period);

// ---------------------------------------------------------------- echo

const socketURL = (path) => location.origin.replace(/^http/, "ws") + path;

async function post(bytes, type) {
  const r = await fetch("/echo", { method: "POST", body: bytes, headers: { "Content-Type": type } });
  if (!r.ok) throw new Error("status " + r.status);
  if (r.headers.get("Content-Type") !== type) throw new Error("another Content-Type: " + r.headers.get("Content-Type"));
  return new Uint8Array(await r.arrayBuffer());
}

function viaSocket(text) {
  return new Promise((done, fail) => {
    const ws = new WebSocket(socketURL("/ws"));
    const timer = setTimeout(() => { ws.close(); fail(new Error("no answer in 5 s")); }, 5000);
    ws.onopen = () => ws.send(text);
    ws.onmessage = (e) => { clearTimeout(timer); done(e.data); ws.close(1000); };
    ws.onerror = () => { clearTimeout(timer); fail(new Error("the WebSocket failed")); };
    ws.onclose = () => { clearTimeout(timer); fail(new Error("the WebSocket was closed")); };
  });
}

function noise(n) {
  const all = new Uint8Array(n);
  for (let i = 0; i < n; i += 65536) crypto.getRandomValues(all.subarray(i, Math.min(i + 65536, n)));
  return all;
}

const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);
const utf8 = new TextEncoder();

async function echo(way, text) {
  if (way === "ws") {
    const back = await viaSocket(text);
    return { n: utf8.encode(text).length, ok: back === text, over: "on /ws", back };
  }
  const sent = way === "big" ? noise(3 << 20) : utf8.encode(text);
  const got = await post(sent, way === "big" ? "application/octet-stream" : "text/plain; charset=utf-8");
  const back = way === "big" ? "" : new TextDecoder().decode(got);
  return { n: sent.length, ok: same(sent, got), over: "from /echo", back };
}

$("echo").addEventListener("submit", async (e) => {
  e.preventDefault();
  const button = e.submitter, way = button ? button.value : "post", start = performance.now();
  if (button) button.disabled = true;
  try {
    const { n, ok, over, back } = await echo(way, $("echo-text").value);
    const took = performance.now() - start;
    note(ok, ok ? `${size(n)} came back the same ${over}` : `${size(n)} came back changed ${over}`, took, back);
  } catch (err) {
    note(false, String(err.message || err), performance.now() - start, "");
  }
  if (button) button.disabled = false;
});

function note(ok, text, ms, back) {
  const li = document.createElement("li"), what = document.createElement("span"), took = document.createElement("span");
  li.toggleAttribute("data-bad", !ok);
  li.dataset.back = back.slice(0, 2000);
  what.className = "what"; what.textContent = text; what.title = back.slice(0, 2000) || text;
  took.className = "took"; took.textContent = ms < 10 ? ms.toFixed(1) + " ms" : Math.round(ms) + " ms";
  li.append(what, took);
  $("echo-log").prepend(li);
  while ($("echo-log").children.length > 5) $("echo-log").lastChild.remove();
}

// ---------------------------------------------------------------- chat

// A message on /chat is plain text, "name: words", so that any WebSocket client can join in.
const birds = ["wren", "heron", "finch", "swift", "plover", "siskin", "avocet", "curlew", "martin", "dipper"];
const mine = []; // what this page sent and has not yet seen come back
let chat = null, wait = 500;

$("chat-name").value = recall() || birds[Math.floor(Math.random() * birds.length)] + "-" + Math.floor(10 + Math.random() * 90);
$("chat-name").addEventListener("change", () => { try { localStorage.setItem("strand-name", $("chat-name").value); } catch { /* private window */ } });
function recall() { try { return localStorage.getItem("strand-name"); } catch { return ""; } }

function join() {
  chat = new WebSocket(socketURL("/chat"));
  chat.onopen = () => { wait = 500; ready(true); };
  chat.onmessage = (e) => { if (typeof e.data === "string") hear(e.data); };
  chat.onclose = () => {
    ready(false);
    mine.length = 0;
    setTimeout(join, wait);
    wait = Math.min(wait * 2, 15000);
  };
}

function ready(yes) {
  $("chat-send").disabled = !yes;
  $("chat-text").placeholder = yes ? "Message" : "Joining again";
}

function hear(text) {
  const cut = text.indexOf(": "), own = mine.indexOf(text);
  if (own >= 0) mine.splice(own, 1);
  const li = document.createElement("li"), who = document.createElement("b"), words = document.createElement("p");
  li.classList.toggle("mine", own >= 0);
  who.textContent = cut > 0 && cut <= 40 ? text.slice(0, cut) : "someone";
  words.textContent = cut > 0 && cut <= 40 ? text.slice(cut + 2) : text;
  li.append(who, words);
  const talk = $("talk"), atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 60;
  talk.append(li);
  while (talk.children.length > 200) talk.firstChild.remove();
  if (atEnd || own >= 0) talk.scrollTop = talk.scrollHeight;
}

$("chat").addEventListener("submit", (e) => {
  e.preventDefault();
  const words = $("chat-text").value.trim(), name = $("chat-name").value.trim().replaceAll(": ", " ") || "someone";
  if (!words || !chat || chat.readyState !== WebSocket.OPEN) return;
  const text = name + ": " + words;
  mine.push(text);
  chat.send(text);
  $("chat-text").value = "";
});

ready(false);
join();
