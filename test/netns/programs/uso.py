"""Sends one large buffer that the kernel cuts into UDP datagrams (UDP_SEGMENT), and wants all back.

    uso.py ADDRESS PORT SEGMENT_LENGTH SEGMENTS

The other end echoes what comes. Says nothing if every segment came back in order, "refused" if the
kernel did not take the buffer (older ones do not where the device computes no checksums), and a
sentence if something is wrong.
"""

import errno
import os
import socket
import sys

# From linux/udp.h.
UDP_SEGMENT = 103
ANSWER_S = 5

address, port, length, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
segments = [i.to_bytes(4, "big") + os.urandom(length - 4) for i in range(count)]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
udp = socket.socket(family, socket.SOCK_DGRAM)
udp.settimeout(ANSWER_S)
udp.connect((address, port))
udp.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, length)
try:
    udp.send(b"".join(segments))
except OSError as error:
    sys.exit("refused" if error.errno == errno.EIO else str(error))
for number, segment in enumerate(segments):
    try:
        answer = udp.recv(65536)
    except TimeoutError:
        sys.exit(f"segment {number + 1} of {count}, {length} bytes: nothing came back")
    if answer != segment:
        sys.exit(f"segment {number + 1} of {count}: {len(answer)} other bytes came back")
