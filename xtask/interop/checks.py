"""What the clients of the checks have in common: how they are run and told of."""

import asyncio
import sys


def expect(found, expected):
    if found != expected:
        raise AssertionError(f"{str(found)[:80]!r} instead of {str(expected)[:80]!r}")


async def all_of(checks):
    failed = False
    for name, check in checks:
        try:
            await asyncio.wait_for(check, 20)
            print(f"ok {name}", flush=True)
        except Exception as why:
            failed = True
            print(f"FAIL {name} {type(why).__name__}: {why}".replace("\n", " "), flush=True)
    return failed


def run(checks):
    """Runs checks, given as names with coroutines, and exits with what came of them."""
    sys.exit(asyncio.run(all_of(checks)))
