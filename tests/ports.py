"""Ports for servers that tests start and then wait for by connecting.

They lie below those that the system gives to clients. Whoever connects to a port among these before its server listens
may be given the same one for himself, and is then connected to himself.
"""

from __future__ import annotations

import os
import random
import socket

_OURS = range(20_000, 32_000)
_chance = random.Random(os.getpid())


def free_port() -> int:
    for _ in range(1000):
        port = _chance.choice(_OURS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("no port is free")
