"""A connection to PostgreSQL that stays open: psql behind two pipes, so that nothing but the standard library is needed."""
import os
import select
import subprocess
import tempfile
import time

from kit.failure import Failure

_END = "\x01end of answer\x01"


class Session:
    def __init__(self, uri):
        self._errors = tempfile.TemporaryFile()
        self._psql = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=self._errors, cwd="/")
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, sql):
        """Sends without waiting; receive() has the answer."""
        try:
            self._psql.stdin.write(f"{sql.rstrip().rstrip(';')};\n\\echo '{_END}'\n".encode())
            self._psql.stdin.flush()
        except BrokenPipeError:
            self._fail(sql)

    def receive(self, sql="", timeout=600):
        deadline = time.monotonic() + timeout
        end = _END.encode() + b"\n"
        answer = self._rest
        while end not in answer:
            if not select.select([self._psql.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Failure(f"no answer within {timeout} s to: {sql[:200]}")
            got = os.read(self._psql.stdout.fileno(), 65536)
            if not got:
                self._fail(sql)
            answer += got
        answer, self._rest = answer.split(end, 1)
        return answer.decode().rstrip("\n")

    def query(self, sql, timeout=600):
        self.send(sql)
        return self.receive(sql, timeout)

    def close(self):
        if self._psql.poll() is None:
            self._psql.stdin.close()
            try:
                self._psql.wait(10)
            except subprocess.TimeoutExpired:
                self._psql.kill()
                self._psql.wait()
        self._psql.stdout.close()
        self._errors.close()

    def _fail(self, sql):
        self._psql.wait(10)
        self._errors.seek(0)
        raise Failure(f"PostgreSQL said: {self._errors.read().decode(errors='replace').strip()[-500:]}\nto: {sql.strip()[:300]}")
