// The checks on Node's http2: client.mjs URL [--ca FILE] CHECK... The contract is in README.md.

import { readFileSync } from "node:fs";
import http2 from "node:http2";
import process from "node:process";

import { run, same } from "../interop/checks.mjs";

const PAGE = "This server speaks HTTP/2.\n";
const { NGHTTP2_CANCEL } = http2.constants;
const args = process.argv.slice(2);
const url = args.shift();
const ca = args[0] === "--ca" ? readFileSync(args.splice(0, 2)[1]) : undefined;

const octets = (size) => Buffer.alloc(size, Buffer.from(Array.from({ length: 256 }, (_, i) => (7 * i + 3) % 256)));
const letters = (size) => "abcdefghijklmnopqrstuvwxyz".repeat(size / 26 + 1).slice(0, size);

// The next event of this name; an error if something fails before.
const event = (emitter, name) =>
  new Promise((resolve, reject) => {
    emitter.once(name, (...given) => resolve(given));
    emitter.once("error", reject);
  });

async function head(stream) {
  const [fields] = await event(stream, "response");
  same(fields[":status"], 200);
  return fields;
}

// What comes, to its end, or so many bytes.
async function read(stream, size = Infinity) {
  const parts = [];
  let length = 0;
  while (length < size) {
    const part = stream.read(size === Infinity ? undefined : Math.min(size - length, stream.readableLength || 1));
    if (part) {
      parts.push(part);
      length += part.length;
    } else if (stream.readableEnded || stream.destroyed) {
      if (stream.errored) throw stream.errored;
      break;
    } else {
      await new Promise((resolve) => {
        for (const name of ["readable", "end", "close", "error"]) stream.once(name, resolve);
      });
    }
  }
  return Buffer.concat(parts);
}

const ask = (session, path, more = {}, options = { endStream: true }) =>
  session.request({ ":path": path, ...more }, options).setMaxListeners(0);

async function get(session) {
  const stream = ask(session, "/");
  await head(stream);
  same((await read(stream)).toString(), PAGE);
}

function post(session, options = {}) {
  return ask(session, "/echo", { ":method": "POST" }, { endStream: false, ...options });
}

async function echo(session, size, trailers) {
  const stream = post(session, { waitForTrailers: trailers !== undefined });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  let received;
  stream.on("trailers", (fields) => (received = fields.checksum));
  stream.end(octets(size));
  await head(stream);
  same(await read(stream), octets(size));
  same(received, trailers?.checksum);
}

async function earlyHints(session) {
  const stream = ask(session, "/early");
  const response = head(stream);
  const [hints] = await event(stream, "headers");
  same(hints[":status"], 103);
  await response;
  same((await read(stream)).toString(), PAGE);
}

async function trailers(session) {
  const stream = ask(session, "/trailers");
  const received = event(stream, "trailers");
  await head(stream);
  same((await read(stream)).toString(), PAGE);
  same((await received)[0].checksum, "27");
}

async function fields(session) {
  const stream = ask(session, "/fields", { "x-large": letters(40000) });
  same((await head(stream))["x-large"], letters(40000));
  await read(stream);
}

// So many at once: each has had its first half back before any goes on.
async function streams(session, count) {
  const open = Array.from({ length: count }, () => post(session));
  for (const stream of open) stream.write("one-");
  await Promise.all(open.map(async (stream) => {
    await head(stream);
    same((await read(stream, 4)).toString(), "one-");
  }));
  await Promise.all(open.map(async (stream) => {
    stream.end("two");
    same((await read(stream)).toString(), "two");
  }));
}

async function cancel(session) {
  const response = ask(session, "/bytes/1073741824");
  await head(response);
  await read(response, 100000);
  response.close(NGHTTP2_CANCEL);
  await event(response, "close");
  await get(session);
  const request = post(session);
  request.write(octets(10000));
  await head(request);
  request.close(NGHTTP2_CANCEL);
  await event(request, "close");
  await get(session);
}

async function reset(session) {
  const stream = ask(session, "/reset");
  stream.on("error", () => {});
  stream.resume();
  await new Promise((resolve) => stream.once("close", resolve));
  same(stream.rstCode, NGHTTP2_CANCEL);
  await get(session);
}

async function connect(session) {
  same(session.remoteSettings.enableConnectProtocol, true);
  const more = { ":method": "CONNECT", ":protocol": "websocket" };
  const stream = ask(session, "/chat", more, { endStream: false });
  await head(stream);
  for (const size of [1, 1000, 100000]) {
    stream.write(octets(size));
    same(await read(stream, size), octets(size));
  }
  stream.end();
  same(await read(stream), Buffer.alloc(0));
}

async function shutdown(session) {
  const open = Array.from({ length: 100 }, () => post(session));
  for (const stream of open) stream.write("one-");
  await Promise.all(open.map(head));
  const told = event(session, "goaway");
  console.log("shut down");
  same((await told)[0], 0);
  await Promise.all(open.map(async (stream) => {
    stream.end(octets(10000));
    same(await read(stream), Buffer.concat([Buffer.from("one-"), octets(10000)]));
  }));
}

async function check(name) {
  const session = http2.connect(url, { ca, settings: { enablePush: false }, maxSessionMemory: 100 });
  const timer = setTimeout(() => session.destroy(new Error("took too long")), 20000);
  const failed = new Promise((_, reject) => session.once("error", reject));
  const closed = new Promise((resolve) => session.once("close", resolve));
  try {
    await Promise.race([failed, make(name, session)]);
    session.close();
    await Promise.race([failed, closed]);
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}

async function make(name, session) {
  await event(session, "remoteSettings");
  if (name.startsWith("echo-")) return echo(session, Number(name.slice(5)));
  if (name === "head") {
    const stream = ask(session, "/", { ":method": "HEAD" });
    await head(stream);
    return same(await read(stream), Buffer.alloc(0));
  }
  const others = { get, trailers, fields, cancel, reset, connect, shutdown, "early-hints": earlyHints };
  others["trailers-echo"] = () => echo(session, 1000, { checksum: "27" });
  others["streams-1000"] = () => streams(session, 1000);
  return others[name](session);
}

process.on("unhandledRejection", () => {});
await run(args.map((name) => [name, () => check(name)]));
