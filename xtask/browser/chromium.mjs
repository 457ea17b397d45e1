// Headless Chromium, driven by the DevTools protocol over a pipe.

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

// What a call of Chromium's may take, and its start and end.
const LIMIT = 60_000;

export class Chromium {
  #child;
  #calls = new Map();
  #last = 0;
  #session;
  // What went wrong in a page: exceptions, and what was written to the console as an error.
  troubles = [];

  // Starts it on an empty profile. It takes servers for genuine whose key has this hash.
  static async start(folder, pin) {
    const profile = path.join(folder, "profile");
    fs.rmSync(profile, { recursive: true, force: true });
    fs.mkdirSync(path.join(profile, "Default"), { recursive: true });
    // Never: or it makes connections that it may need, and does not.
    const preferences = { net: { network_prediction_options: 2 } };
    fs.writeFileSync(path.join(profile, "Default", "Preferences"), JSON.stringify(preferences));
    const chromium = new Chromium();
    chromium.#child = spawn("chromium", [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
      "--disable-dev-shm-usage", "--log-level=3",
      `--ignore-certificate-errors-spki-list=${pin}`,
      `--user-data-dir=${profile}`,
      `--log-net-log=${path.join(folder, "net.json")}`,
      "--remote-debugging-pipe",
      "about:blank",
    ], { stdio: ["ignore", "inherit", "inherit", "pipe", "pipe"] });
    chromium.#listen();
    const { targetInfos } = await chromium.#send("Target.getTargets");
    const { targetId } = targetInfos.find(({ type }) => type === "page");
    const { sessionId } = await chromium.#send("Target.attachToTarget", { targetId, flatten: true });
    chromium.#session = sessionId;
    for (const domain of ["Page", "Runtime", "Log"]) await chromium.call(`${domain}.enable`);
    return chromium;
  }

  #listen() {
    this.#child.on("exit", () => this.#fail(new Error("Chromium has ended")));
    this.#child.on("error", (error) => this.#fail(error));
    let text = "";
    this.#child.stdio[4].setEncoding("utf8").on("data", (data) => {
      const messages = (text + data).split("\0");
      text = messages.pop();
      for (const message of messages) this.#take(JSON.parse(message));
    });
    this.#child.stdio[3].on("error", () => {});
  }

  #take({ id, result, error, method, params }) {
    if (id !== undefined) {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error) call?.reject(new Error(error.message));
      else call?.resolve(result);
    } else if (method === "Runtime.exceptionThrown") {
      const { text, exception } = params.exceptionDetails;
      this.troubles.push(`${text} ${exception?.description ?? ""}`);
    } else if (method === "Log.entryAdded" && params.entry.level === "error") {
      this.troubles.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    }
  }

  #fail(error) {
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }

  #send(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    return within(`Chromium's answer to ${method}`, new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    }));
  }

  // Calls a method of the page's.
  call(method, params) {
    return this.#send(method, params, this.#session);
  }

  async open(url) {
    const { errorText } = await this.call("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
  }

  // What an expression comes to in the page.
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description}`);
    return result.value;
  }

  // Waits until an expression is true in the page.
  async until(expression, limit) {
    const deadline = Date.now() + limit;
    while (!(await this.evaluate(expression))) {
      if (Date.now() > deadline) throw new Error(`not in time: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  // A picture of the page, all of its height.
  async picture(file, { width, scheme, scale = 1 }) {
    await this.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    const view = (height) => ({ width, height, deviceScaleFactor: scale, mobile: width < 600 });
    await this.call("Emulation.setDeviceMetricsOverride", view(800));
    const height = await this.evaluate("document.documentElement.scrollHeight");
    await this.call("Emulation.setDeviceMetricsOverride", view(height));
    // So that what is drawn anew, and what that costs, is not all that is seen.
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const { data } = await this.call("Page.captureScreenshot", { format: "png" });
    fs.writeFileSync(file, Buffer.from(data, "base64"));
    // What is large is slow to draw.
    await this.call("Emulation.clearDeviceMetricsOverride");
  }

  // Ends it in order, so that its log is whole.
  async close() {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#send("Browser.close").catch(() => {});
    await within("Chromium's end", ended);
  }

  kill() {
    this.#child.kill("SIGKILL");
  }
}

function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took too long`)), LIMIT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
