"""SQLite to SQLite and to PostgreSQL: a backlog that the triggers have logged while rowferry was away, shaped like W2 and like W3, beside a bare loop of
prepared statements on the follower's engine. Timed from the start of a process to its end."""
import os
import subprocess

from kit import comparison, sqlite_files
from kit.processes import Child, measure
from kit.results import Result

GROUP = 20_000  # rows a transaction of the bare loops, about what rowferry makes of a backlog
BARE_PRAGMAS = ["PRAGMA synchronous=EXTRA", "PRAGMA cache_size=-49152"]
LEAST_RATE = 250_000
TO_BARE = 1.2


class Inserts:
    shape, title, kind, per_transaction = "W2", "inserts of 8 columns in transactions of 1000", "insert", 1000

    def __init__(self, scale):
        self.changes, self.rows = max(1, round(1000 * scale)) * 1000, 0


class Updates:
    shape, title, kind, per_transaction = "W3", "scattered updates by key in transactions of 10", "update", 10

    def __init__(self, scale):
        self.changes = max(1, round(30_000 * scale)) * 10
        self.rows = max(self.changes, int(1_000_000 * scale))


class ToSqlite:
    name, title = "sqlite-sqlite", "SQLite → SQLite"

    def __init__(self, bench):
        self.bench, self.server = bench, None
        self.file, self.bare_file = os.path.join(bench.work, "follower.db"), os.path.join(bench.work, "bare.db")
        self.uri = f"sqlite:{self.file}"

    def renew(self):
        sqlite_files.remove(self.file)

    def split(self):
        """The bare loop gets a follower of its own as it is now."""
        sqlite_files.copy(self.file, self.bare_file)

    def bare(self, kind, changes, log):
        return measure([self.bench.tool("bare_sqlite"), self.bare_file, kind, "items", str(GROUP), *BARE_PRAGMAS], log, stdin_path=changes)

    def text(self, name):
        return comparison.sqlite_text(self.file if name == "rowferry" else self.bare_file, sqlite_files.ITEM_TEXT, "items")


class ToPostgresql:
    name, title = "sqlite-postgresql", "SQLite → PostgreSQL"

    def __init__(self, bench):
        self.bench, self.server = bench, bench.server("follower_rowferry")
        self.uri = self.server.uri("from_sqlite")

    def renew(self):
        for database in ("from_sqlite_bare", "from_sqlite"):
            self.server.drop_database(database)
        self.server.new_database("from_sqlite")

    def split(self):
        self.server.run("postgres", "CREATE DATABASE from_sqlite_bare TEMPLATE from_sqlite")
        self.server.checkpoint()

    def bare(self, kind, changes, log):
        tool = [self.bench.tool("bare_postgresql"), self.server.uri("from_sqlite_bare"), kind, "items", str(GROUP)]
        return measure(tool, log, follower=self.server, stdin_path=changes)

    def text(self, name):
        return comparison.postgresql_text(self.server, "from_sqlite" if name == "rowferry" else "from_sqlite_bare", sqlite_files.ITEM_TEXT, "items")


def parts():
    return [f"{shape.shape}-{follower.name}" for follower in (ToSqlite, ToPostgresql) for shape in (Inserts, Updates)]


def run(bench, wanted):
    for follower_type in (ToSqlite, ToPostgresql):
        for shape_type in (Inserts, Updates):
            if f"{shape_type.shape}-{follower_type.name}" in wanted:
                contest(bench, shape_type(bench.scale), follower_type(bench))


def contest(bench, shape, follower):
    result = Result(f"{shape.shape}-{follower.name}", f"{follower.title}: {shape.title}", shape.changes)
    leader, log = os.path.join(bench.work, "leader.db"), os.path.join(bench.work, "rowferry.log")
    start_rows, changes = os.path.join(bench.work, "rows.tsv"), os.path.join(bench.work, "changes.tsv")
    command = bench.rowferry(f"sqlite:{leader}", follower.uri, "--capture", "triggers")  # what waits in their log; the leader's own would be compared
    sqlite_files.write_rows(start_rows, shape.rows)
    with_bare = follower.server is None or shape.kind == "update"  # a million single inserts would take PostgreSQL 20 s and judge nothing
    for number in range(1, bench.rounds + 1):
        sqlite_files.create(leader, bench.tool("bare_sqlite"), start_rows)
        if shape.kind == "insert":
            sqlite_files.write_rows(changes, shape.changes)
        else:
            sqlite_files.write_updates(changes, shape.changes, shape.rows, number)
        follower.renew()
        Child(command, log).wait()
        with open(changes, "rb") as rows:
            subprocess.run([bench.tool("bare_sqlite"), leader, shape.kind, "items", str(shape.per_transaction), "PRAGMA synchronous = OFF"],
                           stdin=rows, timeout=600, check=True)
        sqlite_files.checkpoint(leader)
        if with_bare:
            follower.split()
        contestants = {"rowferry": lambda: measure(command, log, follower=follower.server)}
        if with_bare:
            contestants["bare loop"] = lambda: follower.bare(shape.kind, changes, log)
        for name in contestants if number % 2 else reversed(contestants):
            result.contestant(name).add(**contestants[name]())
        expected = comparison.sqlite_text(leader, sqlite_files.ITEM_TEXT, "items")
        for name in contestants:
            text = follower.text(name)
            comparison.require_equal(expected, text, f"{result.key}, round {number}, {name}")
        bench.said(result, number)
    for path in (leader, *(getattr(follower, name) for name in ("file", "bare_file") if hasattr(follower, name))):
        sqlite_files.remove(path)
    ours = result.median("rowferry")
    if shape.kind == "insert":
        result.check("changes per second", shape.changes / ours, LEAST_RATE)
    else:
        result.check("rowferry / bare loop", ours / result.median("bare loop"), TO_BARE, least=False, unit=" ×")
    result.check_memory()
    bench.done(result)
