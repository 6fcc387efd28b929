"""What processes cost, from /proc: CPU of a process, of a server with all its children, and peaks of memory."""
import os
import signal
import subprocess
import time

from kit.failure import Failure

_TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields behind the name, or None when the process is gone: [0] state, [1] parent, [11..14] utime stime cutime cstime."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


def cpu(pid):
    fields = _stat(pid)
    return None if fields is None else (int(fields[11]) + int(fields[12])) / _TICK


def tree_cpu(pid):
    """Of a process, its living children and those it has waited for: a server's whole CPU, backends that are gone included."""
    while True:
        before = _stat(pid)
        if before is None:
            raise Failure(f"process {pid} is gone")
        total = sum(int(field) for field in before[11:15])
        for entry in os.listdir("/proc"):
            child = _stat(entry) if entry.isdigit() else None
            if child is not None and child[1] == str(pid):
                total += int(child[11]) + int(child[12])
        after = _stat(pid)
        if after is not None and after[13:15] == before[13:15]:  # otherwise a child ended meanwhile and was counted twice, or not at all
            return total / _TICK


def memory(pid, field):
    """A field of /proc/PID/status in bytes, such as VmHWM (peak) or RssAnon (private, now); None when the process is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


class Child:
    """A program that is being measured. Standard error goes to a file, for the message when it fails."""

    running = set()  # what kill_all() ends when a run is broken off

    def __init__(self, command, log, stdin=None, stdout=subprocess.DEVNULL, environment=None):
        self.command = command
        self.log = log
        self.peak = 0
        self.cpu = None
        self.seconds = None
        self._errors = open(log, "wb")
        self.begun = time.perf_counter()
        self._process = subprocess.Popen(command, stdin=stdin or subprocess.DEVNULL, stdout=stdout, stderr=self._errors,
                                         env={**os.environ, **(environment or {})})
        self.pid = self._process.pid
        Child.running.add(self)

    def sample(self):
        self.peak = max(self.peak, memory(self.pid, "VmHWM") or 0)

    def ended(self):
        """Looks without waiting; a program that failed raises here."""
        self.sample()
        if self.seconds is not None:
            return True
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.seconds = time.perf_counter() - self.begun
        Child.running.discard(self)
        self.cpu = usage.ru_utime + usage.ru_stime
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._errors.close()
        if self._process.returncode != 0:
            with open(self.log, encoding="utf-8", errors="replace") as text:
                raise Failure(f"exit code {self._process.returncode} of {' '.join(self.command)}:\n{text.read()[-2000:]}")
        return True

    def line(self):
        """The next line of its standard output, which was made a pipe."""
        line = self._process.stdout.readline()
        if not line:
            self.wait(10)
            raise Failure(f"its output ended: {' '.join(self.command)}")
        return line

    def wait(self, timeout=1200):
        deadline = time.monotonic() + timeout
        while not self.ended():
            if time.monotonic() > deadline:
                self.kill()
                raise Failure(f"still running after {timeout} s: {' '.join(self.command)}")
            time.sleep(0.005)
        return self

    def stop(self):
        """Ends it as a service manager would, and waits."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait(60)

    def kill(self):
        if self._process.returncode is None and self.seconds is None:
            self._process.kill()
            self._process.wait()
            self._errors.close()
            Child.running.discard(self)

    @staticmethod
    def kill_all():
        for child in list(Child.running):
            child.kill()


class Watched:
    """A server process somebody else started (a walsender): its CPU and the most private memory seen while it lived."""

    def __init__(self):
        self.pid = None
        self.cpu = 0.0
        self.peak = 0

    def sample(self):
        if self.pid is not None:
            self.cpu = cpu(self.pid) or self.cpu
            self.peak = max(self.peak, memory(self.pid, "RssAnon") or 0)


def measure(command, log, leader=None, follower=None, stdin_path=None):
    """Runs a program to its end; a sample for a series. `leader` and `follower` are the servers whose CPU counts."""
    servers = {"leader_cpu": leader, "follower_cpu": follower}
    before = {name: server.cpu() for name, server in servers.items() if server}
    if stdin_path is None:
        child = Child(command, log).wait()
    else:
        with open(stdin_path, "rb") as stdin:
            child = Child(command, log, stdin=stdin).wait()
    sample = {"seconds": child.seconds, "client_cpu": child.cpu, "peak": child.peak}
    sample.update({name: servers[name].cpu() - cpu_before for name, cpu_before in before.items()})
    sample["cpu"] = sum(value for name, value in sample.items() if name.endswith("_cpu"))
    return sample
