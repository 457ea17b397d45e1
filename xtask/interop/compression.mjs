// The checks of permessage-deflate, which are told in README.md. `dial(path, deflate, headers)` opens a WebSocket like that
// of ws, which has `deflate` for its option `perMessageDeflate`.

import { randomBytes } from "node:crypto";

import { same } from "./checks.mjs";

const TAKEOVERS = { both: [true, true], server: [true, false], client: [false, true], none: [false, false] };
const DISTANCES = [200, 400, 800, 1600, 3200, 6400, 20000];
const GREETING = "a".repeat(1000) + "b".repeat(1000) + "c".repeat(1000);

// The answer, with what goes without saying filled in.
function agreed(extensions, server, client, takeover) {
  const [name, ...parameters] = (extensions ?? "").split(";").map((part) => part.trim());
  same(name, "permessage-deflate");
  const found = new Map(parameters.map((parameter) => parameter.split("=")));
  const takes = ["server_no_context_takeover", "client_no_context_takeover"].map((flag) => !found.has(flag));
  same(String(takes), String(TAKEOVERS[takeover]));
  same(Number(found.get("server_max_window_bits") ?? 15), server);
  same(Number(found.get("client_max_window_bits") ?? 15), client);
}

const asking = (server, client, takeover) => ({
  serverMaxWindowBits: server,
  clientMaxWindowBits: client,
  serverNoContextTakeover: !TAKEOVERS[takeover][0],
  // Only "yes" is told: "no" would refuse a server that wants it.
  clientNoContextTakeover: !TAKEOVERS[takeover][1] || undefined,
});

// About 1 KiB, much like the one before.
const json = (number) => `[${`{"number": ${number}, "name": "sheave", "tags": ["a", "b"]},`.repeat(20)}{}]`;

// What cannot be compressed, each piece twice, in every distance.
const distant = Buffer.concat(DISTANCES.map((distance) => randomBytes(distance)).flatMap((piece) => [piece, piece]));
export const allKinds = [json(0), json(1), json(2), "", distant, "after"];

// Opens a connection, has `opened` judge the answer's extensions and send, and holds what comes against `expected`.
// Compressed messages are all that may come, unless `deflate` is false.
function on(dial, path, deflate, opened, expected, headers) {
  return new Promise((resolve, reject) => {
    const ws = dial(path, deflate && { threshold: 0, ...deflate }, headers);
    const finish = (error) => {
      clearTimeout(timer);
      ws.terminate();
      error ? reject(error) : resolve();
    };
    const timer = setTimeout(() => finish(new Error("timeout")), 20000);
    const attempt = (body) => (...given) => {
      try {
        body(...given);
      } catch (error) {
        finish(error);
      }
    };
    let extensions;
    let at = 0;
    let pongs = 0;
    // The Pong may come behind the last echo.
    const end = () => at === expected.length && (pongs > 0 || !opened.pings) && finish();
    ws.on("upgrade", (response) => (extensions = response.headers["sec-websocket-extensions"]));
    ws.on("open", attempt(() => opened(ws, extensions)));
    ws.on("pong", attempt((payload) => {
      same(payload.toString(), "between");
      pongs += 1;
      end();
    }));
    ws.on("message", attempt((data, binary) => {
      if (deflate && !ws._receiver._compressed) throw new Error("not compressed");
      same(binary ? data : data.toString(), expected[at]);
      at += 1;
      end();
    }));
    ws.on("error", finish);
    ws.on("close", (code) => finish(new Error(`closed with ${code}`)));
  });
}

function* combinations() {
  for (const takeover of Object.keys(TAKEOVERS)) {
    for (let server = 9; server <= 15; server++) {
      for (let client = 9; client <= 15; client++) yield [server, client, takeover];
    }
  }
}

// Names and functions, those of `declined` and of `echoes` aside.
export function* compression(dial) {
  // Every kind of message, sent in one go.
  function exchange(path, deflate, judge) {
    const opened = (ws, extensions) => {
      judge(extensions);
      for (const message of allKinds) ws.send(message);
      ws.send("one-", { fin: false });
      ws.ping("between");
      ws.send("two");
    };
    opened.pings = true;
    return on(dial, path, deflate, opened, [GREETING, ...allKinds, "one-two"]);
  }

  const asked = (...all) => exchange("/deflate/asked", asking(...all), (extensions) => agreed(extensions, ...all));
  const imposed = (...all) => exchange(`/deflate/imposed/${all.join("/")}`, {}, (extensions) => agreed(extensions, ...all));
  const unlimited = () =>
    exchange("/deflate/imposed/15/9/both", { clientMaxWindowBits: false }, (extensions) => agreed(extensions, 15, 15, "server"));

  function large(takeover) {
    const text = "one mebibyte of the same line\n".repeat(Math.floor((1 << 20) / 30));
    const binary = randomBytes(1 << 20);
    const all = [text, text, binary, binary];
    const opened = (ws) => all.forEach((message) => ws.send(message));
    return on(dial, "/deflate/asked", asking(15, 15, takeover), opened, [GREETING, ...all]);
  }

  for (const combination of combinations()) {
    yield [`asked-${combination.join("-")}`, () => asked(...combination)];
    yield [`imposed-${combination.join("-")}`, () => imposed(...combination)];
  }
  for (const takeover of Object.keys(TAKEOVERS)) yield [`large-${takeover}`, () => large(takeover)];
  yield ["unlimited", unlimited];
}

// What every server has over HTTP/2.
export function* echoes(dial) {
  const echoed = (...all) => {
    const opened = (ws, extensions) => {
      agreed(extensions, ...all);
      for (const message of allKinds) ws.send(message);
    };
    return on(dial, "/deflate/echo", asking(...all), opened, allKinds);
  };
  for (const combination of combinations()) yield [`echoed-${combination.join("-")}`, () => echoed(...combination)];
}

export function declined(dial, parameters) {
  const opened = (ws, extensions) => {
    same(extensions, undefined);
    ws.send("plain");
  };
  const headers = { "Sec-WebSocket-Extensions": `permessage-deflate; ${parameters}` };
  return on(dial, "/deflate/asked", false, opened, [GREETING, "plain"], headers);
}
