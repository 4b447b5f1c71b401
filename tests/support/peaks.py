"""The peak of the memory that a program allocates, as the kernel has it."""

# `VmHWM` is the peak of this program alone; `ru_maxrss` would begin with the peak of the process that started it. The
# pages of its programs are left out: see `test_memory`.
PEAK = """
def peak_kb():
    lines = (line.split() for line in open("/proc/self/status"))
    status = {line[0]: int(line[1]) for line in lines if line[0] in ("VmHWM:", "RssFile:")}
    return status["VmHWM:"] - status["RssFile:"]
"""
"""Defines `peak_kb` in a program that a test runs."""
