"""SQLite databases of the benchmark: their table, their rows as COPY's text format for the bare loops, and files that come and go."""
import os
import shutil
import sqlite3
import subprocess

ITEM_TABLE = """CREATE TABLE items (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL, note TEXT,
  amount INTEGER NOT NULL, created TEXT NOT NULL, active INTEGER NOT NULL)"""
ITEM_TEXT = "SELECT id, customer, kind, name, note, amount, created, active FROM items ORDER BY id"
_STEP = 15485863


def row(n, amount=0, note=None):
    if note is None:
        note = "\\N" if n % 10 == 0 else f"{n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128):032x}"
    created = f"2026-{1 + n // 2419200 % 12:02}-{1 + n // 86400 % 28:02} {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}"
    return f"{n}\t{n * 7919 % 100003}\t{n % 50}\titem number {n}\t{note}\t{n % 1000000 + amount}\t{created}\t{int(n % 3 != 0)}\n"


def write_rows(path, count):
    """Rows 1 to count, in the order of the key."""
    with open(path, "w", encoding="ascii") as file:
        file.writelines(row(n) for n in range(1, count + 1))


def write_updates(path, changes, rows, number):
    """Every key at most once, far from each other, with other values."""
    with open(path, "w", encoding="ascii") as file:
        file.writelines(row(1 + (number * 1000003 + k) * _STEP % rows, number, f"changed in round {number}") for k in range(changes))


def create(path, tool, rows_path=None):
    """A new file in WAL mode with the table, and with the rows of a file."""
    remove(path)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(ITEM_TABLE)
    db.close()
    if rows_path is not None:
        with open(rows_path, "rb") as rows:
            subprocess.run([tool, path, "insert", "items", "100000", "PRAGMA synchronous = OFF"], stdin=rows, timeout=600, check=True)


def run(path, sql):
    subprocess.run(["sqlite3", "-bail", path, sql], stdout=subprocess.DEVNULL, timeout=600, check=True)


def read(path, sql):
    return subprocess.run(["sqlite3", "-bail", "-readonly", path, sql], capture_output=True, text=True, timeout=600, check=True).stdout.strip()


def remove(path):
    for suffix in ("", "-wal", "-shm", "-journal"):
        if os.path.exists(path + suffix):
            os.remove(path + suffix)
    shutil.rmtree(path + "-rowferry", ignore_errors=True)  # what a stream of its log keeps beside a leader


def checkpoint(path):
    """Everything into the file itself, so that it can be copied, and written to disk, so that this is not paid for by the next measurement."""
    run(path, "PRAGMA wal_checkpoint(TRUNCATE)")


def copy(path, to):
    remove(to)
    checkpoint(path)
    shutil.copyfile(path, to)
