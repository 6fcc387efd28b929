"""Who takes changes from a PostgreSQL leader: rowferry, the built-in subscription, and pg_recvlogical that throws them away."""
import os
import time

from kit.failure import Failure
from kit.processes import Child, Watched
from kit.server import bin_dir

POLL = 0.01  # seconds between two looks at a follower: the same for everybody that is measured


class Timing:
    """One catch-up: `seconds` from its start until the last change is visible on the follower, and what it cost."""

    def __init__(self):
        self.seconds = self.exit_seconds = None
        self.leader_cpu = self.follower_cpu = self.client_cpu = 0.0
        self.peak = 0  # rowferry's VmHWM
        self.walsender_cpu = 0.0
        self.walsender_memory = 0

    def sample(self):
        """For a series."""
        return {**vars(self), "cpu": self.leader_cpu + self.follower_cpu + self.client_cpu}


class Pair:
    """A leader's database and the database of one consumer on a follower of its own. Subclasses start and stop the consumer."""

    def __init__(self, leader, follower, database):
        self.leader, self.follower, self.database = leader, follower, database
        self.leader_session = leader.session(database)

    def close(self):
        self.leader_session.close()

    def catch_up(self, marker, timeout=1200):
        """Starts the consumer, waits until the follower shows the marker, and stops it."""
        timing, watched = Timing(), Watched()
        with self.follower.session(self.database) as follower:
            follower.query("SELECT n FROM bench_marker")  # the plan and the catalog's caches are not what is measured
            leader_cpu, follower_cpu = self.leader.cpu(), self.follower.cpu()
            begun = time.perf_counter()
            self.start()
            while follower.query("SELECT n FROM bench_marker") != str(marker):
                self.sample(watched)
                if time.perf_counter() - begun > timeout:
                    raise Failure(f"{self.name}: the follower has not caught up after {timeout} s")
                time.sleep(POLL)
            timing.seconds = time.perf_counter() - begun
            self.sample(watched)
            self.stop(timing)
            timing.exit_seconds = time.perf_counter() - begun
        timing.leader_cpu, timing.follower_cpu = self.leader.cpu() - leader_cpu, self.follower.cpu() - follower_cpu
        timing.walsender_cpu, timing.walsender_memory = watched.cpu, watched.peak
        return timing

    def sample(self, watched):
        if watched.pid is None:
            pid = self.leader_session.query(f"SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{self.slot}'")
            watched.pid = int(pid) if pid else None
        watched.sample()

    def restart_lsn_behind(self, lsn):
        """Whether the slot would have the server read the log from before this position."""
        return self.leader_session.query(f"SELECT restart_lsn < '{lsn}' FROM pg_replication_slots WHERE slot_name = '{self.slot}'") != "f"


class Rowferry(Pair):
    name = "rowferry"

    def __init__(self, leader, follower, database, bench):
        super().__init__(leader, follower, database)
        self.command = bench.rowferry(leader.uri(database), follower.uri(database))
        self.log = os.path.join(bench.work, "rowferry.log")
        self.slot = "rowferry_" + self.leader_session.query("SELECT oid FROM pg_database WHERE datname = current_database()") + "_default"
        self.child = None

    def create(self):
        """The first copy; what is measured comes later."""
        Child(self.command, self.log).wait()

    def start(self):
        self.child = Child(self.command, self.log)

    def sample(self, watched):
        self.child.ended()
        super().sample(watched)

    def stop(self, timing):
        self.child.wait()
        timing.client_cpu, timing.peak = self.child.cpu, self.child.peak


class BuiltIn(Pair):
    name = "built-in"

    def __init__(self, leader, follower, database, tables, options):
        """`options` as in CREATE SUBSCRIPTION."""
        super().__init__(leader, follower, database)
        self.tables, self.options = tables, options
        self.session = follower.session(database)
        self.slot = self.subscription = f"bench_{database}"

    def close(self):
        super().close()
        self.session.close()

    def create(self):
        self.leader_session.query(f"CREATE PUBLICATION bench FOR TABLE {', '.join(self.tables)}")
        self.leader.copy_definitions(self.database, self.tables, self.follower)
        self.session.query(f"CREATE SUBSCRIPTION {self.subscription} CONNECTION '{self.leader.conninfo(self.database)}' PUBLICATION bench "
                           f"WITH ({', '.join(self.options)})")
        deadline = time.monotonic() + 600
        while self.session.query("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'") != "0":
            if time.monotonic() > deadline:
                raise Failure("the built-in subscription's initial copy does not end")
            time.sleep(0.05)
        self.stop(None)

    def start(self):
        self.session.query(f"ALTER SUBSCRIPTION {self.subscription} ENABLE")

    def stop(self, _timing):
        """Only when the leader has been told where the follower stands; then the next start does not send it again."""
        leader, slot = self.leader_session, self.slot
        now = leader.query("SELECT pg_current_wal_lsn()")
        deadline = time.monotonic() + 60
        while leader.query(f"SELECT confirmed_flush_lsn >= '{now}' FROM pg_replication_slots WHERE slot_name = '{slot}'") != "t":
            if time.monotonic() > deadline:
                raise Failure("the built-in subscription does not confirm its position")
            time.sleep(0.02)
        self.session.query(f"ALTER SUBSCRIPTION {self.subscription} DISABLE")
        while leader.query(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'") != "f":
            time.sleep(0.01)


class DecodeOnly:
    """pg_recvlogical to /dev/null from a slot made before the backlog: what any consumer of pgoutput has to wait for."""

    name = "decode only"
    slot = "bench_decode"

    def __init__(self, leader, database, streaming, work):
        self.leader, self.database, self.log = leader, database, os.path.join(work, "pg_recvlogical.log")
        self.options = ["-o", "proto_version=2", "-o", "streaming=on"] if streaming else ["-o", "proto_version=1"]

    def mark(self):
        """Where the next backlog begins."""
        self.leader.run(self.database, f"SELECT pg_create_logical_replication_slot('{self.slot}', 'pgoutput')")

    def measure(self):
        timing = Timing()
        end = self.leader.run(self.database, "SELECT pg_current_wal_lsn()")
        cpu = self.leader.cpu()
        child = Child([f"{bin_dir()}/pg_recvlogical", "-d", self.leader.uri(self.database), "-S", self.slot, "--start", "-f", "/dev/null",
                       "-o", "publication_names=bench", "--endpos", end, "--no-loop", *self.options], self.log).wait()
        timing.seconds = timing.exit_seconds = child.seconds
        timing.leader_cpu = timing.walsender_cpu = self.leader.cpu() - cpu
        timing.client_cpu = child.cpu
        self.leader.run(self.database, f"SELECT pg_drop_replication_slot('{self.slot}')")
        return timing
