"""PostgreSQL to SQLite: W2 to W5, rowferry beside decoding alone and beside a bare loop of prepared statements. All three are timed from the start of a
process to its end; rowferry ends when the follower holds, durably, what was committed on the leader when it began."""
import os

from kit import comparison, sqlite_files
from kit.consumers import DecodeOnly
from kit.failure import Failure
from kit.processes import Child, measure
from kit.results import Result
import workloads

TO_DECODE = {"W2": 1.15, "W5": 1.3}
TO_BARE = {"W3": 1.2, "W4": 1.2}
# The bare loop commits as often as rowferry does under a backlog, and has the cache that rowferry gives its follower.
GROUP = 40_000
BARE_PRAGMAS = ["PRAGMA synchronous=EXTRA", "PRAGMA cache_size=-49152"]


def parts():
    return [f"{workload.key}-sqlite" for workload in workloads.ALL[1:]]


class Stream:
    """A workload's leader database, a SQLite follower of it, and what the bare loop gets."""

    def __init__(self, bench, workload):
        self.bench, self.workload = bench, workload
        self.leader, self.database = bench.server("leader"), workload.key.lower() + "_sqlite"
        self.file, self.bare_file, self.rows = (os.path.join(bench.work, name) for name in ("follower.db", "bare.db", "changes.tsv"))
        self.log = os.path.join(bench.work, "rowferry.log")
        self.command = bench.rowferry(self.leader.uri(self.database), f"sqlite:{self.file}")
        self.decode = DecodeOnly(self.leader, self.database, workload.streaming, bench.work)

    def create(self):
        self.leader.new_database(self.database)
        self.workload.create(self.leader, self.database)
        self.leader.run(self.database, "CREATE PUBLICATION bench FOR TABLE items")
        self.leader.run(self.database, "VACUUM (FREEZE, ANALYZE)")
        self.ferry()

    def ferry(self):
        return Child(self.command, self.log).wait()

    def settle(self):
        before = self.leader.run(self.database, "SELECT pg_current_wal_lsn()")
        for _ in range(20):
            self.leader.checkpoint()
            self.ferry()
            if self.leader.run(self.database, f"SELECT restart_lsn >= '{before}' FROM pg_replication_slots WHERE slot_name LIKE 'rowferry%' "
                               "AND database = current_database()") == "t":
                return
        raise Failure(f"{self.workload.key}: the slot's restart point stays behind")

    def round(self, number, result):
        with self.leader.session(self.database) as session:
            self.workload.prepare(session)
        self.leader.run(self.database, "VACUUM (ANALYZE)")
        self.settle()
        self.decode.mark()
        self.workload.backlog(self.leader, self.database, number)
        kind, query = self.workload.change_rows(number)
        self.leader.export(self.database, query, self.rows)
        sqlite_files.copy(self.file, self.bare_file)  # the bare loop begins where the follower stands
        self.leader.checkpoint()
        contestants = {
            "rowferry": lambda: measure(self.command, self.log, leader=self.leader),
            "decode only": lambda: self.decode.measure().sample(),
            "bare loop": lambda: measure([self.bench.tool("bare_sqlite"), self.bare_file, kind, "items", str(GROUP), *BARE_PRAGMAS], self.log, stdin_path=self.rows),
        }
        for name in contestants if number % 2 else reversed(contestants):
            result.contestant(name).add(**contestants[name]())
        leader = comparison.postgresql_text(self.leader, self.database, workloads.ITEM_TEXT["postgresql"], "items")
        for name, file in (("rowferry", self.file), ("bare loop", self.bare_file)):
            follower = comparison.sqlite_text(file, workloads.ITEM_TEXT["sqlite"], "items")
            comparison.require_equal(leader, follower, f"{result.key}, round {number}, {name}")

    def close(self):
        self.leader.drop_database(self.database)
        for file in (self.file, self.bare_file):
            sqlite_files.remove(file)


def run(bench, wanted):
    for workload_type in workloads.ALL[1:]:
        if f"{workload_type.key}-sqlite" not in wanted:
            continue
        workload = workload_type(bench.scale)
        result = Result(f"{workload.key}-sqlite", f"PostgreSQL → SQLite: {workload.title}", workload.changes)
        stream = Stream(bench, workload)
        bench.say(f"{result.key}: tables and first copy")
        stream.create()
        for number in range(1, bench.rounds + 1):
            stream.round(number, result)
            bench.said(result, number)
        stream.close()
        ours = result.median("rowferry")
        to_decode, to_bare = ours / result.median("decode only"), ours / result.median("bare loop")
        if workload.key in TO_DECODE:
            result.check("rowferry / decode only", to_decode, TO_DECODE[workload.key], least=False, unit=" ×")
        if workload.key in TO_BARE:
            result.check("rowferry / bare loop", to_bare, TO_BARE[workload.key], least=False, unit=" ×")
        slower = max(result.median("decode only"), result.median("bare loop"))
        result.notes.append(f"rowferry / the slower of decode only and bare loop, the bound when both run at once: {ours / slower:.2f} ×")
        result.check_memory()
        bench.done(result)
