"""Cost per row and peak memory as one transaction of inserts grows: 10 thousand, 100 thousand, 1 million and with --long 10 million rows. What a start
costs (the same command with nothing to do) is taken off, so that the small sizes can be compared."""
import os
import statistics

from kit import comparison, sqlite_files
from kit.processes import Child, measure
from kit.results import Result
import workloads

SIZES = [10_000, 100_000, 1_000_000, 10_000_000]


def parts():
    return ["curve-postgresql", "curve-sqlite"]


def run(bench, wanted):
    for engine in ("postgresql", "sqlite"):
        if f"curve-{engine}" in wanted:
            curve(bench, engine)


def curve(bench, engine):
    sizes = [max(1000, int(size * bench.scale)) for size in SIZES if bench.long or size < 10_000_000]
    result = Result(f"curve-{engine}", f"PostgreSQL → {'PostgreSQL' if engine == 'postgresql' else 'SQLite'}: one transaction of inserts that grows")
    leader, follower, database = bench.server("leader"), bench.server("follower_rowferry"), f"curve_{engine}"
    file, log = os.path.join(bench.work, "curve.db"), os.path.join(bench.work, "rowferry.log")
    to_postgresql = engine == "postgresql"
    leader.new_database(database)
    if to_postgresql:
        follower.new_database(database)
    leader.run(database, workloads.ITEM_TABLE)
    command = bench.rowferry(leader.uri(database), follower.uri(database) if to_postgresql else f"sqlite:{file}")
    Child(command, log).wait()
    for number in range(1, bench.rounds + 1):
        for size in sizes:
            leader.run(database, "TRUNCATE items")
            leader.checkpoint()
            Child(command, log).wait()
            leader.checkpoint()
            starts = [measure(command, log, leader=leader, follower=follower) for _ in range(3)]
            leader.run(database, workloads.insert_items(1, size))
            leader.checkpoint()
            follower.checkpoint()
            sample = measure(command, log, leader=leader, follower=follower)
            for what in ("seconds", "client_cpu", "leader_cpu", "follower_cpu", "cpu"):
                sample[what] = max(0.0, sample[what] - statistics.median(start[what] for start in starts))
            sample["rows"] = size
            result.contestant(f"rowferry, {size:,} rows").add(**sample)
            require_equal(result, leader, follower, database, file, to_postgresql)
        bench.said(result, number)
    leader.drop_database(database)
    follower.drop_database(database)
    sqlite_files.remove(file)
    per_row = {size: result.median(f"rowferry, {size:,} rows", "cpu") / size * 1e6 for size in sizes}
    seconds_per_row = {size: result.median(f"rowferry, {size:,} rows") / size * 1e6 for size in sizes}
    for size in sizes:
        peak = result.series[f"rowferry, {size:,} rows"].peak("peak") / 2**20
        result.notes.append(f"{size:>10,} rows: {seconds_per_row[size]:.2f} µs per row, {per_row[size]:.2f} µs of CPU on all sides, peak {peak:.0f} MB")
    result.check(f"CPU per row, {sizes[-1]:,} rows / {sizes[1]:,} rows", per_row[sizes[-1]] / max(per_row[sizes[1]], 0.001), 1.25, least=False, unit=" ×")
    result.check_memory()
    bench.done(result)


def require_equal(result, leader, follower, database, file, to_postgresql):
    if to_postgresql:
        there, here = comparison.of_postgresql(leader, database, ["items"]), comparison.of_postgresql(follower, database, ["items"])
    else:
        there = comparison.postgresql_text(leader, database, workloads.ITEM_TEXT["postgresql"], "items")
        here = comparison.sqlite_text(file, workloads.ITEM_TEXT["sqlite"], "items")
    comparison.require_equal(there, here, result.key)
