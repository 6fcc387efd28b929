"""What each way of reading a leader costs the application that writes to it, and how soon a commit is told: the same writes alone and beside rowferry.
bench/write_overhead has the triggers of SQLite, which work whether somebody reads or not."""
import json
import os
import subprocess
import sys
import time

from kit import sqlite_files
from kit.failure import Failure
from kit.processes import Child, measure
from kit.results import Result
import workloads

LOG, PACED, POSTGRESQL, LATENCY = "overhead-log", "overhead-log-paced", "overhead-postgresql", "latency-tail-sqlite"
LOG_CHANGES, LOG_BAR = 400_000, 1.05
PG_CHANGES, PG_GROUP, PG_BAR = 200_000, 1000, 2.0
LATENCY_SECONDS, PACE = 20, 900
PACED_SECONDS, PACED_PACE = 20, 5000

# One commit of one row, evenly spaced; each row holds the moment before its commit began. Prints how many there were and the seconds that they took.
WRITER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA synchronous = NORMAL")
begun, number, seconds, pace, spent = time.monotonic(), 0, float(sys.argv[2]), float(sys.argv[3]), 0
while number < seconds * pace:
    wait = begun + number / pace - time.monotonic()
    if wait > 0:
        time.sleep(wait)
    sent = time.monotonic_ns()
    db.execute("INSERT INTO probe (sent) VALUES (?)", (sent,))
    spent += time.monotonic_ns() - sent
    number += 1
print(number, spent / 1e9)
"""


def parts():
    return [LOG, PACED, POSTGRESQL, LATENCY]


def run(bench, wanted):
    for key, measured in ((LOG, sqlite_log), (PACED, paced), (POSTGRESQL, postgresql), (LATENCY, tail_latency)):
        if key in wanted:
            measured(bench)


def tail(bench, path, log, stdout=subprocess.DEVNULL):
    child = Child([bench.binary, "tail", f"sqlite:{path}", "--capture", "logical", "--format", "json"], log, stdout=stdout)
    wait_for(log, "following", child)
    return child


def follow(bench, leader, follower, log):
    child = Child([bench.binary, "run", f"sqlite:{leader}", f"sqlite:{follower}", "--capture", "logical", "--no-progress"], log)
    wait_for(log, "following", child)
    return child


def catch_up(bench, leader, follower, log, query):
    """The rest of what the leader has; then `query` has to say the same of both."""
    Child(bench.rowferry(f"sqlite:{leader}", f"sqlite:{follower}"), log).wait()
    if sqlite_files.read(leader, query) != sqlite_files.read(follower, query):
        raise Failure("the follower is not equal to its leader")


def wait_for(log, text, child):
    deadline = time.monotonic() + 60
    while True:
        with open(log, encoding="utf-8", errors="replace") as file:
            if text in file.read():
                return
        child.ended()
        if time.monotonic() > deadline:
            raise Failure(f"no '{text}' from {' '.join(child.command)}")
        time.sleep(0.02)


def sqlite_log(bench):
    """A writer that never pauses, in commits of one row: alone, beside `tail`, beside a `run` that copies to another file."""
    changes = max(1, round(LOG_CHANGES * bench.scale))
    result = Result(LOG, "SQLite leader's own writes beside its log's reader: single-row commits, synchronous = NORMAL", changes, "commits")
    tool, rows, log, log_of_writer = bench.tool("bare_sqlite"), *(os.path.join(bench.work, name) for name in ("rows.tsv", "rowferry.log", "writer.log"))
    leader, follower = (os.path.join(bench.work, name) for name in ("leader.db", "follower.db"))
    sqlite_files.write_rows(rows, changes)
    names = ["alone", "rowferry tail", "rowferry run"]
    for number in range(1, bench.rounds + 1):
        for name in names if number % 2 else reversed(names):
            for path in (leader, follower):
                sqlite_files.remove(path)
            sqlite_files.run(leader, "PRAGMA journal_mode = WAL; " + sqlite_files.ITEM_TABLE)
            child = None
            if name == "rowferry tail":
                child = tail(bench, leader, log)
            elif name == "rowferry run":
                child = follow(bench, leader, follower, log)
            sample = measure([tool, leader, "insert", "items", "1", "PRAGMA synchronous = NORMAL"], log_of_writer, stdin_path=rows)
            sample["wal_mb"] = os.path.getsize(leader + "-wal") / 2**20 if os.path.exists(leader + "-wal") else 0
            if child is not None:
                child.ended()
                sample["peak"] = child.stop().peak
            if name == "rowferry run":
                catch_up(bench, leader, follower, log, "SELECT count(*) || ' ' || sum(id) FROM items")
            result.contestant(name).add(**sample)
        bench.said(result, number)
    for name in names[1:]:
        result.check(f"{name} / alone", result.median(name) / result.median("alone"), LOG_BAR, least=False, unit=" ×")
    for name in names:
        result.notes.append(f"the log behind it, {name}: {result.series[name].peak('wal_mb') or 0:.0f} MB at most")
    result.check_memory()
    for path in (leader, follower):
        sqlite_files.remove(path)
    bench.done(result)


def paced(bench):
    """As most applications write: with pauses. What counts is the time that their commits take."""
    leader, follower, log = (os.path.join(bench.work, name) for name in ("leader.db", "follower.db", "rowferry.log"))
    seconds = max(1, PACED_SECONDS * bench.scale / bench.rounds)
    result = Result(PACED, f"SQLite leader's own writes beside its log's reader: {PACED_PACE} single-row commits a second, synchronous = NORMAL", round(seconds * PACED_PACE), "commits")
    for number in range(1, bench.rounds + 1):
        for name in ("alone", "rowferry run") if number % 2 else ("rowferry run", "alone"):
            for path in (leader, follower):
                sqlite_files.remove(path)
            sqlite_files.run(leader, "PRAGMA journal_mode = WAL; CREATE TABLE probe (id INTEGER PRIMARY KEY, sent INTEGER NOT NULL)")
            child = follow(bench, leader, follower, log) if name == "rowferry run" else None
            writer = subprocess.run([sys.executable, "-c", WRITER, leader, str(seconds), str(PACED_PACE)], capture_output=True, text=True, timeout=600, check=True)
            commits, spent = writer.stdout.split()
            sample = {"seconds": float(spent), "count": int(commits)}
            if child is not None:
                sample["wal_mb"] = os.path.getsize(leader + "-wal") / 2**20
                child.ended()
                sample["peak"] = child.stop().peak
                catch_up(bench, leader, follower, log, "SELECT count(*) || ' ' || sum(sent) FROM probe")
            result.contestant(name).add(**sample)
        bench.said(result, number)
    result.check("time of the writer's commits: rowferry run / alone", result.median("rowferry run") / result.median("alone"), LOG_BAR, least=False, unit=" ×")
    result.notes.append(f"a commit: {1e6 * result.median('alone') / result.count:.1f} µs alone, {1e6 * result.median('rowferry run') / result.count:.1f} µs beside rowferry; "
                        f"the log behind it: {result.series['rowferry run'].peak('wal_mb'):.0f} MB at most")
    result.check_memory()
    for path in (leader, follower):
        sqlite_files.remove(path)
    bench.done(result)


def postgresql(bench):
    """Bulk inserts of one session: without a stream, with triggers that nobody reads, beside a reader of each kind."""
    changes = max(1, round(PG_CHANGES * bench.scale / PG_GROUP)) * PG_GROUP
    result = Result(POSTGRESQL, f"PostgreSQL leader's own writes: inserts in transactions of {PG_GROUP}", changes, "changes")
    server, database, log = bench.server("leader"), "capture_cost", os.path.join(bench.work, "rowferry.log")
    follower = os.path.join(bench.work, "follower.db")
    inserts = f"DO $$ BEGIN FOR i IN 0..{changes // PG_GROUP - 1} LOOP {workloads.insert_items('i * ' + str(PG_GROUP) + ' + 1', '(i + 1) * ' + str(PG_GROUP))}; COMMIT; END LOOP; END $$"
    kinds = {"without": None, "triggers": ["--capture", "triggers"], "triggers, read": ["--capture", "triggers"], "logical decoding, read": ["--capture", "logical"]}
    for number in range(1, bench.rounds + 1):
        for name in kinds if number % 2 else reversed(kinds):
            server.new_database(database)
            server.run(database, workloads.ITEM_TABLE)
            sqlite_files.remove(follower)
            child = None
            if kinds[name] is not None:
                Child(bench.rowferry(server.uri(database), f"sqlite:{follower}", *kinds[name]), log).wait()
            if name.endswith("read"):
                child = Child([bench.binary, "run", server.uri(database), f"sqlite:{follower}", "--no-progress"], log)
                wait_for(log, "following", child)
            before, begun = server.cpu(), time.perf_counter()
            server.run(database, inserts)
            sample = {"seconds": time.perf_counter() - begun, "leader_cpu": server.cpu() - before}
            if child is not None:
                child.ended()
                sample["peak"] = child.stop().peak
            if kinds[name] is not None:
                Child(bench.rowferry(server.uri(database), f"sqlite:{follower}"), log).wait()
                if int(sqlite_files.read(follower, "SELECT count(*) FROM items")) != changes:
                    raise Failure("the follower is not equal to its leader")
                Child([bench.binary, "drop", server.uri(database), f"sqlite:{follower}"], log).wait()
            server.drop_database(database)
            result.contestant(name).add(**sample)
        bench.said(result, number)
    sqlite_files.remove(follower)
    result.check("triggers / without", result.median("triggers") / result.median("without"), PG_BAR, least=False, unit=" ×")
    for name in list(kinds)[1:]:
        ratio, cpu = (result.median(name, what) / max(result.median("without", what), 1e-3) for what in ("seconds", "leader_cpu"))
        result.notes.append(f"{name} / without: {ratio:.2f} ×, the server's CPU {cpu:.2f} ×")
    bench.done(result)


def tail_latency(bench):
    """From the moment before a commit begins until `tail` has printed it, one row at an even pace."""
    result = Result(LATENCY, f"SQLite's log: from a commit's beginning to its record by tail, {PACE} commits a second")
    leader, log = (os.path.join(bench.work, name) for name in ("leader.db", "rowferry.log"))
    seconds = max(1, LATENCY_SECONDS * bench.scale / bench.rounds)
    for number in range(1, bench.rounds + 1):
        sqlite_files.remove(leader)
        sqlite_files.run(leader, "PRAGMA journal_mode = WAL; CREATE TABLE probe (id INTEGER PRIMARY KEY, sent INTEGER NOT NULL)")
        child = tail(bench, leader, log, subprocess.PIPE)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, leader, str(seconds), str(PACE)], stdout=subprocess.PIPE, text=True)
        waited, expected = [], round(seconds * PACE)
        while len(waited) < expected:
            record = json.loads(child.line())
            if record["operation"] == "insert":
                sent = record["after"]["sent"]
                waited.append((time.monotonic_ns() - int(sent["integer"] if isinstance(sent, dict) else sent)) / 1e6)
        if int(writer.communicate(timeout=60)[0].split()[0]) != expected:
            raise Failure("the writer wrote another number of rows")
        wal = os.path.getsize(leader + "-wal") / 2**20
        child.stop()
        waited.sort()
        sample = {f"p{share}": waited[len(waited) * share // 100] for share in (50, 95, 99)}
        result.contestant("rowferry").add(seconds=sample["p50"] / 1000, count=len(waited), longest=waited[-1], cpu=child.cpu, peak=child.peak, wal_mb=wal, **sample)
        bench.say(f"{LATENCY}: round {number} of {bench.rounds}: p50 {sample['p50']:.2f} ms, p99 {sample['p99']:.2f} ms")
    sqlite_files.remove(leader)
    for percentile, bar in (("p50", 1), ("p99", 10)):
        result.check(percentile, result.median("rowferry", percentile), bar, least=False, unit=" ms")
    result.notes.append(f"the log behind it: {result.series['rowferry'].peak('wal_mb'):.1f} MB at most")
    result.check_memory()
    bench.done(result)
