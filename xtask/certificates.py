"""Writes ca.pem, chain.pem and key.pem for 127.0.0.1 and localhost into a directory: certificates.py DIR"""

import pathlib
import sys

import trustme

folder = pathlib.Path(sys.argv[1])
authority = trustme.CA()
leaf = authority.issue_cert("127.0.0.1", "localhost")
authority.cert_pem.write_to_path(folder / "ca.pem")
leaf.private_key_pem.write_to_path(folder / "key.pem")
for position, pem in enumerate(leaf.cert_chain_pems):
    pem.write_to_path(folder / "chain.pem", append=position > 0)
