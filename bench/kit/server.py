"""Throw-away PostgreSQL servers: of the user who calls, or of `postgres` when that is root, in a folder that goes away with the run."""
import glob
import os
import pwd
import re
import shlex
import shutil
import subprocess

from kit import processes
from kit.failure import Failure
from kit.session import Session

# The same for every server of a run, printed with the results. Durability is PostgreSQL's own; what would strike one round and not
# the next (checkpoints by time or by size, autovacuum) is done between the rounds instead. The two intervals are for the built-in
# subscription: without them its worker waits up to 5 s before it starts again, and is slow to tell that it is done.
SETTINGS = {
    "wal_level": "logical", "shared_buffers": "256MB", "max_wal_size": "16GB", "min_wal_size": "1GB", "checkpoint_timeout": "1h", "autovacuum": "off",
    "max_connections": "50", "max_wal_senders": "20", "max_replication_slots": "20",
    "wal_retrieve_retry_interval": "10ms", "wal_receiver_status_interval": "1s",
}


def bin_dir():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(re.search(r"/(\d+)/", path).group(1)))
    if not found:
        raise Failure("no PostgreSQL server under /usr/lib/postgresql")
    return os.path.dirname(found[-1])


def postgresql_version():
    return subprocess.run([f"{bin_dir()}/postgres", "--version"], capture_output=True, text=True, check=True).stdout.strip()


def as_server_user(command):
    if os.getuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command]


def checked(command, log, timeout=120):
    with open(log, "ab") as out:
        if subprocess.run(as_server_user(command), stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd="/", timeout=timeout).returncode != 0:
            with open(log, encoding="utf-8", errors="replace") as text:
                raise Failure(f"{os.path.basename(command[0])} failed:\n{text.read()[-2000:]}")


class Server:
    """One running server with a folder and a socket of its own. Databases are reached as `rowferry`, a superuser without a password."""

    def __init__(self, work, name, settings=None):
        self.name = name
        self.settings = settings or {}
        self.folder = os.path.join(work, name)
        self.data = os.path.join(self.folder, "data")
        self.log = os.path.join(self.folder, "server.log")
        self.pid = None
        os.mkdir(self.folder)
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", pwd.getpwnam("postgres").pw_gid)

    def start(self):
        checked([f"{bin_dir()}/initdb", "-D", self.data, "-U", "rowferry", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], self.folder + ".initdb.log")
        settings = {**SETTINGS, **self.settings, "listen_addresses": "", "unix_socket_directories": self.folder}
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        checked([f"{bin_dir()}/pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.log, "-o", options, "start"], self.folder + ".pg_ctl.log")
        with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as file:
            self.pid = int(file.readline())

    def stop(self):
        if self.pid is not None:
            subprocess.run(as_server_user([f"{bin_dir()}/pg_ctl", "-D", self.data, "-m", "immediate", "stop"]), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, cwd="/", timeout=60, check=False)
            self.pid = None

    def uri(self, database):
        return f"postgresql:///{database}?host={self.folder}&user=rowferry"

    def conninfo(self, database):
        return f"host={self.folder} user=rowferry dbname={database}"

    def session(self, database):
        return Session(self.uri(database))

    def run(self, database, sql, timeout=600):
        with self.session(database) as session:
            return session.query(sql, timeout)

    def new_database(self, name):
        self.run("postgres", f"CREATE DATABASE {name}")

    def drop_database(self, name):
        for slot in self.run("postgres", f"SELECT slot_name FROM pg_replication_slots WHERE database = '{name}'").split():
            self.run("postgres", f"SELECT pg_drop_replication_slot('{slot}')")
        self.run("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def export(self, database, query, path):
        """The rows of a query in COPY's text format."""
        with open(path, "wb") as file:
            done = subprocess.run(["psql", "-X", "-q", "-d", self.uri(database), "-c", f"COPY ({query}) TO STDOUT"], stdout=file, stderr=subprocess.PIPE, cwd="/",
                                  env={**os.environ, "PGTZ": "UTC"}, timeout=600, check=False)
        if done.returncode != 0:
            raise Failure(f"COPY failed: {done.stderr.decode(errors='replace')[-500:]}")

    def copy_definitions(self, database, tables, follower):
        """The tables with their keys, without rows."""
        dump = [f"{bin_dir()}/pg_dump", "-s", "--no-publications", *[f"--table={table}" for table in tables], self.uri(database)]
        done = subprocess.run(dump, cwd="/", capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Failure(f"pg_dump failed:\n{done.stderr[-1000:]}")
        follower.run(database, done.stdout)

    def checkpoint(self):
        self.run("postgres", "CHECKPOINT")

    def cpu(self):
        """Seconds of CPU of the server and all its processes, also those that have ended."""
        return processes.tree_cpu(self.pid)