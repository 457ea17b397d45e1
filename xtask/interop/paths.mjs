// What a server does for its paths, which are told in README.md.

export const SUBPROTOCOLS = new Set(["chat", "superchat", "echo.v1"]);

// ws's option `perMessageDeflate` for a path.
export function deflate(path) {
  const [what, ...words] = path.split("/").slice(1);
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

export function serve(ws, path) {
  // A broken connection shows in the checks themselves.
  ws.on("error", (error) => console.error(error.message));
  const [what, ...words] = path.split("/").slice(1);
  if (what === "close") return close(ws, words);
  if (what === "ping") {
    ws.on("pong", (payload) => ws.send(`pong ${payload}`));
    ws.ping(words[0]);
  }
  if (what === "fragments" || (what === "deflate" && words[0] !== "echo")) {
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
