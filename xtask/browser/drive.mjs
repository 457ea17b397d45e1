// drive.mjs URL CA FOLDER: opens the pages of `browser_check` in headless Chromium, prints `ok NAME` or `FAIL NAME why`
// for each check of what is on them, and leaves pictures and Chromium's log of the network in FOLDER.

import { createHash } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import tls from "node:tls";

import { Chromium } from "./chromium.mjs";
import { NetLog } from "./netlog.mjs";

const [url, ca, folder] = process.argv.slice(2);
const { hostname, port, host } = new URL(url);
const SOCKETS = 100;
const MANY = 500;
// Messages that make a picture worth while.
const MESSAGES = 15_000;

let failed = false;

async function check(name, body) {
  try {
    await body();
    console.log(`ok ${name}`);
  } catch (error) {
    failed = true;
    console.log(`FAIL ${name} ${String(error.message).replaceAll(/\s+/g, " ")}`);
  }
}

function same(got, wanted) {
  if (got !== wanted) throw new Error(`${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}

// The hash of the server's key, which has a certificate of `ca`.
async function pin() {
  const socket = tls.connect({ host: hostname, port, ca: fs.readFileSync(ca) });
  await once(socket, "secureConnect");
  const key = socket.getPeerX509Certificate().publicKey.export({ type: "spki", format: "der" });
  socket.destroy();
  return createHash("sha256").update(key).digest("base64");
}

const chromium = await Chromium.start(folder, await pin());
const textOf = (selector) => chromium.evaluate(`document.querySelector("${selector}").textContent`);
const click = (selector) => chromium.evaluate(`document.querySelector('${selector}').click()`);
const counts = (sockets) => `${sockets} sockets of this page on ${sockets ? "1 TCP connection" : "0 TCP connections"}`;
const counted = (sockets) =>
  chromium.until(`document.querySelector("#server-counts").textContent === "${counts(sockets)}"`, 60_000);

try {
  await check("check-page", async () => {
    await chromium.open(`https://${host}/check`);
    await chromium.until("document.title === 'done'", 240_000);
  });
  chromium.troubles = [];

  await check("demo-page", async () => {
    await chromium.open(`https://${host}/#sockets=${SOCKETS}&rate=10&size=1024`);
    await chromium.until(`document.querySelector("#open")?.textContent === "${SOCKETS}"`, 60_000);
  });
  await check("demo-version", async () => {
    same(await textOf(".version"), "HTTP/2");
    same(await textOf("#browser-version"), "“h2” in the browser’s words");
  });
  await check("demo-sockets", async () => {
    same(await textOf("#open-note"), "on 1 TCP connection");
    same(await textOf("#socket-versions"), "HTTP/2, on the connection that this page came by");
    await counted(SOCKETS);
  });
  await check("demo-messages", async () => {
    const sent = `Number(document.querySelector("#rate-note").textContent.replaceAll(/\\D/g, "")) >= ${MESSAGES}`;
    await chromium.until(sent, 120_000);
    const ratio = Number.parseFloat(await textOf("#ratio"));
    if (!(ratio > 1.5)) throw new Error(`the compression is ${ratio}`);
  });
  await check("demo-pictures", async () => {
    const pictures = {
      "demo.png": { width: 1280, scheme: "light", scale: 1.5 },
      "demo-dark.png": { width: 1280, scheme: "dark", scale: 1.5 },
      "demo-phone.png": { width: 390, scheme: "light", scale: 2 },
    };
    for (const [file, view] of Object.entries(pictures)) await chromium.picture(path.join(folder, file), view);
  });
  await check("demo-500-sockets", async () => {
    await click(`input[name=sockets][value="${MANY}"]`);
    await counted(MANY);
    same(await textOf("#open-note"), "on 1 TCP connection");
  });
  await check("demo-stop", async () => {
    await click("#run");
    await counted(0);
  });
  await check("demo-console", async () => same(chromium.troubles.join("; "), ""));
  await check("browser-end", () => chromium.close());
} finally {
  chromium.kill();
}

const log = new NetLog(path.join(folder, "net.json"), host);
for (const [name, body] of Object.entries(log.checks)) await check(name, body);
process.exitCode = failed ? 1 : 0;
