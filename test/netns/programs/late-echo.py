"""Answers echo requests in place of the kernel; usage: late-echo.py LATE SECONDS LOST.

Request LATE is answered after SECONDS, request LOST never (0: none). Prints a line when it listens.
"""

import socket
import struct
import sys
import time

late, seconds, lost = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
HEADER = 20
ECHO_REPLY, ECHO_REQUEST = 0, 8


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


wire = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
print('listening', flush=True)
while True:
    packet, sender = wire.recvfrom(2048)
    kind, code, _, identifier, sequence = struct.unpack('!BBHHH', packet[HEADER : HEADER + 8])
    if kind != ECHO_REQUEST or sequence == lost:
        continue
    if sequence == late:
        time.sleep(seconds)
    rest = struct.pack('!HH', identifier, sequence) + packet[HEADER + 8 :]
    padded = bytes([ECHO_REPLY, code, 0, 0]) + rest
    sum_of = struct.pack('!H', checksum(padded))
    wire.sendto(padded[:2] + sum_of + rest, sender)
