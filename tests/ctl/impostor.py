# SPDX-License-Identifier: Apache-2.0
#
# A process whose memory is named like lanes' and is none: empty, cut in the middle, enormous, changing, mapped
# without seals and truncated all the time.
import mmap
import os
import threading
import time

keep = []


def make(name, size, fill=b"", mapped=None):
    fd = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    os.pwrite(fd, fill, 0)
    keep.append((fd, mmap.mmap(fd, mapped or size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)))
    return fd


magic = (0x3163706D68732077).to_bytes(8, "little")
head = bytes(1024) + magic + (1).to_bytes(4, "little") + bytes(2000)
make("shmipc-00000000deadbeef-0-head", 65536)
make("shmipc-00000000deadbeef-1-head", 4096, bytes(100))
make("shmipc-0000000000000001-0-head", 65536, head)
make("shmipc-0000000000000002-0-head", 1 << 40, head, 1 << 20)
make("shmipc-0000000000000003-1-31", 4096)
make("shmipc-zzzzzzzzzzzzzzzz-0-head", 4096)
make("shmipc-0000000000000004-7-head", 4096)
cut = make("shmipc-0000000000000005-0-head", 65536, head)
# Two processes' worth of names for one channel.
make("shmipc-0000000000000006-0-head", 65536, head)
make("shmipc-0000000000000006-0-head", 65536, head)
make("shmipc-0000000000000006-1-head", 65536, head)


def saw():
    while True:
        os.ftruncate(cut, 4096)
        os.ftruncate(cut, 65536)


threading.Thread(target=saw, daemon=True).start()
print("ready", flush=True)
time.sleep(300)
