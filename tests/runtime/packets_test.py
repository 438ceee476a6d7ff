#!/usr/bin/env python3
"""Packets that skboutput() writes are those that were sent: as many, with what was in them, at the time they were sent.

COVERS function skboutput
"""
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import needs  # noqa: E402

ETHERNET = 14   # bytes of the header that the loopback device has too
SEND = """import socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.bind(("127.0.0.1", 0))
for n in range(3):
    one.sendto(b"trc packet %d" % n, other.getsockname())"""


def packets(path):
    """(seconds, bytes) of each packet in a file of this machine's byte order."""
    with open(path, "rb") as file:
        data = file.read()
    magic, major, minor, _, _, _, link_type = struct.unpack_from("=IHHIIII", data)
    if (magic, major, minor, link_type) != (0xA1B23C4D, 2, 4, 1):
        raise AssertionError(f"no header of a pcap file: {data[:24].hex()}")
    at, found = 24, []
    while at < len(data):
        seconds, ns, captured, original = struct.unpack_from("=IIII", data, at)
        if captured != original:
            raise AssertionError("a packet is said to be cut")
        at += 16
        found.append((seconds + ns / 1e9, data[at:at + captured]))
        at += captured
    return found


class Packets(unittest.TestCase):
    def test_what_was_sent_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            script = """fentry:__dev_queue_xmit /pid == cpid/ {
              @whole[skboutput("%s/whole", args.skb, args.skb.len, 0)] = count();
              @later[skboutput("%s/later", args.skb, args.skb.len, %d)] = count();
              @too_long[skboutput("%s/too_long", args.skb, args.skb.len + 1, 0) < 0] = count();
            }""" % (folder, folder, ETHERNET, folder)
            with open(folder + "/send.py", "w") as file:
                file.write(SEND)
            start = time.time()
            done = subprocess.run([os.environ["TRC"], "-e", script, "-c", f"{sys.executable} {folder}/send.py"], capture_output=True, text=True, timeout=60,
                                  stdin=subprocess.DEVNULL)
            end = time.time()
            self.assertEqual(done.returncode, 0, done.stderr)
            for line in ("@whole[0]: 3", "@later[0]: 3", "@too_long[true]: 3"):
                self.assertIn(line, done.stdout.splitlines(), done.stderr)
            whole, later = packets(folder + "/whole"), packets(folder + "/later")
            self.assertFalse(os.path.exists(folder + "/too_long"))
        self.assertEqual([data[-12:] for _, data in whole], [b"trc packet %d" % n for n in range(3)])
        self.assertEqual([data[ETHERNET:] for _, data in whole], [data for _, data in later])
        for seconds, data in whole:
            self.assertLessEqual(start - 0.1, seconds)
            self.assertLessEqual(seconds, end + 0.1)
            self.assertEqual(data[12:14], b"\x08\x00")   # IPv4
        self.assertEqual(whole, sorted(whole))


if __name__ == "__main__":
    missing = needs.missing(["root", "fentry"])
    if missing:
        print("SKIP: " + missing)
        sys.exit(77)
    unittest.main()
