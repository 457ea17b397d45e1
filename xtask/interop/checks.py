"""What the scripts in Python have in common."""

import asyncio
import sys

from websockets.frames import Opcode


def expect(found, expected):
    if found != expected:
        raise AssertionError(f"{str(found)[:80]!r} instead of {str(expected)[:80]!r}")


def insist_on_compression(ws):
    """From now on no message may come uncompressed."""
    extension = ws.protocol.extensions[0]
    decode = extension.decode

    def checked(frame, **more):
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY) and not frame.rsv1:
            raise AssertionError("not compressed")
        return decode(frame, **more)

    extension.decode = checked


async def all_of(checks):
    failed = False
    for name, check in checks:
        try:
            await asyncio.wait_for(check(), 20)
            print(f"ok {name}", flush=True)
        except Exception as why:
            failed = True
            print(f"FAIL {name} {type(why).__name__}: {why}".replace("\n", " "), flush=True)
    return failed


def run(checks):
    """Runs checks, given as names with functions, and exits with what came of them."""
    sys.exit(asyncio.run(all_of(checks)))


def run_named(checks, names):
    """The same with those of these names, in their order."""
    known = dict(checks)

    async def unknown():
        raise AssertionError("no such check")

    run((name, known.get(name, unknown)) for name in names)
