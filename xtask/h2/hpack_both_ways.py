"""Python's hpack and sheave's, each decoding what the other encodes: hpack_both_ways.py INTEROP_HPACK. See README.md."""

import functools
import random
import subprocess
import sys

import hpack
from checks import run, same

# The largest table, block by block.
TABLES = {
    "table-4096": [4096],
    "table-0": [0],
    "table-200": [200],
    "table-65536": [65536],
    "table-changes": [4096, 100, 65536, 0, 300, 4096],
}
BLOCKS = 300
NAMES = [b":path", b":authority", b"cookie", b"user-agent", b"x-request-id", b"accept", b"set-cookie", b"x-empty"]


def blocks(seed):
    """Lists of fields: some come again and again, some never; a few must not be indexed."""
    chance = random.Random(seed)
    values = [bytes(chance.choices(range(32, 127), k=chance.randrange(60))) for _ in range(40)]
    for _ in range(BLOCKS):
        fields = [(b":method", chance.choice([b"GET", b"POST", b"PATCH"]), False)]
        for _ in range(chance.randrange(1, 20)):
            name = chance.choice(NAMES) if chance.random() < 0.8 else b"x-%d" % chance.randrange(1000)
            value = chance.choice(values) if chance.random() < 0.7 else chance.randbytes(chance.randrange(300))
            if name == b"cookie":
                # Both sides never index shorter ones.
                value = value.ljust(20, b"=")
            fields.append((name, value, chance.random() < 0.1))
        yield fields


def line(name, value, sensitive):
    return f"{'sensitive' if sensitive else 'field'} {name.hex()} {value.hex()}\n"


def sheave(program, mode, text):
    run = subprocess.run([program, mode], input=text, capture_output=True, text=True, timeout=60, check=True)
    return run.stdout.splitlines(keepends=True)


def with_tables(tables):
    """Each list of fields with the size that the table may have, if that changes."""
    for at, fields in enumerate(blocks(len(tables))):
        changes = at % (BLOCKS // len(tables)) == 0
        yield tables[at // (BLOCKS // len(tables))] if changes else None, fields


def encoded_by_sheave(program, tables):
    text = ""
    for size, fields in with_tables(tables):
        text += f"table {size}\n" if size is not None else ""
        text += "".join(line(*field) for field in fields) + "end\n"
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    given = sheave(program, "encode", text)
    same(len(given), BLOCKS)
    for block, (size, fields) in zip(given, with_tables(tables)):
        if size is not None:
            decoder.max_allowed_table_size = size
        decoded = decoder.decode(bytes.fromhex(block.removeprefix("block ")), raw=True)
        same([(bytes(field[0]), bytes(field[1]), not field.indexable) for field in decoded], fields)


def decoded_by_sheave(program, tables):
    encoder, decoder = hpack.Encoder(), hpack.Decoder(max_header_list_size=1 << 20)
    text = expected = ""
    for size, fields in with_tables(tables):
        if size is not None:
            encoder.header_table_size = decoder.max_allowed_table_size = size
            text += f"table {size}\n"
        block = encoder.encode(fields)
        text += f"block {block.hex()}\n"
        # What must not be indexed but is in the table already, this encoder refers to there: so its own decoder tells.
        decoded = [(bytes(field[0]), bytes(field[1]), not field.indexable) for field in decoder.decode(block, raw=True)]
        same([field[:2] for field in decoded], [field[:2] for field in fields])
        expected += "".join(line(*field) for field in decoded) + "end\n"
    same(sheave(program, "decode", text), expected.splitlines(keepends=True))


def checks(program):
    for check in (encoded_by_sheave, decoded_by_sheave):
        for name, tables in TABLES.items():
            yield f"{check.__name__.replace('_', '-')}-{name}", functools.partial(check, program, tables)


run(checks(sys.argv[1]))
