// Checks the browser's WebSockets against the server, and posts a line for each check: `ok NAME` or `FAIL NAME why`.
// `xtask/browser/README.md` tells what they are. Once all are through, the page is called "done".

const origin = location.origin.replace("http", "ws");
const { version, connection } = document.documentElement.dataset;
const LIMIT = 60_000;

function assert(good, otherwise) {
  if (!good) throw new Error(otherwise);
}

function same(got, wanted, what) {
  assert(got === wanted, `${what} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
}

// A WebSocket whose events are awaited.
class Peer {
  #messages = [];
  #waiting = [];

  constructor(path, protocols = []) {
    this.ws = new WebSocket(`${origin}/check/${path}`, protocols);
    this.ws.binaryType = "arraybuffer";
    this.opened = new Promise((resolve) => {
      this.ws.addEventListener("open", () => resolve(true));
      this.ws.addEventListener("close", () => resolve(false));
    });
    this.closed = new Promise((resolve) => this.ws.addEventListener("close", resolve));
    this.ws.onmessage = ({ data }) => {
      const waiting = this.#waiting.shift();
      if (waiting) waiting.resolve(data);
      else this.#messages.push(data);
    };
    this.closed.then(({ code }) => {
      for (const { reject } of this.#waiting) reject(new Error(`closed with ${code} instead of a message`));
    });
  }

  static async open(path, protocols) {
    const peer = new Peer(path, protocols);
    assert(await peer.opened, "it did not open");
    return peer;
  }

  next() {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    if (this.ws.readyState === WebSocket.CLOSED) return Promise.reject(new Error("closed instead of a message"));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  // Sends a message and holds what comes back against it.
  async echo(message) {
    this.ws.send(message);
    same(describe(await this.next()), describe(message), "the echo");
  }

  // Closes, and says how that went.
  close(code, reason) {
    if (code === undefined) this.ws.close();
    else this.ws.close(code, reason);
    return this.closed;
  }

  // Closes in order.
  async done() {
    ended(await this.close(1000), 1000);
  }
}

function ended({ code, reason, wasClean }, wanted, wantedReason) {
  same(code, wanted, "the code");
  if (wantedReason !== undefined) same(reason, wantedReason, "the reason");
  same(wasClean, wanted !== 1006, "wasClean");
}

// Kind, length and content in a few words.
function describe(message) {
  const octets = typeof message === "string" ? new TextEncoder().encode(message) : new Uint8Array(message);
  let hash = 0x811c9dc5;
  for (const octet of octets) hash = Math.imul(hash ^ octet, 0x01000193) >>> 0;
  return `${typeof message === "string" ? "text" : "binary"} ${octets.length} ${hash.toString(16)}`;
}

const letters = (size) => "abcdefghijklmnopqrstuvwxyz".repeat(size / 26 + 1).slice(0, size);
const octets = (size) => Uint8Array.from({ length: size }, (_, i) => 7 * i + 3);

function noise(size) {
  const octets = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(octets.subarray(at, at + 65536));
  return octets;
}

const checks = [];
const check = (name, body) => checks.push([name, body]);

check("page-version", async () => {
  same(version, "HTTP/2", "the version that the server saw");
  const [navigation] = performance.getEntriesByType("navigation");
  same(navigation.nextHopProtocol, "h2", "the version that the browser saw");
});

for (const size of [0, 1, 125, 126, 65535, 65536, 1048576]) {
  for (const [kind, make] of [["text", letters], ["binary", octets]]) {
    check(`${kind}-${size}`, async () => {
      const peer = await Peer.open("echo");
      await peer.echo(make(size));
      await peer.done();
    });
  }
}

check("text-unicode", async () => {
  const peer = await Peer.open("echo");
  await peer.echo("κόσμε 😀 \u{10FFFF}");
  await peer.done();
});

check("noise-1048576", async () => {
  const peer = await Peer.open("echo");
  await peer.echo(noise(1 << 20));
  await peer.done();
});

check("burst-1000", async () => {
  const peer = await Peer.open("echo");
  for (let i = 0; i < 1000; i++) peer.ws.send(`message ${i}`);
  for (let i = 0; i < 1000; i++) same(await peer.next(), `message ${i}`, "the echo");
  await peer.done();
});

check("deflate", async () => {
  const peer = await Peer.open("echo");
  same(peer.ws.extensions.split(";")[0], "permessage-deflate", "the extension");
  // The second time it refers to the first.
  for (const size of [1000, 1000, 100000, 100000]) await peer.echo(letters(size));
  await peer.done();
});

for (const [name, offered, chosen] of [
  ["chosen", ["unknown", "superchat", "chat"], "superchat"],
  ["none", [], ""],
]) {
  check(`subprotocol-${name}`, async () => {
    const peer = await Peer.open("echo", offered);
    same(peer.ws.protocol, chosen, "the subprotocol");
    await peer.done();
  });
}

check("sockets-100", async () => {
  const peers = await Promise.all(Array.from({ length: 100 }, () => Peer.open("hello")));
  for (const peer of peers) {
    const hello = JSON.parse(await peer.next());
    same(hello.version, version, "a socket's version");
    same(String(hello.connection), connection, "a socket's connection");
  }
  // All at once, each with messages of its own.
  await Promise.all(peers.map(async (peer, number) => {
    for (const size of [10, 1000, 10000]) await peer.echo(`${number} ${letters(size)}`);
  }));
  await Promise.all(peers.map((peer) => peer.done()));
});

for (const [name, code, reason] of [
  ["1000", 1000, ""],
  ["3000", 3000, ""],
  ["4999-reason", 4999, "reason"],
  ["none", undefined, ""],
]) {
  check(`close-${name}`, async () => {
    const peer = await Peer.open(`ended/close-${name}`);
    await peer.echo("before the end");
    ended(await peer.close(code, reason), code ?? 1005);
  });
}

for (const [name, code, reason] of [
  ["1000", 1000, ""],
  ["1001", 1001, ""],
  ["3000", 3000, ""],
  ["4999-reason", 4999, "reason"],
  ["none", 1005, ""],
]) {
  check(`close-by-server-${name}`, async () => {
    const peer = await Peer.open(name === "none" ? "close" : `close/${name.replace("-", "/")}`);
    ended(await peer.closed, code, reason);
  });
}

check("rejected", async () => {
  const peer = new Peer("rejected");
  assert(!(await peer.opened), "it opened");
  ended(await peer.closed, 1006, "");
});

check("reset", async () => {
  const peer = await Peer.open("reset");
  await peer.echo("before the end");
  peer.ws.send("now");
  ended(await peer.closed, 1006, "");
});

check("ping-by-server", async () => {
  const peer = await Peer.open("ping/from-the-server");
  same(await peer.next(), "pong from-the-server", "the message");
  await peer.done();
});

async function report(line) {
  document.getElementById("lines").append(`${line}\n`);
  // An ordinary request in between, on the same connection.
  const response = await fetch("/check/report", { method: "POST", body: line });
  assert(response.ok, `the report was answered with ${response.status}`);
}

async function run(name, body) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("took too long")), LIMIT));
  try {
    await Promise.race([body(), late]);
    await report(`ok ${name}`);
  } catch (error) {
    await report(`FAIL ${name} ${String(error.message).replaceAll(/\s+/g, " ")}`);
  }
}

// These see all that happens to the others; the second one is still open when the page is left.
const witness = await Peer.open("echo");
const leaving = await Peer.open("ended/leave");
for (const [name, body] of checks) await run(name, body);
await run("witness", async () => {
  await witness.echo("still there");
  await witness.done();
  await leaving.echo("still there");
});
document.title = "done";
