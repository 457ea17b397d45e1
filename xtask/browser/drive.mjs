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
// A page of Chromium's has no more than 255, and two are for other things: the server's count, and the echo by hand.
const MANY = 250;
// What the checking page opens, and the demo's.
const OPENED = 133 + MANY + 2;
// Messages that make a picture worth while.
const MESSAGES = 12_000;

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
// Waits until both sides have so many sockets, all on one connection.
async function counted(sockets) {
  const shown = { "#open": `${sockets}`, "#server-counts": counts(sockets) };
  if (sockets) shown["#open-note"] = "on 1 TCP connection";
  const deadline = Date.now() + 60_000;
  for (const [selector, wanted] of Object.entries(shown)) {
    while ((await textOf(selector)) !== wanted) {
      if (Date.now() > deadline) {
        const texts = await Promise.all(Object.keys(shown).map(textOf));
        throw new Error(`${texts.join(", ")} instead of ${sockets} sockets`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

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
    await counted(SOCKETS);
    same(await textOf("#socket-versions"), "HTTP/2, on the connection that this page came by");
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
  await check("demo-250-sockets", async () => {
    await click("input[name=rate][value=\"1\"]");
    await click(`input[name=sockets][value="${MANY}"]`);
    await counted(MANY);
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

const logFile = path.join(folder, "net.json");
const log = await NetLog.read(logFile, host);
const paths = (sockets) => [...new Set(sockets.map(({ path }) => path))].join(", ");
const opened = [...log.sockets.values()].filter(({ status }) => status === 200);
// Those that end otherwise: by a reset of the server's, or with their page.
const cut = ["/check/reset", "/check/ended/leave", "/stats", "/echo"];

await check("browser-one-connection", async () => {
  same(log.tcpConnections, 1);
  same(log.sessions, 1);
});
await check("browser-setting", async () => same(log.settings.ENABLE_CONNECT_PROTOCOL, 1));
await check("browser-extended-connect", async () => same(opened.length, OPENED));
await check("browser-rejected", async () => {
  const rejected = [...log.sockets.values()].filter(({ status }) => status !== 200);
  same(rejected.map(({ path, status }) => `${path} ${status}`).join(), "/check/rejected 403");
});
await check("browser-ends", async () => {
  // Where the server leaves the end to Chromium, that resets the stream two seconds after the closing handshake.
  const others = opened.filter(({ path }) => !cut.includes(path.split("?")[0]));
  same(paths(others.filter(({ ended }) => !ended)), "");
  same(paths(others.filter(({ reset }) => reset)), "");
});
await check("browser-goaway", async () => same(log.goaways, 0));
if (!failed) fs.rmSync(logFile);
process.exitCode = failed ? 1 : 0;
