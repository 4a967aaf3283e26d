"""Sends UDP datagrams as fast as the kernel takes them.

    datagrams.py SIZE COUNT PORT BUFFER ADDRESS...

COUNT datagrams go to each address in turn. Of them BUFFER bytes may wait for neighbours before the
sender has to wait; 0 leaves the kernel's default. Prints how many were refused, and the seconds
that all of them took.
"""

import socket
import sys
import time

# From asm-generic/socket.h; Python has no name for it.
SO_SNDBUFFORCE = 32

size, count, port, buffer = map(int, sys.argv[1:5])
addresses = sys.argv[5:]
channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if buffer > 0:
    channel.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, buffer)
refused = 0
began = time.monotonic()
for address in addresses:
    for _ in range(count):
        try:
            channel.sendto(bytes(size), (address, port))
        except OSError:
            refused += 1
print(refused, f"{time.monotonic() - began:.3f}")
