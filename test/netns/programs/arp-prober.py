"""Asks for an address by ARP, one request after the other, and prints what each answer took.

    arp-prober.py DEVICE SENDER_ADDRESS TARGET_ADDRESS

Each line is the time in milliseconds from a request to its reply; a request is sent again
every RETRY_S until it is answered. The next one follows PAUSE_S after the answer.
"""

import select
import socket
import struct
import sys
import time

PAUSE_S = 0.02
RETRY_S = 0.01
ETH_P_ARP = 0x0806
REQUEST, REPLY = 1, 2

device, sender, target = sys.argv[1:4]
channel = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
channel.bind((device, ETH_P_ARP))
mac = channel.getsockname()[4]
addresses = [socket.inet_aton(address) for address in (sender, target)]
request = (
    b"\xff" * 6
    + mac
    + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, REQUEST)
    + mac
    + addresses[0]
    + bytes(6)
    + addresses[1]
)


def is_answer(frame):
    return frame[:6] == mac and frame[20:22] == struct.pack("!H", REPLY) and frame[28:32] == addresses[1]


def ask():
    channel.send(request)
    until = time.monotonic() + RETRY_S
    while (left := until - time.monotonic()) > 0:
        if select.select([channel], [], [], left)[0] and is_answer(channel.recv(128)):
            return True
    return False


while True:
    began = time.monotonic()
    while not ask():
        pass
    print(f"{(time.monotonic() - began) * 1000:.1f}", flush=True)
    time.sleep(PAUSE_S)
