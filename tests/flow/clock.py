"""The test clock: a gate built with its fault points is ahead of the system's time by what a test says (proxy/base/test_clock.h)."""

import datetime
import mmap
import pathlib
import struct
import time

DAY = 86400


def seconds_of(text):
    """Seconds since the epoch of a time in a record."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Clock:
    """The time of all gates that get its `environment`; it only ever goes ahead, and by itself as the system's does."""

    def __init__(self, directory):
        self.path = pathlib.Path(directory) / "clock"
        self.path.write_bytes(bytes(8))
        self.environment = {"PORTCULLIS_TEST_CLOCK": str(self.path)}
        self.ahead = 0
        with open(self.path, "r+b") as file:
            self.shared = mmap.mmap(file.fileno(), 8)

    def move(self, seconds):
        """That much ahead, at once, for all that the gates do from now on."""
        assert seconds >= 0
        self.ahead += seconds
        self.shared[:] = struct.pack("=q", int(self.ahead * 1_000_000))

    def now(self):
        """Seconds since the epoch, as the gates see it."""
        return time.time() + self.ahead

    def text(self, seconds):
        """That much later, as a policy writes it."""
        return datetime.datetime.fromtimestamp(self.now() + seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
