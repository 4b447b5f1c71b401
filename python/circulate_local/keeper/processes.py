"""The processes of an execution environment: to start, signal, measure and end them."""

import os
import resource
import signal
from contextlib import suppress
from typing import Final

from .rights import drop_rights

_KIB: Final = 1024
_MAX_FILES: Final = 1024
"""Files a process may have open on AWS."""


class Processes:
    """The processes that were started here, and what these started.

    Args:
        alone: Whether we are process 1 of a namespace, so that every other process of it is one of these. Otherwise a
            process that leaves the group it was started in is not reached.
        limit: Bytes of memory they may use together.
    """

    def __init__(self, *, alone: bool, limit: int) -> None:
        self._alone = alone
        self._limit = limit
        self._running: dict[str, int] = {}
        self._all: set[int] = set()
        self._peak = 0

    @property
    def any(self) -> bool:
        """Whether any process was started and not cleared."""
        return bool(self._all)

    def start(self, name: str, argv: list[str], env: dict[str, str], cwd: str, output: int) -> None:
        """Start a process that leads a group of its own and writes to `output`.

        Raises:
            OSError: It cannot be executed.
        """
        # The pipe is closed by a successful exec, and reports one that failed.
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            _execute(argv, env, cwd, output, write)
        os.close(write)
        with open(read, "rb") as failure:  # noqa: PTH123 - a descriptor
            number = failure.read()
        if number:
            os.waitpid(pid, 0)
            raise OSError(int(number), os.strerror(int(number)))
        self._running[name] = pid
        self._all.add(pid)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process and its group, if it still runs."""
        if name in self._running:
            with suppress(ProcessLookupError):
                os.killpg(self._running[name], number)

    def signal_all(self, number: int) -> None:
        """Send a signal to every process."""
        if self._alone:
            with suppress(ProcessLookupError):
                os.kill(-1, number)
            return
        for pid in self._all:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)

    def newly_exited(self) -> list[tuple[str, int]]:
        """Return names and exit codes (negative: a signal) of those that ended since the last time.

        They stay zombies until `clear`, so that their ids, by which groups are signalled, are nobody else's.
        """
        exited = []
        for name, pid in list(self._running.items()):
            result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if result:
                del self._running[name]
                by_itself = result.si_code == os.CLD_EXITED
                exited.append((name, result.si_status if by_itself else -result.si_status))
        return exited

    def clear(self) -> None:
        """Kill every process and wait until none is left."""
        while True:
            self.signal_all(signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        self._running.clear()
        self._all.clear()
        self._peak = 0

    def measure(self) -> int:
        """Return the most bytes of memory that were in use at once, as far as is known."""
        self._peak = max(self._peak, self._in_use(_usages(self._pids())))
        return self._peak

    def hold_to_limit(self) -> None:
        """Kill the largest process if all together have used more than the limit.

        Called again it kills the next one, so that the environment never survives it.
        """
        usages = _usages(self._pids())
        self._peak = max(self._peak, self._in_use(usages))
        if self._peak > self._limit and usages:
            with suppress(ProcessLookupError):
                os.kill(max(usages, key=lambda pid: usages[pid][0]), signal.SIGKILL)

    def _pids(self) -> list[int]:
        if self._alone:
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != "1"]  # noqa: PTH208
        return list(self._running.values())

    def _in_use(self, usages: dict[int, tuple[int, int]]) -> int:
        """Add up what processes use: their own peaks, and what they share once.

        Pages shared by a fork are counted twice that way. So a sum beyond the limit is checked against what the kernel
        says each process has a share of, which is exact but slow to ask for.
        """
        if not usages:
            return 0
        most = sum(peak - shared for peak, shared in usages.values()) + max(shared for _, shared in usages.values())
        if most <= self._limit:
            return most
        return max(sum(map(_proportional_share, usages)), *(peak for peak, _ in usages.values()))


def _execute(argv: list[str], env: dict[str, str], cwd: str, output: int, failure: int) -> None:
    """Become the new program; never returns."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(cwd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_FILES, _MAX_FILES))
        drop_rights()
        os.execve(argv[0], argv, env)  # noqa: S606 - without a shell
    except OSError as error:
        os.write(failure, str(error.errno).encode())
    finally:
        os._exit(127)


def _usages(pids: list[int]) -> dict[int, tuple[int, int]]:
    """Return peak and shared bytes of processes."""
    usages = {}
    for pid in pids:
        fields = _fields(f"/proc/{pid}/status")
        if "VmHWM" in fields:
            usages[pid] = (fields["VmHWM"], fields["RssFile"] + fields["RssShmem"])
    return usages


def _proportional_share(pid: int) -> int:
    return _fields(f"/proc/{pid}/smaps_rollup").get("Pss", 0)


def _fields(path: str) -> dict[str, int]:
    """Return the sizes in a file of /proc, in bytes; nothing if the process has ended."""
    fields = {}
    with suppress(OSError), open(path, "rb") as file:  # noqa: PTH123 - pathlib is slow to import
        for line in file:
            if line.endswith(b" kB\n"):
                name, _, value = line.partition(b":")
                fields[name.decode()] = int(value[:-3]) * _KIB
    return fields
