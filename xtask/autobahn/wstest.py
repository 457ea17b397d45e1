"""Python 2.7. The suite's own program; as a server it listens on a loopback port that the system chooses.

With AUTOBAHN_PROXIED set, clients come through something whose port they name, which is any then.

Prints "listening on port N" then, and ends when its standard input does.
"""

from __future__ import print_function

import os
import site
import sys
import threading

site.addsitedir(os.environ["AUTOBAHN_SITE"])

from autobahntestsuite import wstest
from twisted.internet import reactor


def announced(factory, port):
    factory.port = port.getHost().port
    factory.externalPort = None if "AUTOBAHN_PROXIED" in os.environ else factory.port
    print("listening on port %d" % factory.port)
    sys.stdout.flush()
    return port


def listen_tcp(_port, factory, *_):
    return announced(factory, tcp(0, factory, 50, "127.0.0.1"))


def listen_ssl(_port, factory, context, *_):
    return announced(factory, ssl(0, factory, context, 50, "127.0.0.1"))


def end_with_parent():
    while sys.stdin.read(4096):
        pass
    os._exit(3)


tcp, ssl = reactor.listenTCP, reactor.listenSSL
reactor.listenTCP, reactor.listenSSL = listen_tcp, listen_ssl
watcher = threading.Thread(target=end_with_parent)
watcher.daemon = True
watcher.start()
wstest.run()
