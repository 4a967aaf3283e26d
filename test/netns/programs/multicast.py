"""A stream of numbered datagrams to multicast groups, and their receiver.

    multicast.py send DEVICE PORT PER_SECOND GROUP...
    multicast.py receive DEVICE PORT GROUP [only SOURCE | except SOURCE]

The sender sends each number to each group, until its input ends. The receiver joins the group (of
the one source, or of all but one, if given), prints `ready`, a line for each hundred datagrams, and when its input
ends, one JSON object:

    received     datagrams, all of them
    duplicates   those with a number that had come already
    disorders    those with a lower number than the one before
    longestMs    longest time, by the sender's clock, between two that came with others missing
    lastMs       how long ago the last one was sent
    sources      where they came from

Both run on one machine, so their clock is one.
"""

import ipaddress
import json
import select
import socket
import struct
import sys
import time

# From linux/in.h; they take both families.
MCAST_JOIN_GROUP = 42
MCAST_BLOCK_SOURCE = 43
MCAST_JOIN_SOURCE_GROUP = 46

HEADER = struct.Struct("!Id")
ROOM = 8 << 20


def family_of(text):
    is_six = ipaddress.ip_address(text).version == 6
    return socket.AF_INET6 if is_six else socket.AF_INET


def storage(text):
    """struct sockaddr_storage of an address."""
    packed = ipaddress.ip_address(text).packed
    if len(packed) == 4:
        return struct.pack("=HH", socket.AF_INET, 0) + packed.ljust(124, b"\0")
    return struct.pack("=HHI", socket.AF_INET6, 0, 0) + packed.ljust(120, b"\0")


def channel_for(group, device):
    family = family_of(group)
    channel = socket.socket(family, socket.SOCK_DGRAM)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    return channel


def send(device, port, per_second, groups):
    channels = [(channel_for(group, device), group) for group in groups]
    began = time.monotonic()
    number = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        wait = began + number / per_second - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        number += 1
        for channel, group in channels:
            try:
                channel.sendto(HEADER.pack(number, time.monotonic()), (group, port))
            except OSError:
                pass
    print(number)


def join(channel, group, device, which, source):
    request = struct.pack("=II", socket.if_nametoindex(device), 0) + storage(group)
    level = socket.IPPROTO_IPV6 if channel.family == socket.AF_INET6 else socket.IPPROTO_IP
    if which == "only":
        channel.setsockopt(level, MCAST_JOIN_SOURCE_GROUP, request + storage(source))
        return
    channel.setsockopt(level, MCAST_JOIN_GROUP, request)
    if which == "except":
        channel.setsockopt(level, MCAST_BLOCK_SOURCE, request + storage(source))


def receive(device, port, group, which=None, source=None):
    channel = channel_for(group, device)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    channel.bind((group, port))
    join(channel, group, device, which, source)
    print("ready", flush=True)
    seen = set()
    sources = set()
    duplicates = disorders = last = 0
    longest = last_sent = 0.0
    while True:
        ready = select.select([sys.stdin, channel], [], [])[0]
        if channel not in ready:
            break
        data, peer = channel.recvfrom(2048)
        number, sent = HEADER.unpack(data)
        sources.add(peer[0].split("%")[0])
        duplicates += number in seen
        disorders += number < last
        if last > 0 and number > last + 1:
            longest = max(longest, sent - last_sent)
        seen.add(number)
        last, last_sent = number, sent
        if len(seen) % 100 == 0:
            print(len(seen), flush=True)
    print(
        json.dumps(
            {
                "received": len(seen) + duplicates,
                "duplicates": duplicates,
                "disorders": disorders,
                "longestMs": longest * 1000,
                "lastMs": (time.monotonic() - last_sent) * 1000,
                "sources": sorted(sources),
            }
        ),
        flush=True,
    )


words = sys.argv[2:]
if sys.argv[1] == "send":
    send(words[0], int(words[1]), int(words[2]), words[3:])
else:
    receive(words[0], int(words[1]), *words[2:])
