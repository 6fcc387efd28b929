"""W1 to W5: what is written on a PostgreSQL leader while nobody reads. SQL text only; who runs and measures it is elsewhere."""
import os
import subprocess

from kit.failure import Failure
from kit.server import bin_dir

# Eight columns of the types applications use, about 110 bytes a row.
ITEM_TABLE = """CREATE TABLE items (id bigint PRIMARY KEY, customer integer NOT NULL, kind smallint NOT NULL, name text NOT NULL, note text,
  amount numeric(12,2) NOT NULL, created timestamptz NOT NULL, active boolean NOT NULL)"""
ITEM_ROW = """n, (n * 7919) % 100003, n % 50, 'item number ' || n, CASE WHEN n % 10 <> 0 THEN md5(n::text) END, (n % 1000000) / 100.0,
  timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second', n % 3 <> 0"""
# The same text on both engines, in the order of the key.
ITEM_TEXT = {
    "postgresql": "SELECT id, customer, kind, name, note, amount, created, active::int FROM items ORDER BY id",
    "sqlite": "SELECT id, customer, kind, name, note, amount, created, active FROM items ORDER BY id",
}
MARKER = "CREATE TABLE bench_marker (id integer PRIMARY KEY, n bigint NOT NULL)"

# A step that is coprime to every count of rows used here, so that keys are visited once each and far from each other.
_STEP = 15485863


def insert_items(first, last):
    return f"INSERT INTO items SELECT {ITEM_ROW} FROM generate_series({first}::bigint, {last}) AS s(n)"


def _loop(times, statement):
    return f"DO $$ BEGIN FOR i IN 0..{times - 1} LOOP {statement}; COMMIT; END LOOP; END $$"


class Workload:
    """`create` makes the tables on the leader, `prepare` brings them to where a round begins (not measured), `backlog` makes the changes."""

    tables = ["items"]
    streaming = False  # whether the built-in subscription and pg_recvlogical are asked to stream transactions in progress
    rows = 0  # in `items` when a round begins

    def __init__(self, scale):
        self.scale = scale
        self.changes = self.whole(self.full_changes, self.per_transaction)

    def whole(self, number, unit):
        """A scaled number of changes, in whole transactions of `unit`."""
        return max(1, round(number * self.scale / unit)) * unit

    def create(self, server, database):
        server.run(database, ITEM_TABLE)
        if self.rows:
            server.run(database, insert_items(1, self.rows))

    def prepare(self, session):
        session.query("TRUNCATE items")

    def key_of(self, number, change):
        """The key that change number `change` (SQL, from 0) of a round touches."""
        return f"1 + (({number * 1000003} + {change}) * {_STEP}::bigint) % {self.rows}"

    def scattered(self, number, first, count):
        return f"ARRAY(SELECT {self.key_of(number, f'{first} + k')} FROM generate_series(0, {count - 1}) AS k)"

    def change_rows(self, _number):
        """For the bare loops: the kind of change, and a query for its rows in the order in which they were changed."""
        return "insert", "SELECT * FROM items ORDER BY id"


class Pgbench(Workload):
    key, title = "W1", "pgbench TPC-B, one row changed in each of four tables per transaction"
    tables = ["pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history"]
    full_changes, per_transaction = 240_000, 16  # four clients with as many transactions each

    def create(self, server, database):
        _pgbench(server, database, "-i", "-q", "-s", str(max(1, round(10 * self.scale))))
        # rowferry refuses tables without a replica identity. The history is only inserted into, so this costs nothing.
        server.run(database, "ALTER TABLE pgbench_history REPLICA IDENTITY FULL")

    def prepare(self, session):
        session.query("TRUNCATE pgbench_history")

    def backlog(self, server, database, _round):
        _pgbench(server, database, "-n", "-c", "4", "-j", "2", "-t", str(self.changes // 16), "--random-seed=42")


class Inserts(Workload):
    key, title = "W2", "inserts of 8 columns in transactions of 1000"
    full_changes, per_transaction = 1_000_000, 1000

    def backlog(self, server, database, _round):
        server.run(database, "SET synchronous_commit = off; " + _loop(self.changes // 1000, insert_items("i * 1000 + 1", "i * 1000 + 1000")))


class Updates(Workload):
    key, title = "W3", "scattered updates by key in transactions of 10"
    full_changes, per_transaction = 300_000, 10

    def __init__(self, scale):
        super().__init__(scale)
        self.rows = max(self.changes, int(1_000_000 * scale))

    def prepare(self, session):
        pass

    def backlog(self, server, database, number):
        # Ten statements a transaction would write the same log, only slower.
        server.run(database, "SET synchronous_commit = off; " + _loop(self.changes // 10, f"UPDATE items SET amount = amount + {number}, "
                   f"note = 'changed in round {number}' WHERE id = ANY ({self.scattered(number, 'i * 10', 10)})"))

    def change_rows(self, number):
        return "update", f"SELECT items.* FROM generate_series(0, {self.changes - 1}) AS k JOIN items ON id = {self.key_of(number, 'k')} ORDER BY k"


class Deletes(Workload):
    key, title = "W4", "scattered deletes in transactions of 100"
    full_changes, per_transaction = 300_000, 100

    def __init__(self, scale):
        super().__init__(scale)
        self.rows = max(self.changes, int(1_000_000 * scale))

    def prepare(self, session):
        session.query(f"INSERT INTO items SELECT {ITEM_ROW} FROM generate_series(1::bigint, {self.rows}) AS s(n) "
                      "WHERE NOT EXISTS (SELECT FROM items WHERE id = n)")

    def backlog(self, server, database, number):
        server.run(database, "SET synchronous_commit = off; " + _loop(self.changes // 100,
                   f"DELETE FROM items WHERE id = ANY ({self.scattered(number, 'i * 100', 100)})"))

    def change_rows(self, number):
        return "delete", f"SELECT {self.key_of(number, 'k')} FROM generate_series(0, {self.changes - 1}) AS k"


class BigTransaction(Workload):
    key, title = "W5", "inserts in one transaction"
    full_changes, per_transaction = 1_000_000, 1000
    streaming = True

    def backlog(self, server, database, _round):
        server.run(database, insert_items(1, self.changes))


ALL = [Pgbench, Inserts, Updates, Deletes, BigTransaction]


def _pgbench(server, database, *arguments):
    done = subprocess.run([f"{bin_dir()}/pgbench", *arguments, server.uri(database)], cwd="/", capture_output=True, text=True, timeout=600,
                          env={**os.environ, "PGOPTIONS": "-c synchronous_commit=off"}, check=False)
    if done.returncode != 0:
        raise Failure(f"pgbench failed:\n{done.stderr[-1000:]}")
