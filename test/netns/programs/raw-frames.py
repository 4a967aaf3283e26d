"""Sends frames as they are, from devices of several network namespaces, in the order given.

Standard input has one frame a line: NAMESPACE DEVICE HEX_DIGITS; a frame leaves when the one before
has been handed over. After an empty line it rests for PAUSE_S, so that no queue overflows.
"""

import ctypes
import os
import socket
import sys
import time

PAUSE_S = 0.005
# From linux/sched.h.
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
sockets = {}


def socket_in(namespace, device):
    """A socket stays in the namespace in which it was made."""
    with open(f"/run/netns/{namespace}") as where:
        if libc.setns(where.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace)
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    made.bind((device, 0))
    return made


for line in sys.stdin:
    words = line.split()
    if not words:
        time.sleep(PAUSE_S)
        continue
    where = (words[0], words[1])
    if where not in sockets:
        sockets[where] = socket_in(*where)
    sockets[where].send(bytes.fromhex(words[2]))
