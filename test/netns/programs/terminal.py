"""Runs a program on a pseudo terminal of its own, as a terminal emulator would.

    terminal.py ROWS COLUMNS PROGRAM [ARGUMENT...]

Lines of JSON in: {"keys": "q"}, {"size": [rows, columns]}, {"hang_up": true} (the terminal goes
away). Lines of JSON out: {"output": "..."}, and at the end
{"exit": status, "restored": whether the terminal's modes are those from before}; the status is
negative for a signal. After a hang-up the modes cannot be read: restored is null.
"""

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios
import threading

rows, columns = int(sys.argv[1]), int(sys.argv[2])
master, slave = os.openpty()


def resize(size):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size[0], size[1], 0, 0))


def send(message):
    print(json.dumps(message), flush=True)


resize([rows, columns])
before = termios.tcgetattr(slave)


def take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


program = subprocess.Popen(
    sys.argv[3:],
    stdin=slave,
    stdout=slave,
    stderr=slave,
    start_new_session=True,
    preexec_fn=take_terminal,
)
is_hung_up = False


def listen():
    global is_hung_up, slave
    for line in sys.stdin:
        message = json.loads(line)
        if "keys" in message:
            os.write(master, message["keys"].encode())
        elif "size" in message:
            resize(message["size"])
        elif "hang_up" in message:
            is_hung_up = True
            os.close(slave)
            os.close(master)
            return


threading.Thread(target=listen, daemon=True).start()
while not is_hung_up:
    try:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            send({"output": os.read(master, 65536).decode(errors="replace")})
        elif program.poll() is not None:
            break
    except (OSError, ValueError):
        break
status = program.wait()
restored = None if is_hung_up else termios.tcgetattr(slave) == before
send({"exit": status, "restored": restored})
