"""What capture costs the application on a SQLite leader: the same bare loop of prepared statements on copies of one file, without a stream, with one, and
with one that was begun with --exact-replace. rowferry is not running meanwhile; what is measured is the triggers and the log they write."""
import os

from kit import sqlite_files
from kit.failure import Failure
from kit.processes import Child, measure
from kit.results import Result

# FULL is what SQLite does unless told otherwise; NORMAL leaves out the wait for the disk at every commit, so that the triggers show.
LEVELS = ("FULL", "NORMAL")
KINDS = {"without": None, "triggers": [], "--exact-replace": ["--exact-replace"]}


class Inserts:
    key, title, kind, per_transaction, bar = "overhead-insert", "inserts in transactions of 1000", "insert", 1000, 2.4
    full_changes = 300_000


class Updates:
    key, title, kind, per_transaction, bar = "overhead-update", "scattered updates in transactions of 10", "update", 10, 1.3
    full_changes = 60_000


def parts():
    return [Inserts.key, Updates.key]


def run(bench, wanted):
    for shape in (Inserts, Updates):
        if shape.key in wanted:
            contest(bench, shape)


def contest(bench, shape):
    unit = shape.per_transaction
    changes = max(1, round(shape.full_changes * bench.scale / unit)) * unit
    result = Result(shape.key, f"SQLite leader's own writes: {shape.title}", changes, "changes")
    tool, rows, changed, log = bench.tool("bare_sqlite"), *(os.path.join(bench.work, name) for name in ("rows.tsv", "changes.tsv", "rowferry.log"))
    leader, follower, base = (os.path.join(bench.work, name) for name in ("leader.db", "follower.db", "base.db"))
    existing = 0 if shape.kind == "insert" else max(changes, int(300_000 * bench.scale))
    sqlite_files.write_rows(rows, existing)
    sqlite_files.create(base, tool, rows)
    for number in range(1, bench.rounds + 1):
        if shape.kind == "insert":
            sqlite_files.write_rows(changed, changes)
        else:
            sqlite_files.write_updates(changed, changes, existing, number)
        for level in LEVELS:
            for name in KINDS if number % 2 else reversed(KINDS):
                sqlite_files.copy(base, leader)
                if KINDS[name] is not None:
                    sqlite_files.remove(follower)
                    Child(bench.rowferry(f"sqlite:{leader}", f"sqlite:{follower}", "--capture", "triggers", *KINDS[name]), log).wait()
                sqlite_files.checkpoint(leader)
                sample = measure([tool, leader, shape.kind, "items", str(unit), f"PRAGMA synchronous = {level}"], log, stdin_path=changed)
                if KINDS[name] is not None:
                    require_logged(leader, changes)
                result.contestant(f"{name}, {level}").add(**sample)
        bench.said(result, number)
    for path in (leader, follower, base):
        sqlite_files.remove(path)
    for level in LEVELS:
        for name in ("triggers", "--exact-replace"):
            ratio, cpu_ratio = (result.median(f"{name}, {level}", what) / max(result.median(f"without, {level}", what), 1e-3) for what in ("seconds", "client_cpu"))
            if name == "triggers":
                result.check(f"triggers / without, synchronous = {level}", ratio, shape.bar, least=False, unit=" ×")
                result.notes.append(f"triggers / without, synchronous = {level}, CPU: {cpu_ratio:.2f} ×")
            else:
                result.notes.append(f"{name} / without, synchronous = {level}: {ratio:.2f} ×, CPU {cpu_ratio:.2f} ×")
    bench.done(result)


def require_logged(leader, changes):
    """Cheap writes that were not captured would be no achievement."""
    logged = int(sqlite_files.read(leader, "SELECT count(*) FROM rowferry_change"))
    if logged < changes:
        raise Failure(f"the log holds {logged} changes, the application made {changes}")
