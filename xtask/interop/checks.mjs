// What the clients of the checks have in common: how they are run and told of.

import process from "node:process";

export const equal = (a, b) => (Buffer.isBuffer(a) && Buffer.isBuffer(b) ? a.equals(b) : a === b);
export const show = (value) =>
  (JSON.stringify(Buffer.isBuffer(value) ? value.subarray(0, 40) : value) ?? "nothing").slice(0, 80);

export function same(found, expected) {
  if (!equal(found, expected)) throw new Error(`${show(found)} instead of ${show(expected)}`);
}

// Runs checks, given as names with functions.
export async function run(checks) {
  for (const [name, check] of checks) {
    try {
      await check();
      console.log(`ok ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAIL ${name} ${error.message}`.replaceAll("\n", " "));
    }
  }
}

// The same with those of these names, in their order.
export function runNamed(checks, names) {
  const known = new Map(checks);
  const unknown = () => {
    throw new Error("no such check");
  };
  return run(names.map((name) => [name, known.get(name) ?? unknown]));
}
