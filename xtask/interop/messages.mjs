// The checks of messages, which are told in README.md. `dial(path, offered)` opens a WebSocket like that of ws.

import { equal, show } from "./checks.mjs";

const SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20];
const CLOSES = [[1000], [1001], [1008], [3000], [4999, "reason"], []];

const received = (data, binary) => (binary ? data : data.toString());

export function letters(size) {
  const data = Buffer.alloc(size);
  for (let i = 0; i < size; i++) data[i] = 97 + (i % 26);
  return data.toString();
}

export function octets(size) {
  const data = Buffer.alloc(size);
  for (let i = 0; i < size; i++) data[i] = (7 * i + 3) % 256;
  return data;
}

// Names and functions.
export function* messages(dial) {
  // Opens a connection, lets `body` work on it with `done(found, expected)`, and ends it.
  function on(path, offered, body, limit = 20000) {
    return new Promise((resolve, reject) => {
      const ws = dial(path, offered);
      const finish = (error) => {
        clearTimeout(timer);
        ws.terminate();
        error ? reject(error) : resolve();
      };
      const timer = setTimeout(() => finish(new Error("timeout")), limit);
      const done = (found, expected) => finish(equal(found, expected) ? null : new Error(`${show(found)} instead of ${show(expected)}`));
      ws.on("error", finish);
      ws.on("close", (code) => finish(new Error(`closed with ${code}`)));
      body(ws, done);
    });
  }

  const echo = (message) =>
    on("/echo", [], (ws, done) => {
      ws.on("message", (data, binary) => done(received(data, binary), message));
      ws.on("open", () => ws.send(message));
    });

  const fragments = (parts, expected) =>
    on("/echo", [], (ws, done) => {
      ws.on("message", (data, binary) => done(received(data, binary), expected));
      ws.on("open", () => parts.forEach((part, at) => ws.send(part, { fin: at === parts.length - 1 })));
    });

  const fragmentsPing = () =>
    on("/echo", [], (ws, done) => {
      let pong = "no pong";
      ws.on("pong", (payload) => (pong = payload.toString()));
      ws.on("message", (data) => done(`${pong} ${data}`, "between one-two"));
      ws.on("open", () => {
        ws.send("one-", { fin: false });
        ws.ping("between");
        ws.send("two");
      });
    });

  const firstMessage = (path, expected) =>
    on(path, [], (ws, done) => ws.on("message", (data, binary) => done(received(data, binary), expected)));

  const ping = (payload) =>
    on("/echo", [], (ws, done) => {
      ws.on("pong", (answer) => done(answer.toString(), payload));
      ws.on("open", () => ws.ping(payload));
    });

  const close = (code, reason) =>
    on("/echo", [], (ws, done) => {
      ws.removeAllListeners("close");
      ws.on("close", (answer) => done(answer, code ?? 1005));
      ws.on("open", () => (code ? ws.close(code, reason) : ws.close()));
    }, 5000);

  const closeByPeer = (code, reason) =>
    on(["/close", code, reason].filter(Boolean).join("/"), [], (ws, done) => {
      ws.removeAllListeners("close");
      ws.on("close", (answer, why) => done(`${answer} ${why}`, `${code ?? 1005} ${reason ?? ""}`));
    }, 5000);

  const subprotocol = (offered, expected) =>
    on("/echo", offered, (ws, done) => ws.on("open", () => done(ws.protocol, expected)));

  for (const size of SIZES) {
    yield [`text-${size}`, () => echo(letters(size))];
    yield [`binary-${size}`, () => echo(octets(size))];
  }
  yield ["text-unicode", () => echo("κόσμε 😀 \u{10FFFF}")];
  yield ["fragments-text", () => fragments(["alpha-", "βήτα-", "gamma"], "alpha-βήτα-gamma")];
  const parts = [1, 2, 3, 4, 5].map((value) => Buffer.alloc(1000, value));
  yield ["fragments-binary", () => fragments(parts, Buffer.concat(parts))];
  yield ["fragments-ping", fragmentsPing];
  yield ["fragments-by-peer", () => firstMessage("/fragments", "a".repeat(1000) + "b".repeat(1000) + "c".repeat(1000))];
  yield ["ping", () => ping("sheave")];
  yield ["ping-empty", () => ping("")];
  yield ["ping-125", () => ping("p".repeat(125))];
  yield ["ping-by-peer", () => firstMessage("/ping/from-peer", "pong from-peer")];
  for (const [code, reason] of CLOSES) {
    const name = [code ?? "none", reason].filter(Boolean).join("-");
    yield [`close-${name}`, () => close(code, reason)];
    yield [`close-by-peer-${name}`, () => closeByPeer(code, reason)];
  }
  yield ["subprotocol-chosen", () => subprotocol(["unknown", "superchat", "chat"], "superchat")];
  yield ["subprotocol-none", () => subprotocol([], "")];
}
