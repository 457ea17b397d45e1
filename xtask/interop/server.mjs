// An echo server on Node ws: server.mjs [CHAIN KEY]. The contract is in README.md.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import process from "node:process";

const { WebSocketServer } = createRequire(`${process.env.INTEROP_NODE}/package.json`)("ws");

const SUBPROTOCOLS = new Set(["chat", "superchat", "echo.v1"]);
const [chain, key] = process.argv.slice(2);
const server = chain
  ? https.createServer({ cert: readFileSync(chain), key: readFileSync(key) })
  : http.createServer();

// The permessage-deflate that a path stands for.
function deflate([what, ...words]) {
  if (what !== "deflate") return false;
  const options = { threshold: 0 };
  if (words[0] === "imposed") {
    options.serverMaxWindowBits = Number(words[1]);
    options.clientMaxWindowBits = Number(words[2]);
    options.serverNoContextTakeover = !["both", "server"].includes(words[3]);
    options.clientNoContextTakeover = !["both", "client"].includes(words[3]);
  }
  // Only "yes" is told: "no" would decline a client that asks for it.
  for (const name of ["serverNoContextTakeover", "clientNoContextTakeover"]) options[name] ||= undefined;
  return options;
}

server.on("upgrade", (request, socket, head) => {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: deflate(request.url.split("/").slice(1)),
    handleProtocols: (offered) => [...offered].find((name) => SUBPROTOCOLS.has(name)) ?? false,
  });
  sockets.handleUpgrade(request, socket, head, (ws) => serve(ws, request));
});

function serve(ws, request) {
  // A broken connection shows in the checks themselves.
  ws.on("error", (error) => console.error(error.message));
  const [what, ...words] = request.url.split("/").slice(1);
  if (what === "close") return close(ws, words);
  if (what === "ping") {
    ws.on("pong", (payload) => ws.send(`pong ${payload}`));
    ws.ping(words[0]);
  }
  if (what === "fragments" || what === "deflate") {
    ws.send("a".repeat(1000), { fin: false });
    ws.ping("between");
    ws.send("b".repeat(1000), { fin: false });
    ws.send("c".repeat(1000));
  }
  ws.on("message", (data, binary) => {
    if (what === "deflate" && !ws._receiver._compressed) return ws.close(1008, "not compressed");
    ws.send(data, { binary });
  });
}

function close(ws, [code, reason]) {
  const name = [code ?? "none", reason].filter(Boolean).join("-");
  ws.on("close", (answer) => {
    if (answer === Number(code ?? 1005)) console.log(`ok close-seen-${name}`);
    else console.log(`FAIL close-seen-${name} the answer was ${answer}`);
  });
  if (code) ws.close(Number(code), reason);
  else ws.close();
}

server.listen(0, "127.0.0.1", () => {
  console.log(`listening on ${chain ? "wss" : "ws"}://127.0.0.1:${server.address().port}`);
});
process.stdin.on("end", () => process.exit(0)).resume();
