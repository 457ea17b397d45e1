"""What the clients of the checks have in common: how they are run and told of."""

import sys


def same(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r:.200} instead of {expected!r:.200}")


def run(checks):
    """Runs checks, given as names with functions, and exits with what came of them."""
    failed = False
    for name, check in checks:
        try:
            check()
            print(f"ok {name}", flush=True)
        except Exception as error:
            failed = True
            why = f"{type(error).__name__} {error}".replace("\n", " ")
            print(f"FAIL {name} {why}", flush=True)
    sys.exit(failed)
