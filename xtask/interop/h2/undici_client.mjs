// The checks on undici's WebSocket over its HTTP/2: undici_client.mjs URL [--ca FILE] CHECK... The contract is in
// ../README.md.

import { readFileSync } from "node:fs";
import diagnostics from "node:diagnostics_channel";
import { createRequire } from "node:module";
import process from "node:process";

import { runNamed, same } from "../checks.mjs";
import { allKinds } from "../compression.mjs";
import { letters, octets } from "../messages.mjs";

const { Client, WebSocket, ping } = createRequire(`${process.env.INTEROP_NODE}/package.json`)("undici");

const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20];
const CLOSES = [[1000], [1001], [1008], [3000], [4999, "reason"], []];
const args = process.argv.slice(2);
const url = args.shift();
const ca = args[0] === "--ca" ? readFileSync(args.splice(0, 2)[1]) : undefined;

const name = ([code, reason]) => [code ?? "none", reason].filter(Boolean).join("-");
const event = (socket, name) =>
  new Promise((resolve, reject) => {
    socket.addEventListener(name, resolve, { once: true });
    socket.addEventListener("error", ({ error }) => reject(error ?? new Error("an error")), { once: true });
    if (name !== "close") {
      socket.addEventListener("close", ({ code }) => reject(new Error(`closed with ${code}`)), { once: true });
    }
  });
const message = async (socket) => {
  const { data } = await event(socket, "message");
  return typeof data === "string" ? data : Buffer.from(data);
};

// The status of each handshake and the payload of each Pong, which undici tells nowhere else.
const statuses = [];
const pongs = [];
diagnostics.subscribe("undici:websocket:open", ({ handshakeResponse }) => statuses.push(handshakeResponse.status));
diagnostics.subscribe("undici:websocket:pong", ({ payload }) => pongs.push(payload));

async function open(dispatcher, path, protocols = []) {
  const socket = new WebSocket(url + path, { dispatcher, protocols });
  socket.binaryType = "arraybuffer";
  await event(socket, "open");
  // HTTP/1.1 has 101.
  same(statuses.pop(), 200);
  return socket;
}

async function close(socket, code, reason) {
  const closed = event(socket, "close");
  code ? socket.close(code, reason) : socket.close();
  return closed;
}

async function echo(dispatcher, sent) {
  const socket = await open(dispatcher, "/echo");
  const echoed = message(socket);
  socket.send(sent);
  same(await echoed, sent);
}

async function echoed(dispatcher) {
  const socket = await open(dispatcher, "/deflate/echo");
  same(socket.extensions, "permessage-deflate");
  for (const sent of allKinds) {
    const echoed = message(socket);
    socket.send(sent);
    same(await echoed, sent);
  }
}

async function firstMessage(dispatcher, path, expected) {
  const socket = new WebSocket(url + path, { dispatcher });
  same(await message(socket), expected);
  same(statuses.pop(), 200);
}

async function pinged(dispatcher, payload) {
  const socket = await open(dispatcher, "/echo");
  ping(socket, Buffer.from(payload));
  const deadline = Date.now() + 10000;
  while (!pongs.length && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
  same(pongs.pop()?.toString(), payload);
}

async function closeByUs(dispatcher, code, reason) {
  const answer = await close(await open(dispatcher, "/echo"), code, reason);
  same(`${answer.code} ${answer.wasClean}`, `${code ?? 1005} true`);
}

async function closeByPeer(dispatcher, code, reason) {
  const path = ["/close", code, reason].filter(Boolean).join("/");
  const answer = await event(new WebSocket(url + path, { dispatcher }), "close");
  same(`${answer.code} ${answer.reason} ${answer.wasClean}`, `${code ?? 1005} ${reason ?? ""} true`);
  same(statuses.pop(), 200);
}

async function subprotocol(dispatcher, offered, expected) {
  const socket = await open(dispatcher, "/echo", offered);
  same(socket.protocol, expected);
}

// All have their first message back before any sends its second, and all have begun to close before any has.
async function sockets(dispatcher, count) {
  const all = await Promise.all(Array.from({ length: count }, () => open(dispatcher, "/echo")));
  for (const size of [10, 10000]) {
    const text = (number) => String(number).padStart(10, "0").repeat(size / 10);
    const messages = all.map(message);
    all.forEach((socket, number) => socket.send(text(number)));
    (await Promise.all(messages)).forEach((found, number) => same(found, text(number)));
  }
  for (const { code } of await Promise.all(all.map((socket) => close(socket, 3000)))) same(code, 3000);
}

// Makes a check on a connection of its own.
async function on(check) {
  const origin = new URL(url.replace(/^ws/, "http")).origin;
  const dispatcher = new Client(origin, { allowH2: true, useH2c: !ca, connect: { ca }, pipelining: 100 });
  const connections = [];
  dispatcher.on("connect", () => connections.push("a connection"));
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("took too long")), 20000)));
  try {
    await Promise.race([late, check(dispatcher)]);
    same(connections.length, 1);
  } finally {
    clearTimeout(timer);
    await dispatcher.destroy();
  }
}

function* checks() {
  for (const size of SIZES) {
    yield [`text-${size}`, (its) => echo(its, letters(size))];
    yield [`binary-${size}`, (its) => echo(its, octets(size))];
  }
  yield ["text-unicode", (its) => echo(its, "κόσμε 😀 \u{10FFFF}")];
  const fragments = "a".repeat(1000) + "b".repeat(1000) + "c".repeat(1000);
  yield ["fragments-by-peer", (its) => firstMessage(its, "/fragments", fragments)];
  yield ["ping", (its) => pinged(its, "sheave")];
  yield ["ping-empty", (its) => pinged(its, "")];
  yield ["ping-125", (its) => pinged(its, "p".repeat(125))];
  yield ["ping-by-peer", (its) => firstMessage(its, "/ping/from-peer", "pong from-peer")];
  for (const close of CLOSES) {
    yield [`close-${name(close)}`, (its) => closeByUs(its, ...close)];
    yield [`close-by-peer-${name(close)}`, (its) => closeByPeer(its, ...close)];
  }
  yield ["subprotocol-chosen", (its) => subprotocol(its, ["unknown", "superchat", "chat"], "superchat")];
  yield ["subprotocol-none", (its) => subprotocol(its, [], "")];
  yield ["echoed-15-15-both", echoed];
  yield ["sockets-100", (its) => sockets(its, 100)];
}

process.on("unhandledRejection", () => {});
process.removeAllListeners("warning");
await runNamed([...checks()].map(([name, check]) => [name, () => on(check)]), args);
