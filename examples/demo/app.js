// The page of the demo: opens WebSockets, sends on each of them and measures what comes back.
//
// What is chosen can be given in the address: #sockets=100&rate=10&size=1024&content=json&deflate=1

const $ = (id) => document.getElementById(id);
const { page, version: pageVersion, connection: pageConnection } = document.documentElement.dataset;
const origin = location.origin.replace("http", "ws");

// How many sockets are opened at a time. Chromium delays each attempt the more, the more there are: by seconds from 16 on.
const ATTEMPTS = 6;
// On a socket whose echoes are late no more is sent than this.
const AHEAD = 4;
// How bright a dot may be.
const LEVELS = 12;
// What a point of the plot comprises, and how many there are.
const BUCKET = 250;
const POINTS = 120;

const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const count = (n) => numbers.format(n).replaceAll(",", "\u202f");
const plural = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;

function digits(value) {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : count(value);
}

function time(ms) {
  return ms < 1000 ? [digits(ms), "ms"] : [digits(ms / 1000), "s"];
}

function bytes(n) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = n < 1 ? 0 : Math.min(Math.floor(Math.log10(n) / 3), units.length - 1);
  return [power === 0 ? count(n) : digits(n / 1000 ** power), units[power]];
}

const text = ([value, unit]) => `${value}\u00a0${unit}`;

function show(id, [value, unit], note) {
  const small = document.createElement("small");
  small.textContent = unit;
  $(id).replaceChildren(value, ...(unit ? [small] : []));
  if (note !== undefined) $(`${id}-note`).textContent = note;
}

// What is chosen: sockets, rate (or "max"), size, content, deflate.

const { elements } = $("controls");
for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
  if (elements[name]) elements[name].value = value;
}

const chosen = {};

// Looked up with every message, so not in the form.
function choose() {
  for (const name of ["sockets", "rate", "size", "content", "deflate"]) {
    const { value } = elements[name];
    chosen[name] = Number.isNaN(Number(value)) ? value : Number(value);
  }
}

choose();

// What is sent: pieces of a long text or of noise, so that making them costs next to nothing.

const STOCK = 1 << 20;
const encoder = new TextEncoder();

const readings = (() => {
  const places = ["north", "south", "harbour", "mill", "tower", "lock", "quay", "yard"];
  const pick = (n) => Math.floor(Math.random() * n);
  const rows = [];
  for (let length = 0; length < STOCK; length += rows.at(-1).length) {
    const at = new Date(1.7e12 + pick(1e10)).toISOString();
    rows.push(`{"at":"${at}","place":"${places[pick(8)]}-${pick(40)}","load":${pick(10000) / 100},"ok":${pick(9) > 0}},`);
  }
  return rows.join("");
})();

const noise = new Uint8Array(STOCK);
for (let at = 0; at < STOCK; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));

function message() {
  const size = chosen.size;
  const at = Math.floor(Math.random() * (STOCK - size));
  return chosen.content === "noise" ? noise.subarray(at, at + size) : readings.slice(at, at + size);
}

// The sockets.

class Socket {
  #ws;
  #sent = [];
  #told;
  // Becomes whether it opened; the server says first how it came.
  opened = new Promise((told) => (this.#told = told));
  connection;
  version;
  extensions;
  // When something came last.
  at = -Infinity;
  // By this page.
  isClosed = false;

  constructor(measured, deflate, closed) {
    const query = `page=${page}&deflate=${deflate}&measure=${measured ? 1 : 0}`;
    this.#ws = new WebSocket(`${origin}/live?${query}`);
    this.#ws.binaryType = "arraybuffer";
    this.#ws.onmessage = ({ data }) => this.#hello(data);
    this.#ws.onclose = (event) => {
      this.#told(false);
      closed(this, event);
    };
  }

  get isOpen() {
    return this.version !== undefined && this.#ws.readyState === WebSocket.OPEN;
  }

  #hello(data) {
    Object.assign(this, JSON.parse(data));
    this.#ws.onmessage = ({ data }) => this.#echo(data);
    this.#told(true);
    if (chosen.rate === "max") this.send();
  }

  #echo(data) {
    const now = performance.now();
    this.at = now;
    stats.message(now - this.#sent.shift(), typeof data === "string" ? data.length : data.byteLength);
    if (running && chosen.rate === "max" && this.#sent.length === 0) this.send();
  }

  send() {
    if (!this.isOpen || this.#sent.length >= AHEAD) return;
    this.#sent.push(performance.now());
    this.#ws.send(message());
  }

  get isIdle() {
    return this.#sent.length === 0;
  }

  close() {
    this.isClosed = true;
    this.#ws.onmessage = null;
    this.#ws.onclose = null;
    this.#told(false);
    this.#ws.close(1000);
  }
}

let running = false;
let sockets = [];
// How many are being opened.
let attempts = 0;
// One could not be: browsers have a limit, Chromium of 255 for a page, Firefox of 200.
let exhausted = false;

const openSockets = () => sockets.filter((socket) => socket.isOpen);

function lost(socket, event) {
  sockets = sockets.filter((other) => other !== socket);
  if (running && sockets.length === 0) {
    stop();
    $("open-note").textContent = `closed with ${event.code}${event.reason && `: ${event.reason}`}`;
  }
}

// Brings the number of sockets to what is chosen, some attempts at a time.
function adjust() {
  for (const socket of sockets.splice(chosen.sockets)) socket.close();
  exhausted = false;
  while (attempts < ATTEMPTS && missing() > 0) attempt();
}

const missing = () => (running && !exhausted ? chosen.sockets - sockets.length : 0);

async function attempt() {
  attempts++;
  while (missing() > 0) {
    const socket = new Socket(sockets.length === 0, chosen.deflate, lost);
    sockets.push(socket);
    if (!(await socket.opened) && !socket.isClosed && sockets.length > 0) exhausted = true;
  }
  attempts--;
}

function start() {
  running = true;
  $("run").textContent = "Stop";
  $("run").classList.add("running");
  stats.begin();
  adjust();
}

function stop() {
  running = false;
  $("run").textContent = "Start";
  $("run").classList.remove("running");
  $("open-note").textContent = "\u00a0";
  for (const socket of sockets.splice(0)) socket.close();
}

// Sends at the chosen rate, turn by turn.
let turn = 0;
let due = 0;
let ticked = performance.now();

function tick() {
  const now = performance.now();
  const elapsed = Math.min(now - ticked, 250);
  ticked = now;
  const open = running ? openSockets() : [];
  if (open.length === 0) return;
  if (chosen.rate === "max") {
    for (const socket of open) if (socket.isIdle) socket.send();
    return;
  }
  due += (elapsed / 1000) * chosen.rate * open.length;
  for (; due >= 1; due--) open[turn++ % open.length].send();
}

$("controls").onsubmit = (event) => {
  event.preventDefault();
  if (running) stop();
  else start();
};

$("controls").onchange = ({ target }) => {
  choose();
  if (!running) return;
  if (target.name === "deflate") {
    for (const socket of sockets.splice(0)) socket.close();
    stats.begin();
  }
  if (target.name === "size" || target.name === "content") stats.begin();
  adjust();
};

// What is measured.

const stats = {
  messages: 0,
  samples: [],
  bytes: 0,
  points: [],
  // What the server had counted when it first told of the present settings.
  base: undefined,

  begin() {
    this.base = undefined;
    show("ratio", ["–"], "\u00a0");
  },

  message(rtt, length) {
    this.messages++;
    this.samples.push(rtt);
    this.bytes += 2 * length;
  },

  // Ends a point of the plot.
  point(now) {
    const samples = Float64Array.from(this.samples).sort();
    const of = (share) => samples[Math.min(Math.floor(samples.length * share), samples.length - 1)];
    this.points.push({ at: now, messages: samples.length, bytes: this.bytes, median: of(0.5), high: of(0.99) });
    if (this.points.length > POINTS + 1) this.points.shift();
    this.samples = [];
    this.bytes = 0;
  },

  // What the last second came to.
  recent() {
    const points = this.points.slice(-5);
    if (points.length < 2) return undefined;
    const seconds = (points.at(-1).at - points[0].at) / 1000;
    const sum = (of) => points.slice(1).reduce((sum, point) => sum + of(point), 0);
    const some = points.slice(1).filter((point) => point.messages > 0);
    const mean = (of) => some.reduce((sum, point) => sum + of(point), 0) / some.length;
    return {
      messages: sum((point) => point.messages) / seconds,
      bytes: sum((point) => point.bytes) / seconds,
      median: some.length ? mean((point) => point.median) : undefined,
      high: some.length ? Math.max(...some.map((point) => point.high)) : undefined,
    };
  },
};

function update() {
  const open = openSockets();
  const connections = new Set(open.map((socket) => socket.connection));
  show("open", [count(open.length)]);
  if (running || open.length) {
    const waiting = sockets.length - open.length;
    const more = exhausted ? ", no more to be had" : waiting > 0 ? `, ${count(waiting)} waiting` : "";
    $("open-note").textContent = `on ${plural(connections.size, more ? "connection" : "TCP connection")}${more}`;
  }
  const now = stats.recent();
  if (now) {
    show("rate", [count(now.messages)], `${count(stats.messages)} in all`);
    show("rtt", now.median === undefined ? ["–"] : time(now.median),
      now.high === undefined ? "\u00a0" : `99 of 100 within ${text(time(now.high))}`);
    const [value, unit] = bytes(now.bytes);
    show("bytes", [value, `${unit}/s`], "both ways, uncompressed");
  }
  const versions = [...new Set(open.map((socket) => socket.version))];
  $("socket-versions").textContent = open.length
    ? `${versions.join(", ")}, ${connections.size === 1 && connections.has(Number(pageConnection))
      ? "on the connection that this page came by" : `on ${plural(connections.size, "connection")}`}`
    : "none yet";
  const extensions = [...new Set(open.map((socket) => socket.extensions || "no extension"))];
  $("extensions").textContent = extensions.join(", ") || "none yet";
}

function tell(server) {
  stats.base ??= server;
  $("server-counts").textContent =
    `${plural(server.sockets, "socket")} of this page on ${plural(server.connections, "TCP connection")}`;
  const measured = server.measured - stats.base.measured;
  const wire = server.wire - stats.base.wire;
  if (measured > 0) {
    const share = `${text(bytes(measured))} in ${text(bytes(wire))}`;
    show("ratio", [(measured / wire).toFixed(measured / wire < 10 ? 2 : 1), "×"], share);
  }
}

// The server's own count; opened anew as long as the page is there.
function listen() {
  const ws = new WebSocket(`${origin}/stats?page=${page}`);
  ws.onmessage = ({ data }) => tell(JSON.parse(data));
  ws.onclose = () => setTimeout(listen, 2000);
}

// The drawings.

function canvas(id) {
  const element = $(id);
  const context = element.getContext("2d");
  return () => {
    const { width, height } = element.getBoundingClientRect();
    const scale = window.devicePixelRatio || 1;
    if (element.width !== Math.round(width * scale) || element.height !== Math.round(height * scale)) {
      element.width = Math.round(width * scale);
      element.height = Math.round(height * scale);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return { context, width, height, color };
  };
}

const mapCanvas = canvas("map");
const plotCanvas = canvas("plot");

// Boxes of connections in rows, with dots this far apart: where they are, and how high it all is.
function layout(groups, width, pitch, label) {
  const pad = Math.max(2, pitch * 0.3);
  const gap = Math.max(2, pitch * 0.3);
  const most = Math.max(1, Math.floor((width - 2 * pad) / pitch));
  const boxes = [];
  let [x, y, row] = [0, 0, 0];
  for (const [connection, members] of groups) {
    const columns = Math.min(members.length, most);
    const w = Math.max(columns * pitch + 2 * pad, label ? 170 : 0);
    const h = Math.ceil(members.length / columns) * pitch + 2 * pad + (label ? 20 : 0);
    if (x > 0 && x + w > width) {
      x = 0;
      y += row + gap;
      row = 0;
    }
    boxes.push({ connection, members, columns, x, y, w, h, pad });
    x += w + gap;
    row = Math.max(row, h);
  }
  return { boxes, bottom: y + row };
}

function dot(path, x, y, radius) {
  path.moveTo(x + radius, y);
  path.arc(x, y, radius, 0, 2 * Math.PI);
}

function drawMap(now) {
  const { context, width, height, color } = mapCanvas();
  const groups = [...Map.groupBy(openSockets(), (socket) => socket.connection)];
  const label = groups.length <= 3;
  let pitch = 64;
  while (pitch > 4 && layout(groups, width, pitch, label).bottom > height) pitch -= 0.5;
  const radius = pitch * 0.33;
  const { boxes, bottom } = layout(groups, width, pitch, label);
  const right = Math.max(0, ...boxes.map((box) => box.x + box.w));
  context.translate((width - right) / 2, (height - bottom) / 2);
  for (const { connection, members, columns, x, y, w, h, pad } of boxes) {
    context.strokeStyle = color("line");
    context.fillStyle = color("back");
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(x + 0.5, y + 0.5, w - 1, h - 1, Math.min(10, pitch * 0.4));
    context.fill();
    context.stroke();
    const top = y + pad + (label ? 20 : 0);
    if (label) {
      context.fillStyle = color("quiet");
      context.fillText(`connection ${connection}: ${plural(members.length, "socket")}`, x + pad + 3, y + 18);
    }
    // All that are equally bright are drawn at once.
    const levels = Array.from({ length: LEVELS + 1 }, () => new Path2D());
    const holes = new Path2D();
    members.forEach((socket, index) => {
      const cx = x + pad + ((index % columns) + 0.5) * pitch;
      const cy = top + (Math.floor(index / columns) + 0.5) * pitch;
      // It fades within a third of a second.
      const level = Math.round(LEVELS * Math.exp((socket.at - now) / 110));
      dot(holes, cx, cy, radius);
      dot(levels[level], cx, cy, radius * (0.8 + (0.3 * level) / LEVELS));
    });
    context.fillStyle = color("line");
    context.fill(holes);
    context.fillStyle = color("accent");
    levels.forEach((path, level) => {
      context.globalAlpha = 0.2 + (0.8 * level) / LEVELS;
      context.fill(path);
    });
    context.globalAlpha = 1;
  }
  if (groups.length === 0) hint(context, width, height, color, "no socket is open");
}

function hint(context, width, height, color, what) {
  context.fillStyle = color("quiet");
  context.textAlign = "center";
  context.fillText(what, width / 2, height / 2);
  context.textAlign = "start";
}

// A round number that is no less, for the axis.
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}

function drawPlot(now) {
  const { context, width, height, color } = plotCanvas();
  const [left, right, top, bottom] = [52, width - 4, 8, height - 22];
  const points = stats.points.filter((point) => point.messages > 0);
  const highest = Math.max(0, ...points.map((point) => point.high));
  if (highest === 0) return hint(context, width, height, color, "nothing was sent yet");
  const most = ceiling(highest * 1.05);
  const span = POINTS * BUCKET;
  const x = (at) => right - ((now - at) / span) * (right - left);
  const y = (value) => bottom - (value / most) * (bottom - top);

  context.strokeStyle = color("faint");
  context.fillStyle = color("quiet");
  context.lineWidth = 1;
  for (let step = 0; step <= 4; step++) {
    const at = Math.round(y((most * step) / 4)) + 0.5;
    context.beginPath();
    context.moveTo(left, at);
    context.lineTo(right, at);
    context.stroke();
    const [value, unit] = most >= 1000 ? [(most * step) / 4000, "s"] : [(most * step) / 4, "ms"];
    context.textAlign = "right";
    context.fillText(step === 4 ? `${+value.toPrecision(3)} ${unit}` : +value.toPrecision(3), left - 8, at + 4);
  }
  for (const seconds of [30, 20, 10, 0]) {
    context.textAlign = seconds === 30 ? "left" : seconds === 0 ? "right" : "center";
    context.fillText(seconds === 0 ? "now" : `−${seconds} s`, right - (seconds / 30) * (right - left), height - 4);
  }
  context.textAlign = "start";

  context.save();
  context.beginPath();
  context.rect(left, 0, right - left, bottom + 1);
  context.clip();
  // A pause breaks the line.
  const runs = [];
  for (const point of points) {
    const last = runs.at(-1)?.at(-1);
    if (last && point.at - last.at < 3 * BUCKET) runs.at(-1).push(point);
    else runs.push([point]);
  }
  for (const run of runs) {
    const trace = (of) => run.forEach((point) => context.lineTo(x(point.at), y(of(point))));
    context.beginPath();
    trace((point) => point.median);
    context.lineTo(x(run.at(-1).at), bottom);
    context.lineTo(x(run[0].at), bottom);
    context.globalAlpha = 0.14;
    context.fillStyle = color("accent");
    context.fill();
    context.globalAlpha = 1;
    context.lineJoin = "round";
    for (const [name, thickness, of] of [["second", 1.3, (point) => point.high], ["accent", 2, (point) => point.median]]) {
      context.beginPath();
      trace(of);
      context.strokeStyle = color(name);
      context.lineWidth = thickness;
      context.stroke();
    }
  }
  context.restore();
}

// Not with every frame: the processor has other things to do.
const PAUSE = 50;
let drawn = -PAUSE;

function draw() {
  requestAnimationFrame(draw);
  const now = performance.now();
  if (now - drawn < PAUSE) return;
  drawn = now;
  drawMap(now);
}

// The echo by hand.

let echo;
const spoken = [];

function line(kind, words, note = "") {
  const row = document.createElement("div");
  row.className = kind;
  const span = document.createElement("span");
  span.textContent = words;
  const aside = document.createElement("time");
  aside.textContent = note;
  row.append(span, aside);
  $("log").append(row);
  while ($("log").childElementCount > 200) $("log").firstChild.remove();
  $("log").scrollTop = $("log").scrollHeight;
}

function openEcho() {
  echo = new WebSocket(`${origin}/echo`, "echo.v1");
  echo.onopen = () => {
    $("echo-state").textContent = `open, subprotocol ${echo.protocol || "none"}`;
    $("toggle").textContent = "Close";
    say("hello from the page");
  };
  echo.onmessage = ({ data }) => line("back", data, text(time(performance.now() - spoken.shift())));
  echo.onclose = ({ code, reason, wasClean }) => {
    $("echo-state").textContent = "closed";
    $("toggle").textContent = "Open";
    spoken.length = 0;
    line("told", `closed with ${code}${reason && ` ${reason}`}, ${wasClean ? "clean" : "not clean"}`);
  };
}

function say(words) {
  if (echo.readyState !== WebSocket.OPEN) return line("told", "not open");
  line("sent", words, text(bytes(encoder.encode(words).length)));
  spoken.push(performance.now());
  echo.send(words);
}

$("echo").onsubmit = (event) => {
  event.preventDefault();
  if ($("text").value) say($("text").value);
  $("text").value = "";
};

$("toggle").onclick = () => (echo.readyState === WebSocket.OPEN ? echo.close(1000, "enough") : openEcho());

// All of it.

const [navigation] = performance.getEntriesByType("navigation");
$("browser-version").textContent = `“${navigation?.nextHopProtocol || "?"}” in the browser’s words`;
document.title = `sheave over ${pageVersion}`;

listen();
openEcho();
start();
setInterval(tick, 10);
setInterval(() => {
  const now = performance.now();
  stats.point(now);
  update();
  drawPlot(now);
}, BUCKET);
requestAnimationFrame(draw);
