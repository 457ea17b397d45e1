// What Chromium wrote into its log of the network: first the names of things, then one event in each line.

import fs from "node:fs";
import readline from "node:readline";

const EVENTS = [
  "TCP_CONNECT_ATTEMPT",
  "HTTP2_SESSION",
  "HTTP2_SESSION_RECV_SETTING",
  "HTTP2_SESSION_RECV_GOAWAY",
  "HTTP2_SESSION_SEND_HEADERS",
  "HTTP2_SESSION_RECV_HEADERS",
  "HTTP2_SESSION_RECV_DATA",
  "HTTP2_SESSION_SEND_RST_STREAM",
];

// What Chromium did with one server.
export class NetLog {
  // How many were begun.
  tcpConnections = 0;
  sessions = 0;
  goaways = 0;
  // By their names in RFC 9113.
  settings = {};
  // The requests for a WebSocket, by stream: their path, the answer's status, whether the server ended the stream, and
  // whether Chromium reset it.
  sockets = new Map();

  static async read(file, host) {
    const log = new NetLog();
    let types;
    let begin;
    for await (const line of readline.createInterface({ input: fs.createReadStream(file) })) {
      if (!types) {
        const { constants } = JSON.parse(`${line.slice(0, -1)}}`);
        begin = constants.logEventPhase.PHASE_BEGIN;
        types = new Map(EVENTS.map((name) => [constants.logEventTypes[name], name]));
        if (types.has(undefined)) throw new Error("Chromium has other names for its events");
        continue;
      }
      const type = /"type":(\d+)\}\]?,$/.exec(line);
      const name = type && types.get(Number(type[1]));
      if (!name) continue;
      const { phase, params } = JSON.parse(line.replace(/\]?,$/, ""));
      log.#take(name, phase === begin, params ?? {}, host);
    }
    return log;
  }

  // The only server that it has to do with by HTTP/2 is this one.
  #take(name, begins, params, host) {
    const socket = this.sockets.get(params.stream_id);
    switch (name) {
      case "TCP_CONNECT_ATTEMPT":
        if (begins && params.address === host) this.tcpConnections++;
        break;
      case "HTTP2_SESSION":
        if (begins) this.sessions++;
        break;
      case "HTTP2_SESSION_RECV_SETTING":
        this.settings[/SETTINGS_(\w+)/.exec(params.id)?.[1]] = params.value;
        break;
      case "HTTP2_SESSION_RECV_GOAWAY":
        this.goaways++;
        break;
      case "HTTP2_SESSION_SEND_HEADERS":
        if (field(params, ":method") === "CONNECT" && field(params, ":protocol") === "websocket") {
          this.sockets.set(params.stream_id, { path: field(params, ":path") });
        }
        break;
      case "HTTP2_SESSION_RECV_HEADERS":
        if (socket) socket.status = Number(field(params, ":status"));
        break;
      case "HTTP2_SESSION_RECV_DATA":
        if (socket && params.fin) socket.ended = true;
        break;
      case "HTTP2_SESSION_SEND_RST_STREAM":
        if (socket) socket.reset = params.error_code;
        break;
    }
  }
}

function field({ headers }, name) {
  return headers.find((header) => header.startsWith(`${name}: `))?.slice(name.length + 2);
}
