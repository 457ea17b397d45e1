// A server on Node's http2 with ws on its streams: node_server.mjs [CHAIN KEY]. The contract is in ../README.md.

import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { createRequire } from "node:module";
import process from "node:process";

import { SUBPROTOCOLS, deflate, serve } from "../paths.mjs";

const require = createRequire(`${process.env.INTEROP_NODE}/package.json`);
const WebSocket = require("ws");
const ws = (file) => require(`./node_modules/ws/lib/${file}.js`);
const PerMessageDeflate = ws("permessage-deflate");
const extension = ws("extension");

const [chain, key] = process.argv.slice(2);
const options = { settings: { enableConnectProtocol: true, maxConcurrentStreams: 200 } };
const server = chain
  ? http2.createSecureServer({ ...options, cert: readFileSync(chain), key: readFileSync(key) })
  : http2.createServer(options);

const offered = (value) => (value ?? "").split(",").map((name) => name.trim());

server.on("stream", (stream, fields) => {
  stream.on("error", (error) => console.error(`a stream: ${error.message}`));
  if (fields[":method"] !== "CONNECT" || fields[":protocol"] !== "websocket") {
    return stream.respond({ ":status": 404 }, { endStream: true });
  }
  const path = fields[":path"];
  const answer = { ":status": 200 };
  const socket = new WebSocket(null, undefined, { autoPong: true });
  const subprotocol = offered(fields["sec-websocket-protocol"]).find((name) => SUBPROTOCOLS.has(name));
  if (subprotocol) answer["sec-websocket-protocol"] = socket._protocol = subprotocol;
  const wanted = deflate(path);
  const offers = extension.parse(fields["sec-websocket-extensions"] ?? "a")[PerMessageDeflate.extensionName];
  if (wanted && offers) {
    const compression = new PerMessageDeflate(wanted, true, 0);
    compression.accept(offers);
    socket._extensions[PerMessageDeflate.extensionName] = compression;
    answer["sec-websocket-extensions"] = extension.format({ [PerMessageDeflate.extensionName]: [compression.params] });
  }
  stream.respond(answer);
  socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 0 });
  serve(socket, path);
});
server.on("session", (session) => session.on("error", (error) => console.error(`a session: ${error.message}`)));
server.listen(0, "127.0.0.1", () => {
  console.log(`listening on ${chain ? "wss" : "ws"}://127.0.0.1:${server.address().port}`);
});
process.stdin.on("end", () => process.exit(0)).resume();
