"""What capture by statements costs the application that writes, and how fast its log is run again: the same statements with and without `rowferry exec` on SQLite; a log of pgbench on PostgreSQL."""
import os
import sys

from kit import sqlite_files
from kit.failure import Failure
from kit.processes import Child, measure
from kit.results import Result
from kit.server import bin_dir

SQLITE, POSTGRESQL = "statements-sqlite", "statements-postgresql"
SINGLE, GROUPED, GROUP = 20_000, 100_000, 1000
PG_TRANSACTIONS, PG_CLIENTS, PG_ACCOUNTS = 20_000, 4, 25_000

# A script as the sqlite3 module runs it, statement by statement, from standard input.
PLAIN = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA synchronous = FULL")
db.executescript(sys.stdin.read())
"""
CONTENT = "SELECT count(*) || ' ' || sum(id * 7 + amount) || ' ' || sum(length(name)) FROM items"


def parts():
    return [SQLITE, POSTGRESQL]


def run(bench, wanted):
    for key, measured in ((SQLITE, sqlite), (POSTGRESQL, postgresql)):
        if key in wanted:
            measured(bench)


def script(path, rows, group):
    """INSERT statements of one row, each with values of its own; `group` of them in a transaction."""
    with open(path, "w", encoding="ascii") as file:
        for n in range(1, rows + 1):
            if group > 1 and n % group == 1:
                file.write("BEGIN;\n")
            cells = sqlite_files.row(n).rstrip("\n").split("\t")
            values = ", ".join("NULL" if cell == "\\N" else cell if cell.isdigit() else f"'{cell}'" for cell in cells)
            file.write(f"INSERT INTO items VALUES ({values});\n")
            if group > 1 and (n % group == 0 or n == rows):
                file.write("COMMIT;\n")


def sqlite(bench):
    """Statements of one row, as transactions of their own and a thousand in one: by SQLite alone, by `rowferry exec`, and the log of that run again for a follower."""
    shapes = {"single rows": (max(1, round(SINGLE * bench.scale)), 1), "transactions": (max(1, round(GROUPED * bench.scale)), GROUP)}
    leader, follower, text, log = (os.path.join(bench.work, name) for name in ("leader.db", "follower.db", "script.sql", "rowferry.log"))
    for shape, (rows, group) in shapes.items():
        each = "each a transaction" if group == 1 else f"{group} in a transaction"
        result = Result(f"{SQLITE}-{'single' if group == 1 else 'grouped'}", f"SQLite statements of one row, {each}: alone, through rowferry exec, and run again for a follower", rows, "statements")
        script(text, rows, group)
        expected = None  # what SQLite alone makes of it: that is measured first
        names = ["alone", "rowferry exec"]
        for number in range(1, bench.rounds + 1):
            for name in names if number % 2 else reversed(names):
                for path in (leader, follower):
                    sqlite_files.remove(path)
                sqlite_files.run(leader, "PRAGMA journal_mode = WAL; " + sqlite_files.ITEM_TABLE)
                if name == "alone":
                    result.contestant(name).add(**measure([sys.executable, "-c", PLAIN, leader], log, stdin_path=text))
                    expected = sqlite_files.read(leader, CONTENT)
                    continue
                stream = bench.rowferry(f"sqlite:{leader}", f"sqlite:{follower}", "--capture", "statements")
                Child(stream, log).wait()
                result.contestant(name).add(**measure([bench.binary, "exec", f"sqlite:{leader}", "-f", text], log))
                result.contestant("rowferry run").add(**measure(stream, log))
                content = sqlite_files.read(follower, CONTENT)
                if content != sqlite_files.read(leader, CONTENT) or int(content.split()[0]) != rows:
                    raise Failure("the follower is not equal to its leader")
                if content != expected:
                    raise Failure("what exec ran is not what SQLite alone ran")
            bench.said(result, number)
        for what, label in (("seconds", "time"), ("client_cpu", "CPU")):
            result.notes.append(f"exec / alone, {label}: {result.median('rowferry exec', what) / max(result.median('alone', what), 1e-3):.2f} ×")
        result.check_memory()
        bench.done(result)
    for path in (leader, follower):
        sqlite_files.remove(path)
    os.remove(text)


# Statement logs do not prove who had a row first, so each client has accounts of its own.
PGBENCH = """\\set account :client_id * {accounts} + random(1, {accounts})
\\set entry random(1, 9000000000000000)
\\set amount random(-5000, 5000)
BEGIN;
UPDATE account SET balance = balance + :amount WHERE id = :account;
SELECT balance FROM account WHERE id = :account;
INSERT INTO history (id, account, amount, note) VALUES (:entry, :account, :amount, 'by client :client_id');
COMMIT;
"""
PG_TABLES = """CREATE TABLE account (id integer PRIMARY KEY, balance bigint NOT NULL); CREATE TABLE history (id bigint PRIMARY KEY, account integer NOT NULL, amount integer NOT NULL, note text);
INSERT INTO account SELECT n, 0 FROM generate_series(1, {rows}) AS n"""
PG_CONTENT = "SELECT (SELECT count(*) || ' ' || sum(id * balance) FROM account) || ' ' || (SELECT count(*) || ' ' || sum(account * amount) || ' ' || sum(id % 1000003) FROM history)"


def postgresql(bench):
    """pgbench without a log, pgbench with all statements in the server's log, and that log run again for a follower."""
    each = max(1, round(PG_TRANSACTIONS * bench.scale / PG_CLIENTS))
    result = Result(POSTGRESQL, f"pgbench with {PG_CLIENTS} clients, transactions of two changes and a query: without a log, in the server's log, and that run again for a follower", each * PG_CLIENTS, "transactions")
    server = bench.server("logged", {"logging_collector": "on", "log_directory": "../statements", "log_filename": "pg.log", "log_statement": "all", "log_disconnections": "on", "log_file_mode": "0644",
                                     "log_line_prefix": "%m [%p] %c %l %x %u@%d "})
    scratch, text, log, follower = bench.server("scratch"), *(os.path.join(bench.work, name) for name in ("pgbench.sql", "rowferry.log", "follower.db"))
    with open(text, "w", encoding="ascii") as file:
        file.write(PGBENCH.format(accounts=PG_ACCOUNTS))
    for number in range(1, bench.rounds + 1):
        for name in ("pgbench", "pgbench, logged") if number % 2 else ("pgbench, logged", "pgbench"):
            logged, database = name != "pgbench", "statements"
            server.new_database(database)
            if not logged:
                server.run("postgres", f"ALTER DATABASE {database} SET log_statement = 'none'")
            server.run(database, PG_TABLES.format(rows=PG_CLIENTS * PG_ACCOUNTS))
            stream = bench.rowferry(server.uri(database), f"sqlite:{follower}", "--capture", "statements", "--statement-log", os.path.join(server.folder, "statements", "pg.log"), "--scratch", scratch.uri(database))
            if logged:
                sqlite_files.remove(follower)
                scratch.new_database(database)
                Child(stream, log).wait()
            server.checkpoint()
            pgbench = [f"{bin_dir()}/pgbench", "-n", "-f", text, "-c", str(PG_CLIENTS), "-j", "2", "-t", str(each), server.uri(database)]
            result.contestant(name).add(**measure(pgbench, log, leader=server))
            if logged:
                result.contestant("rowferry run").add(**measure(stream, log, leader=server, follower=scratch))
                content = server.run(database, PG_CONTENT)
                if sqlite_files.read(follower, PG_CONTENT) != content or int(content.split()[2]) != each * PG_CLIENTS:
                    raise Failure("the follower is not equal to its leader")
                Child([bench.binary, "drop", server.uri(database), f"sqlite:{follower}", "--scratch", scratch.uri(database)], log).wait()
                scratch.drop_database(database)
            server.drop_database(database)
        bench.said(result, number)
    sqlite_files.remove(follower)
    for what, label in (("seconds", "time"), ("leader_cpu", "the server's CPU")):
        result.notes.append(f"logged / not logged, {label}: {result.median('pgbench, logged', what) / max(result.median('pgbench', what), 1e-3):.2f} ×")
    result.check_memory()
    bench.done(result)
