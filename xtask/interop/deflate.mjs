// The checks of permessage-deflate on Node ws: deflate.mjs URL. The contract is in README.md.

import { createRequire } from "node:module";
import process from "node:process";

import { run } from "./checks.mjs";
import { compression, declined } from "./compression.mjs";

const WebSocket = createRequire(`${process.env.INTEROP_NODE}/package.json`)("ws");

const DECLINED = {
  "server-8": "server_max_window_bits=8",
  "server-7": "server_max_window_bits=7",
  "server-16": "server_max_window_bits=16",
  "server-without-value": "server_max_window_bits",
  "client-7": "client_max_window_bits=7",
  "client-with-zero": "client_max_window_bits=09",
  "flag-with-value": "client_no_context_takeover=1",
  twice: "server_no_context_takeover; server_no_context_takeover",
  unknown: "window_bits=15",
};
const url = process.argv[2];

const dial = (path, perMessageDeflate, headers) => new WebSocket(url + path, { perMessageDeflate, headers });
const offers = Object.entries(DECLINED).map(([name, parameters]) => [`declined-${name}`, () => declined(dial, parameters)]);

await run([...compression(dial), ...offers]);
