"""PostgreSQL to PostgreSQL: W1 to W5, rowferry beside the built-in subscription, each with a follower server of its own."""
import math

from kit import comparison
from kit.consumers import BuiltIn, DecodeOnly, Rowferry
from kit.failure import Failure
from kit.results import Result
import workloads

BARS = {"W1": 1.4, "W2": 1.3, "W3": 1.15, "W4": 1.3, "W5": 1.5}
TO_DECODE = {"W2": 1.2, "W5": 1.3}


def parts():
    return [workload.key for workload in workloads.ALL]


class Contest:
    """One workload with both consumers, over several rounds."""

    def __init__(self, bench, workload):
        self.bench, self.workload = bench, workload
        self.database = workload.key.lower()
        self.leader = bench.server("leader")
        self.tables = [*workload.tables, "bench_marker"]
        self.marker = 0
        for server in (self.leader, bench.server("follower_builtin"), bench.server("follower_rowferry")):
            server.new_database(self.database)
        self.built_in = BuiltIn(self.leader, bench.server("follower_builtin"), self.database, self.tables,
                                [f"streaming = {'on' if workload.streaming else 'off'}", *bench.built_in_options])
        self.rowferry = Rowferry(self.leader, bench.server("follower_rowferry"), self.database, bench)
        self.decode = DecodeOnly(self.leader, self.database, workload.streaming, bench.work)
        self.pairs = [self.built_in, self.rowferry]

    def create(self):
        self.workload.create(self.leader, self.database)
        self.leader.run(self.database, workloads.MARKER + "; INSERT INTO bench_marker VALUES (1, 0)")
        self.leader.run(self.database, "VACUUM (FREEZE, ANALYZE)")
        for pair in self.pairs:
            pair.create()

    def mark(self):
        """The last change of a backlog: who shows it has everything before it."""
        self.marker = int(self.leader.run(self.database, "UPDATE bench_marker SET n = n + 1 RETURNING n"))

    def settle(self):
        """Both followers at the leader's end, and both slots with a restart point that is not older than that."""
        before = self.leader.run(self.database, "SELECT pg_current_wal_lsn()")
        for _ in range(20):
            self.leader.checkpoint()  # logs which transactions run: what a restart point can move to
            self.mark()
            for pair in self.pairs:
                pair.catch_up(self.marker)
            if not any(pair.restart_lsn_behind(before) for pair in self.pairs):
                return
        raise Failure(f"{self.workload.key}: a slot's restart point stays behind")

    def round(self, number, result):
        with self.leader.session(self.database) as session:
            self.workload.prepare(session)
        self.mark()
        for pair in self.pairs:
            pair.catch_up(self.marker)
        for server in (self.leader, self.built_in.follower, self.rowferry.follower):
            server.run(self.database, "VACUUM (ANALYZE)")
        self.settle()
        self.decode.mark()
        self.workload.backlog(self.leader, self.database, number)
        self.mark()
        for server in (self.leader, self.built_in.follower, self.rowferry.follower):
            server.checkpoint()
        for pair in self.pairs if number % 2 else reversed(self.pairs):
            result.contestant(pair.name).add(**pair.catch_up(self.marker).sample())
        result.contestant(self.decode.name).add(**self.decode.measure().sample())
        leader = comparison.of_postgresql(self.leader, self.database, self.tables)
        for pair in self.pairs:
            comparison.require_equal(leader, comparison.of_postgresql(pair.follower, self.database, self.tables),
                                     f"{self.workload.key}, round {number}, {pair.name}")

    def close(self):
        self.built_in.session.query(f"DROP SUBSCRIPTION {self.built_in.subscription}")
        for pair in self.pairs:
            pair.close()
        for server in (self.leader, self.built_in.follower, self.rowferry.follower):
            server.drop_database(self.database)


def run(bench, wanted):
    """The workloads in `wanted` one after the other."""
    results = []
    for workload_type in workloads.ALL:
        if workload_type.key not in wanted:
            continue
        workload = workload_type(bench.scale)
        result = Result(workload.key, f"PostgreSQL → PostgreSQL: {workload.title}", workload.changes)
        contest = Contest(bench, workload)
        bench.say(f"{workload.key}: tables and first copies")
        contest.create()
        for number in range(1, bench.rounds + 1):
            contest.round(number, result)
            bench.said(result, number)
        contest.close()
        judge(result)
        bench.done(result)
        results.append(result)
    judge_mean(bench, results)


def judge(result):
    ours = result.median("rowferry")
    result.check("built-in / rowferry", result.median("built-in") / ours, BARS[result.key], unit=" ×")
    if result.key in TO_DECODE:
        result.check("rowferry / decode only", ours / result.median("decode only"), TO_DECODE[result.key], least=False, unit=" ×")
    cpu = result.median("built-in", "cpu") / result.median("rowferry", "cpu")
    result.notes.append(f"CPU of leader, follower and client together, built-in / rowferry: {cpu:.2f} ×")
    result.check_memory()


def judge_mean(bench, results):
    if len(results) == len(BARS):
        ratios = [result.median("built-in") / result.median("rowferry") for result in results]
        mean = Result("W1–W5", "PostgreSQL → PostgreSQL, geometric mean")
        mean.check("built-in / rowferry", math.prod(ratios) ** (1 / len(ratios)), 1.3, unit=" ×")
        bench.done(mean)
