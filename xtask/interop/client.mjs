// The checks on Node ws: client.mjs URL [--ca FILE]. The contract is in README.md.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

import { run } from "./checks.mjs";
import { messages } from "./messages.mjs";

const WebSocket = createRequire(`${process.env.INTEROP_NODE}/package.json`)("ws");

const [url, , caFile] = process.argv.slice(2);
const ca = caFile && readFileSync(caFile);

await run(messages((path, offered) => new WebSocket(url + path, offered, { ca, perMessageDeflate: false, maxPayload: 0 })));
