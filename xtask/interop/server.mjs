// An echo server on Node ws: server.mjs [CHAIN KEY]. The contract is in README.md.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import process from "node:process";

import { SUBPROTOCOLS, deflate, serve } from "./paths.mjs";

const { WebSocketServer } = createRequire(`${process.env.INTEROP_NODE}/package.json`)("ws");

const [chain, key] = process.argv.slice(2);
const server = chain
  ? https.createServer({ cert: readFileSync(chain), key: readFileSync(key) })
  : http.createServer();

server.on("upgrade", (request, socket, head) => {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: deflate(request.url),
    handleProtocols: (offered) => [...offered].find((name) => SUBPROTOCOLS.has(name)) ?? false,
  });
  sockets.handleUpgrade(request, socket, head, (ws) => serve(ws, request.url));
});
server.listen(0, "127.0.0.1", () => {
  console.log(`listening on ${chain ? "wss" : "ws"}://127.0.0.1:${server.address().port}`);
});
process.stdin.on("end", () => process.exit(0)).resume();
