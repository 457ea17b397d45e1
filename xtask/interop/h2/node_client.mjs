// The checks on Node's http2 with ws on its streams: node_client.mjs URL [--ca FILE] CHECK... The contract is in
// ../README.md.

import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { createRequire } from "node:module";
import process from "node:process";

import { runNamed, same } from "../checks.mjs";
import { compression, echoes } from "../compression.mjs";
import { messages } from "../messages.mjs";

const require = createRequire(`${process.env.INTEROP_NODE}/package.json`);
const WebSocket = require("ws");
const ws = (file) => require(`./node_modules/ws/lib/${file}.js`);
const PerMessageDeflate = ws("permessage-deflate");
const extension = ws("extension");

const args = process.argv.slice(2);
const url = args.shift().replace(/^ws/, "http");
const ca = args[0] === "--ca" ? readFileSync(args.splice(0, 2)[1]) : undefined;

const connect = () => http2.connect(url, { ca, settings: { enablePush: false, initialWindowSize: 1 << 20 } });

// Opens a WebSocket on a stream of its own.
function open(session, path, offered, deflate) {
  const socket = new WebSocket(null, undefined, { autoPong: true });
  socket._isServer = false;
  const fail = (error) => socket.emit("error", error);
  session.on("error", fail);
  const opening = () => {
    if (!session.remoteSettings.enableConnectProtocol) return fail(new Error("no extended CONNECT"));
    const fields = { ":method": "CONNECT", ":protocol": "websocket", ":path": path, "sec-websocket-version": "13" };
    if (offered?.length) fields["sec-websocket-protocol"] = offered.join(", ");
    const compression = deflate && new PerMessageDeflate(deflate, false, 0);
    if (compression) {
      fields["sec-websocket-extensions"] = extension.format({ [PerMessageDeflate.extensionName]: compression.offer() });
    }
    const stream = session.request(fields, { endStream: false });
    stream.on("error", fail);
    stream.on("response", (headers) => {
      if (headers[":status"] !== 200) return fail(new Error(`status ${headers[":status"]}`));
      socket._protocol = headers["sec-websocket-protocol"] ?? "";
      socket.emit("upgrade", { headers });
      const answer = extension.parse(headers["sec-websocket-extensions"] ?? "a")[PerMessageDeflate.extensionName];
      if (answer) {
        compression.accept(answer);
        socket._extensions[PerMessageDeflate.extensionName] = compression;
      }
      socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 0 });
    });
  };
  if (session.hasSettings) opening();
  else session.once("remoteSettings", () => opening((session.hasSettings = true)));
  return socket;
}

// The same on a connection of its own, which ends with it.
function dial(path, offered, deflate) {
  const session = connect();
  const socket = open(session, path, offered, deflate);
  socket.terminate = () => session.destroy();
  return socket;
}

const message = (socket) => new Promise((resolve) => socket.once("message", (data) => resolve(data.toString())));

// All have their first message back before any sends its second, and all have begun to close before any has.
async function sockets(session, count) {
  const all = Array.from({ length: count }, () => open(session, "/echo"));
  await Promise.all(all.map((socket) => new Promise((resolve) => socket.once("open", resolve))));
  for (const size of [10, 10000]) {
    const text = (number) => String(number).padStart(10, "0").repeat(size / 10);
    const messages = all.map(message);
    all.forEach((socket, number) => socket.send(text(number)));
    (await Promise.all(messages)).forEach((found, number) => same(found, text(number)));
  }
  const closed = all.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  all.forEach((socket) => socket.close(1001));
  for (const code of await Promise.all(closed)) same(code, 1001);
}

// Whatever way one ends, another goes on.
async function apart(session) {
  const opened = (path) => {
    const socket = open(session, path);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    return new Promise((resolve) => socket.once("open", () => resolve([socket, closed])));
  };
  const [other, otherClosed] = await opened("/echo");
  const [first, closed] = await opened("/echo");
  first.close(1001);
  same(await closed, 1001);
  same(await (await opened("/close/4000"))[1], 4000);
  const [broken] = await opened("/echo");
  broken.send("broken off");
  broken._socket.close(http2.constants.NGHTTP2_CANCEL);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const echo = message(other);
  other.send("still here");
  same(await echo, "still here");
  other.close(1001);
  same(await otherClosed, 1001);
}

async function on(check) {
  const session = connect();
  session.setMaxListeners(0);
  const failed = new Promise((_, reject) => {
    session.once("error", reject);
    setTimeout(() => reject(new Error("took too long")), 20000).unref();
  });
  try {
    await Promise.race([failed, check(session)]);
  } finally {
    session.destroy();
  }
}

const checks = [
  ...messages((path, offered) => dial(path, offered)),
  ...compression((path, deflate) => dial(path, [], deflate)),
  ...echoes((path, deflate) => dial(path, [], deflate)),
  ["sockets-100", () => on((session) => sockets(session, 100))],
  ["sockets-apart", () => on(apart)],
];
process.on("unhandledRejection", () => {});
await runNamed(checks, args);
