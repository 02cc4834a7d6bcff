"""What a tree of processes costs: time of the CPU, memory."""

import os
import pathlib
import time

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """A process and all below it."""
    found = [pid]
    for process in found:
        for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                pass  # the thread has ended since
    return found


def cpu_clock(pid):
    """Nanoseconds of user and system time of a process, with its threads that have ended: what utime + stime of /proc/PID/stat are rounded
    from. The clock's number is how Linux names the CPU clock of another process."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def stat_times(pid):
    """utime and stime of /proc/PID/stat, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


class Usage:
    """User, system and exact total time of a tree up to now; one less another is what was used between."""

    def __init__(self, pid=None):
        self.user = self.system = self.total = 0.0
        for process in tree(pid) if pid else []:
            user, system = stat_times(process)
            self.user += user
            self.system += system
            self.total += cpu_clock(process) / 1e9

    def __sub__(self, before):
        difference = Usage()
        difference.user = self.user - before.user
        difference.system = self.system - before.system
        difference.total = self.total - before.total
        return difference


def memory(pid, member="VmRSS"):
    """Bytes of memory of a tree (VmHWM: the most that it ever was)."""
    total = 0
    for process in tree(pid):
        for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(member + ":"):
                total += int(line.split()[1]) * 1024
    return total
