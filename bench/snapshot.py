"""The first copy of one large table, beside everything else that could make it. Timed from the start of a process to its end; for the built-in subscription
from CREATE SUBSCRIPTION until its table is ready. Whoever copies ends with the rows, the primary key and a checksum that is the leader's."""
import os
import shutil
import sqlite3
import subprocess
import time

from kit import comparison, sqlite_files
from kit.failure import Failure
from kit.processes import measure
from kit.results import Result
from kit.server import bin_dir
import workloads

WIDE_TABLE = """CREATE TABLE wide (id bigint PRIMARY KEY, customer integer NOT NULL, amount numeric(12,2) NOT NULL, created timestamptz NOT NULL,
  name text NOT NULL, body text NOT NULL)"""
WIDE_ROWS = """INSERT INTO wide SELECT n, (n * 7919) % 100003, (n % 1000000) / 100.0, timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second',
  'item number ' || n, repeat(md5(n::text), 3) || md5((n + 1)::text) FROM generate_series(1::bigint, {}) AS s(n)"""


def parts():
    return ["snapshot", "snapshot-sqlite-postgresql", "snapshot-postgresql-sqlite"]


def run(bench, wanted):
    each = {"snapshot": between_postgresql, "snapshot-sqlite-postgresql": from_sqlite, "snapshot-postgresql-sqlite": to_sqlite}
    for name, function in each.items():
        if name in wanted:
            function(bench)


def rotate(bench, result, contestants, number):
    """Everybody once, in an order that turns with the rounds."""
    names = list(contestants)
    for name in names if number % 2 else reversed(names):
        result.contestant(name).add(**contestants[name]())
    bench.said(result, number)


def shell(command, log, **servers):
    """A pipe: any part of it that fails, fails."""
    return {**measure(["bash", "-c", "set -e -o pipefail; " + command], log, **servers), "peak": None}


def between_postgresql(bench):
    rows = max(1, int(2_000_000 * bench.scale))
    result = Result("snapshot", "PostgreSQL → PostgreSQL: first copy of one table, 200 bytes a row", rows, "rows")
    leader, follower = bench.server("leader"), bench.server("follower_rowferry")
    log, there, here = os.path.join(bench.work, "copy.log"), leader.uri("wide"), follower.uri("wide")
    leader.new_database("wide")
    leader.run("wide", WIDE_TABLE + "; " + WIDE_ROWS.format(rows) + "; CREATE PUBLICATION bench FOR TABLE wide")
    leader.run("wide", "VACUUM (FREEZE, ANALYZE)")
    expected = comparison.of_postgresql(leader, "wide", ["wide"])
    psql = "psql -X -q -v ON_ERROR_STOP=1"
    servers = {"leader": leader, "follower": follower}

    def fresh(work, with_table=False):
        def once():
            follower.drop_database("wide")
            follower.new_database("wide")
            if with_table:
                follower.run("wide", WIDE_TABLE)
            leader.checkpoint()
            follower.checkpoint()
            sample = work()
            comparison.require_equal(expected, comparison.of_postgresql(follower, "wide", ["wide"]), f"{result.key}, {sample.pop('name')}")
            return sample
        return once

    def rowferry():
        sample = measure(bench.rowferry(there, here), log, **servers)
        subprocess.run([bench.binary, "drop", there, here], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)
        return {"name": "rowferry", **sample}

    def built_in():
        before = leader.cpu() + follower.cpu()
        with follower.session("wide") as session:
            begun = time.perf_counter()
            session.query(f"CREATE SUBSCRIPTION bench_wide CONNECTION '{leader.conninfo('wide')}' PUBLICATION bench")
            while session.query("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate IN ('s', 'r')") != "1":
                if time.perf_counter() - begun > 600:
                    raise Failure("the built-in subscription's initial copy does not end")
                time.sleep(0.01)
            seconds = time.perf_counter() - begun
            sample = {"name": "built-in", "seconds": seconds, "cpu": leader.cpu() + follower.cpu() - before}
            session.query("DROP SUBSCRIPTION bench_wide")
        return sample

    def dump():
        return {"name": "pg_dump | psql", **shell(f"{bin_dir()}/pg_dump --no-publications -t wide '{there}' | {psql} '{here}' >/dev/null", log, **servers)}

    def pipe():
        copy = f"{psql} '{there}' -c 'COPY wide TO STDOUT (FORMAT binary)' | {psql} '{here}' -c 'COPY wide FROM STDIN (FORMAT binary)'"
        define = f"{bin_dir()}/pg_dump --no-publications -s --section={{}} -t wide '{there}' | {psql} '{here}' >/dev/null"
        return {"name": "COPY BINARY pipe", **shell(f"{define.format('pre-data')}; {copy}; {define.format('post-data')}", log, **servers)}

    contestants = {"rowferry": fresh(rowferry), "built-in": fresh(built_in, with_table=True), "pg_dump | psql": fresh(dump), "COPY BINARY pipe": fresh(pipe)}
    for number in range(1, bench.rounds + 1):
        rotate(bench, result, contestants, number)
    follower.drop_database("wide")
    leader.drop_database("wide")
    ours = result.median("rowferry")
    result.check("built-in / rowferry", result.median("built-in") / ours, 1.25, unit=" ×")
    result.check("pg_dump | psql / rowferry", result.median("pg_dump | psql") / ours, 1, unit=" ×")
    result.check_memory()
    bench.done(result)


def from_sqlite(bench):
    rows = max(1, int(1_000_000 * bench.scale))
    result = Result("snapshot-sqlite-postgresql", "SQLite → PostgreSQL: first copy of one table, profile of its columns included", rows, "rows")
    server = bench.server("follower_rowferry")
    uri, log = server.uri("copied"), os.path.join(bench.work, "copy.log")
    leader, tsv = os.path.join(bench.work, "leader.db"), os.path.join(bench.work, "rows.tsv")
    sqlite_files.write_rows(tsv, rows)
    sqlite_files.create(leader, bench.tool("bare_sqlite"), tsv)
    sqlite_files.checkpoint(leader)
    expected = comparison.sqlite_text(leader, sqlite_files.ITEM_TEXT, "items")
    table = sqlite_files.ITEM_TABLE.replace("INTEGER", "bigint")
    load = os.path.join(bench.work, "pgloader.load")
    with open(load, "w", encoding="ascii") as file:
        file.write(f"LOAD DATABASE FROM sqlite://{leader} INTO postgresql://rowferry@unix:{server.folder}:5432/copied;\n")

    def fresh(command, with_table):
        def once():
            server.drop_database("copied")
            server.new_database("copied")
            if with_table:
                server.run("copied", table)
            server.checkpoint()
            sample = command()
            comparison.require_equal(expected, comparison.postgresql_text(server, "copied", sqlite_files.ITEM_TEXT, "items"), result.key)
            return sample
        return once

    def rowferry():
        sample = measure(bench.rowferry(f"sqlite:{leader}", uri), log, follower=server)
        subprocess.run([bench.binary, "drop", f"sqlite:{leader}", uri], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)
        return sample

    csv = f"sqlite3 -csv '{leader}' 'SELECT * FROM items' | psql -X -q -v ON_ERROR_STOP=1 '{uri}' -c 'COPY items FROM STDIN (FORMAT csv)'"
    contestants = {
        "rowferry": fresh(rowferry, False),
        "sqlite3 -csv | psql": fresh(lambda: shell(csv, log, follower=server), True),
        "bare loop into COPY": fresh(lambda: measure([bench.tool("bare_copy"), "to-postgresql", leader, uri, "items"], log, follower=server), True),
    }
    if shutil.which("pgloader"):
        contestants["pgloader"] = fresh(lambda: measure(["pgloader", load], log, follower=server), False)
    for number in range(1, bench.rounds + 1):
        rotate(bench, result, contestants, number)
    server.drop_database("copied")
    sqlite_files.remove(leader)
    if "pgloader" in result.series:
        result.check("pgloader / rowferry", result.median("pgloader") / result.median("rowferry"), 2.4, unit=" ×")
    else:
        result.notes.append("pgloader is not installed (Debian package pgloader): its bar of 2.4 × could not be judged")
    result.check_memory()
    bench.done(result)


def to_sqlite(bench):
    rows = max(1, int(1_000_000 * bench.scale))
    result = Result("snapshot-postgresql-sqlite", "PostgreSQL → SQLite: first copy of one table", rows, "rows")
    leader = bench.server("leader")
    log, there = os.path.join(bench.work, "copy.log"), leader.uri("copied")
    file, bare_file, empty = (os.path.join(bench.work, name) for name in ("follower.db", "bare.db", "empty.db"))
    leader.new_database("copied")
    leader.run("copied", workloads.ITEM_TABLE + "; " + workloads.insert_items(1, rows))
    leader.run("copied", "VACUUM (FREEZE, ANALYZE)")
    expected = comparison.postgresql_text(leader, "copied", workloads.ITEM_TEXT["postgresql"], "items")
    ddl = subprocess.run([bench.binary, "schema", there, "--for", "sqlite"], capture_output=True, text=True, timeout=60, check=True).stdout
    with sqlite3.connect(empty) as db:
        db.executescript(ddl)
    db.close()

    def rowferry():
        sqlite_files.remove(file)
        sample = measure(bench.rowferry(there, f"sqlite:{file}"), log, leader=leader)
        comparison.require_equal(expected, comparison.sqlite_text(file, workloads.ITEM_TEXT["sqlite"], "items"), f"{result.key}, rowferry")
        subprocess.run([bench.binary, "drop", there, f"sqlite:{file}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)
        return sample

    def bare():
        sqlite_files.remove(bare_file)
        shutil.copyfile(empty, bare_file)
        sample = measure([bench.tool("bare_copy"), "to-sqlite", there, bare_file, "items"], log, leader=leader)
        comparison.require_equal(expected, comparison.sqlite_text(bare_file, workloads.ITEM_TEXT["sqlite"], "items"), f"{result.key}, bare loop")
        return sample

    for number in range(1, bench.rounds + 1):
        rotate(bench, result, {"rowferry": rowferry, "bare loop": bare}, number)
    leader.drop_database("copied")
    for path in (file, bare_file, empty):
        sqlite_files.remove(path)
    result.check("rowferry / bare loop", result.median("rowferry") / result.median("bare loop"), 1.3, least=False, unit=" ×")
    result.check_memory()
    bench.done(result)
