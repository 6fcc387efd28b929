"""Whether a follower holds exactly the leader's rows, by what the databases themselves say: a wrong result is never a fast one."""
import hashlib
import os
import subprocess

from kit.failure import Failure


def of_postgresql(server, database, tables):
    """For every table its count of rows and a sum of hashes over whole rows, whatever their order."""
    each = [f"SELECT '{table}', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} AS t" for table in tables]
    return server.run(database, " UNION ALL ".join(each) + " ORDER BY 1")


def require_equal(leader, follower, what):
    if leader == follower:
        return
    lines = [f"  leader   {there}\n  follower {here}" for there, here in zip(leader.splitlines(), follower.splitlines()) if there != here]
    raise Failure(f"{what}: THE FOLLOWER IS NOT EQUAL TO THE LEADER (table|rows|checksum)\n" + "\n".join(lines or [leader, follower]))


def text_digest(command, what, environment=None):
    """Count of lines and digest of what a program prints: the rows of a table in the order of their key."""
    digest, lines = hashlib.sha256(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd="/", env={**os.environ, **(environment or {})}) as program:
        for block in iter(lambda: program.stdout.read(1 << 20), b""):
            digest.update(block)
            lines += block.count(b"\n")
    if program.returncode != 0:
        raise Failure(f"{what}: exit code {program.returncode} of {command[0]}")
    return f"{what}|{lines}|{digest.hexdigest()[:16]}"


def postgresql_text(server, database, query, what):
    return text_digest(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "FETCH_COUNT=20000", "-d", server.uri(database), "-c", query], what, {"PGTZ": "UTC"})


def sqlite_text(path, query, what):
    return text_digest(["sqlite3", "-bail", "-readonly", "-list", "-separator", "|", path, query], what)
