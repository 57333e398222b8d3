"""Every privilege that anybody but the owner has, against the matrix written down.

tests/data/privileges.txt has a line for each object and role. A change of rights, or a
new table, view or function, is a change of that file, and is looked at as such.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from opseer_common.bootstrap import LOGIN_ROLES, SERVICE_ROLE
from opseer_common.database import Connection
from opseer_common.testing.servers import FreshDatabase

WRITTEN = Path(__file__).parents[1] / "data" / "privileges.txt"
SCHEMAS = ["gateway", "collector", "mrr", "notifier", "opseer", "public"]
OUR_ROLES = frozenset({*LOGIN_ROLES, SERVICE_ROLE})
ORDER = ("USAGE", "CREATE", "EXECUTE", "SELECT", "INSERT", "UPDATE", "DELETE")
GRANTED = """
    WITH object AS (
        SELECT 'schema ' || nspname AS name, nspname AS schema, nspowner AS owner,
               coalesce(nspacl, acldefault('n', nspowner)) AS acl, '' AS part
        FROM pg_namespace
        UNION ALL
        SELECT CASE relkind WHEN 'v' THEN 'view ' WHEN 'S' THEN 'sequence '
                   ELSE 'table ' END || nspname || '.' || relname, nspname, relowner,
               coalesce(relacl, acldefault(
                   CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)), ''
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        UNION ALL
        SELECT CASE relkind WHEN 'v' THEN 'view ' ELSE 'table ' END
                   || nspname || '.' || relname, nspname, relowner, attacl,
               '(' || attname || ')'
        FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
        JOIN pg_namespace n ON n.oid = relnamespace
        WHERE attacl IS NOT NULL AND NOT attisdropped
        UNION ALL
        SELECT 'function ' || p.oid::regprocedure::text, nspname, proowner,
               coalesce(proacl, acldefault('f', proowner)), ''
        FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace)
    SELECT name, CASE grantee WHEN 0 THEN 'everybody' ELSE
               pg_get_userbyid(grantee) END AS role, privilege_type || part AS right
    FROM object, aclexplode(acl)
    WHERE schema = ANY($1) AND grantee <> owner
    """


@pytest.fixture
async def admin(database: FreshDatabase) -> AsyncIterator[Connection]:
    """Return the administrator's connection, to read the catalog."""
    connection = await asyncpg.connect(database.admin_url)
    yield connection
    await connection.close()


def place(right: str) -> tuple[int, str]:
    """Return where a right stands in its line."""
    name = right.partition("(")[0]
    return (ORDER.index(name) if name in ORDER else len(ORDER), right)


def folded(rights: set[str]) -> str:
    """Return rights as a line has them: columns of one right together."""
    columns: dict[str, list[str]] = defaultdict(list)
    for right in sorted(rights, key=place):
        name, _, column = right.rstrip(")").partition("(")
        columns[name].extend([column] if column else [])
    return ", ".join(
        f"{name} ({' '.join(found)})" if found else name
        for name, found in columns.items()
    )


async def granted(admin: Connection) -> list[str]:
    """Return the matrix of the database."""
    rights: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in await admin.fetch(GRANTED, SCHEMAS):
        rights[row["name"], row["role"]].add(row["right"])
    return [
        f"{of} | {role} | {folded(one)}" for (of, role), one in sorted(rights.items())
    ]


async def test_the_matrix_is_the_one_that_is_written_down(admin: Connection) -> None:
    """Rule: nobody has a privilege that the file does not name, nor lacks one."""
    found = await granted(admin)
    written = WRITTEN.read_text("utf-8").splitlines()
    gone = [line for line in written if line not in found]
    new = [line for line in found if line not in written]
    assert (gone, new) == ([], []), "\n".join(["found:", *found])


async def test_only_our_roles_have_any(admin: Connection) -> None:
    """Rule: nothing of ours is open to everybody, but what is said here."""
    lines = [line.split(" | ") for line in await granted(admin)]
    others = {(of, rights) for of, role, rights in lines if role not in OUR_ROLES}
    assert others == {
        ("function opseer.me()", "EXECUTE"),
        ("function opseer.wake_relay()", "EXECUTE"),
    }


async def test_nobody_may_change_what_there_is(admin: Connection) -> None:
    """Rule: no service truncates, references or has triggers; none makes an object."""
    lines = [line.split(" | ") for line in await granted(admin)]
    rights = {right for _, _, found in lines for right in found.split(", ")}
    heads = {right.partition(" ")[0] for right in rights}
    assert heads == {"USAGE", "EXECUTE", "SELECT", "INSERT", "UPDATE", "DELETE"}


async def test_the_sealed_key_is_written_and_never_read(admin: Connection) -> None:
    """Rule: of everybody who may touch `config`, the service role alone reads it."""
    readers = await admin.fetch(
        """
        SELECT rolname FROM pg_roles r
        WHERE NOT rolsuper AND rolname LIKE 'opseer\\_%' AND has_column_privilege(
            r.oid, 'gateway.opseer_user_integration', 'config', 'SELECT')
          AND NOT pg_has_role(r.oid, (SELECT relowner FROM pg_class WHERE oid =
              'gateway.opseer_user_integration'::regclass), 'USAGE')
        """
    )
    assert [row["rolname"] for row in readers] == [SERVICE_ROLE]


async def test_every_policy_is_by_account(admin: Connection) -> None:
    """Rule: a policy lets a service at the rows of opseer.me() alone."""
    rows = await admin.fetch(
        """
        SELECT polrelid::regclass::text AS name, polname,
               pg_get_expr(polqual, polrelid) AS seen,
               pg_get_expr(polwithcheck, polrelid) AS written,
               polpermissive AND polcmd = '*' AS whole
        FROM pg_policy WHERE NOT polroles = ARRAY[(SELECT relowner FROM pg_class
            WHERE oid = polrelid)]
        """
    )
    of_account = "(account_id = opseer.me())"
    assert len(rows) > 20
    for row in rows:
        found = (row["polname"], row["seen"], row["written"], row["whole"])
        assert found == ("tenant", of_account, of_account, True), row["name"]
