// The server of the interop checks on Node's http2: server.mjs [CHAIN KEY]. The contract is in README.md.

import { readFileSync } from "node:fs";
import http2 from "node:http2";
import process from "node:process";
import { Readable } from "node:stream";

const PAGE = "This server speaks HTTP/2.\n";
const [chain, key] = process.argv.slice(2);
const options = { settings: { maxConcurrentStreams: 1000, enableConnectProtocol: true }, maxSessionMemory: 100 };
const server = chain
  ? http2.createSecureServer({ ...options, cert: readFileSync(chain), key: readFileSync(key) })
  : http2.createServer(options);
const sessions = new Set();

function* pieces(length) {
  for (; length > 0; length -= 1 << 16) yield Buffer.alloc(Math.min(length, 1 << 16), ".");
}

function echo(stream) {
  let trailers = {};
  stream.on("trailers", (received) => (trailers = Object.fromEntries(Object.entries(received))));
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.respond({ ":status": 200 }, { waitForTrailers: true });
  stream.pipe(stream);
}

server.on("session", (session) => {
  sessions.add(session);
  session.on("close", () => sessions.delete(session));
  session.on("error", (error) => console.error(`a session: ${error.message}`));
});
server.on("stream", (stream, fields) => {
  const { ":method": method, ":path": path } = fields;
  stream.on("error", (error) => console.error(`a stream: ${error.message}`));
  if (method === "CONNECT" || (method === "POST" && path === "/echo")) {
    echo(stream);
  } else if (path === "/early") {
    stream.additionalHeaders({ ":status": 103 });
    stream.respond({ ":status": 200 });
    stream.end(PAGE);
  } else if (path === "/trailers") {
    stream.on("wantTrailers", () => stream.sendTrailers({ checksum: "27" }));
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.end(PAGE);
  } else if (path === "/fields") {
    const own = Object.entries(fields).filter(([name]) => name.startsWith("x-"));
    stream.respond({ ":status": 200, ...Object.fromEntries(own) }, { endStream: true });
  } else if (path === "/reset") {
    stream.respond({ ":status": 200 });
    stream.write(PAGE, () => stream.destroy(new Error("broken off on purpose")));
  } else if (path.startsWith("/bytes/")) {
    stream.respond({ ":status": 200 });
    Readable.from(pieces(Number(path.slice(7)))).pipe(stream);
  } else {
    stream.respond({ ":status": 200 });
    stream.end(method === "HEAD" ? undefined : PAGE);
  }
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${chain ? "https" : "http"}://127.0.0.1:${server.address().port}`));
process.stdin.resume().on("end", () => {
  for (const session of sessions) session.close();
  server.close();
});
