"""Idle latency: a transaction of one row every 10 ms, and the time from its commit on the leader until a reader of the follower sees it. Whoever is
measured has the machine alone: the others are stopped. bench/tools/latency_probe writes, asks and counts, in the same way for everybody."""
import os
import subprocess
import time

from kit import processes, sqlite_files
from kit.consumers import BuiltIn, Rowferry
from kit.failure import Failure
from kit.processes import Child
from kit.results import Result

SECONDS = 30  # for each contestant, over all rounds
PROBE = "CREATE TABLE bench_probe (id INTEGER PRIMARY KEY, n BIGINT NOT NULL)"
LEAST_SECONDS = 1


def parts():
    return ["latency", "latency-sqlite-sqlite", "latency-sqlite-postgresql", "latency-postgresql-sqlite"]


def run(bench, wanted):
    if "latency" in wanted:
        beside_built_in(bench)
    for leader, follower in (("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite")):
        if f"latency-{leader}-{follower}" in wanted:
            alone(bench, leader, follower)


def probe(bench, leader, follower, cpu):
    """One stretch of measuring; `cpu` tells the seconds of CPU so far of everything that replicates."""
    before = cpu()
    seconds = max(LEAST_SECONDS, SECONDS * bench.scale / bench.rounds)
    done = subprocess.run([bench.tool("latency_probe"), leader, follower, str(seconds)], capture_output=True, text=True, timeout=seconds + 120, check=False)
    if done.returncode != 0:
        raise Failure(f"latency_probe: {done.stderr.strip()}")
    count, p50, p95, p99, longest = (float(figure) for figure in done.stdout.split())
    return {"seconds": p50 / 1000, "count": count, "p50": p50, "p95": p95, "p99": p99, "longest": longest, "cpu": cpu() - before}


def beside_built_in(bench):
    result = Result("latency", "PostgreSQL → PostgreSQL: from commit to visible, one row every 10 ms")
    leader, database = bench.server("leader"), "latency"
    followers = {"built-in": bench.server("follower_builtin"), "rowferry": bench.server("follower_rowferry")}
    for server in (leader, *followers.values()):
        server.new_database(database)
    leader.run(database, PROBE + "; INSERT INTO bench_probe VALUES (1, 0)")
    built_in = BuiltIn(leader, followers["built-in"], database, ["bench_probe"], ["streaming = off", *bench.built_in_options])
    rowferry = Rowferry(leader, followers["rowferry"], database, bench)
    built_in.create()
    rowferry.create()
    for number in range(1, bench.rounds + 1):
        names = ["built-in", "rowferry"] if number % 2 else ["rowferry", "built-in"]
        for name in names:
            server = followers[name]
            child = None
            if name == "built-in":
                built_in.start()
            else:
                child = Child(following(bench, leader.uri(database), server.uri(database)), rowferry.log)
            until_equal(lambda: leader.run(database, "SELECT n FROM bench_probe"), lambda: server.run(database, "SELECT n FROM bench_probe"), child)
            sample = probe(bench, leader.uri(database), server.uri(database), lambda: leader.cpu() + server.cpu() + running_cpu(child))
            if child is None:
                built_in.stop(None)
            else:
                sample["peak"] = child.stop().peak
            result.contestant(name).add(**sample)
        bench.say(f"latency: round {number} of {bench.rounds}: " + ", ".join(
            f"{series.name} p50 {series.samples[-1]['p50']:.2f} ms" for series in result.series.values()))
    built_in.session.query(f"DROP SUBSCRIPTION {built_in.subscription}")
    for pair in (built_in, rowferry):
        pair.close()
    for server in (leader, *followers.values()):
        server.drop_database(database)
    for percentile, bar in (("p50", 1.5), ("p99", 2)):
        ratio = result.median("rowferry", percentile) / result.median("built-in", percentile)
        result.check(f"rowferry / built-in, {percentile}", ratio, bar, least=False, unit=" ×")
    result.check_memory()
    bench.done(result)


def alone(bench, leader_engine, follower_engine):
    key = f"latency-{leader_engine}-{follower_engine}"
    names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
    result = Result(key, f"{names[leader_engine]} → {names[follower_engine]}: from commit to visible, one row every 10 ms")
    server = bench.server("leader")
    database = key.replace("-", "_")
    server.new_database(database)
    files = {role: os.path.join(bench.work, f"{key}-{role}.db") for role in ("leader", "follower")}
    uris = {role: server.uri(database) if engine == "postgresql" else f"sqlite:{files[role]}" for role, engine in (("leader", leader_engine), ("follower", follower_engine))}
    setup = PROBE + "; INSERT INTO bench_probe VALUES (1, 0);"
    if leader_engine == "postgresql":
        server.run(database, setup)
    else:
        sqlite_files.run(files["leader"], "PRAGMA journal_mode = WAL; " + setup)
    for number in range(1, bench.rounds + 1):
        log = os.path.join(bench.work, "rowferry.log")
        Child(bench.rowferry(uris["leader"], uris["follower"]), log).wait()
        child = Child(following(bench, uris["leader"], uris["follower"]), log)
        time.sleep(1)  # the follower is equal already; this is for the start
        child.ended()
        sample = probe(bench, uris["leader"], uris["follower"], lambda: server.cpu() + running_cpu(child))
        sample["peak"] = child.stop().peak
        result.contestant("rowferry").add(**sample)
        bench.say(f"{key}: round {number} of {bench.rounds}: p50 {sample['p50']:.2f} ms")
    server.drop_database(database)
    for file in files.values():
        sqlite_files.remove(file)
    if leader_engine == "sqlite":
        result.check("p50", result.median("rowferry", "p50"), 5, least=False, unit=" ms")
    result.check_memory()
    bench.done(result)


def following(bench, leader, follower):
    return [bench.binary, "run", leader, follower, "--no-progress", *bench.rowferry_arguments]


def running_cpu(child):
    return 0 if child is None else processes.cpu(child.pid) or 0


def until_equal(leader, follower, child):
    expected = leader()
    deadline = time.monotonic() + 60
    while follower() != expected:
        if child is not None:
            child.ended()
        if time.monotonic() > deadline:
            raise Failure("the follower does not catch up")
        time.sleep(0.05)
    time.sleep(0.5)
