"""A PostgreSQL of one's own in the place of the embedded one; and a look at an earlier moment, which has no effect."""

import tempfile
from pathlib import Path

import psycopg

from orchestration.resources.postgres import EmbeddedPostgres
from tests.e2e.conftest import END_AT, WARNED, flexoraa

PASSWORD = "not-for-any-file"


def test_a_server_of_ones_own_needs_no_superuser_and_an_earlier_moment_is_only_built() -> None:
    with tempfile.TemporaryDirectory(prefix="flexoraa-url-") as folder:
        server, home, traffic = (Path(folder) / name for name in ("server", "home", "traffic"))
        for part in ("state", "logs"):
            (server / part).mkdir(parents=True)
        with EmbeddedPostgres(server) as postgres:
            with psycopg.connect(postgres.libpq_url(), autocommit=True) as connection:
                connection.execute(f"create role platform login createrole password '{PASSWORD}'")
                connection.execute("create database platform owner platform")
            url = postgres.libpq_url().replace("flexoraa@/postgres", f"platform:{PASSWORD}@/platform")
            env = {"DATABASE_URL": url}
            assert flexoraa("simulate", "--out", traffic, "--tenants", "1", "--leads", "10", "--quiet").code == 0
            applied = flexoraa("tenant", "apply", traffic / "tenants.yaml", "--home", home, **env)
            assert applied.code == 0, applied.err
            for segment in (traffic / "inbox").iterdir():
                segment.rename(home / "inbox" / segment.name)
            ran = flexoraa("run", "--as-of", END_AT, "--home", home, "--quiet", **env)
            assert ran.code in {0, 3}, ran.err
            assert ran.json()["marts"]["dim_leads"] > 0
            assert ran.json()["note"] == ""
            earlier = flexoraa("run", "--as-of", "2026-11-19T12:00:00Z", "--home", home, "--quiet", **env)
            assert earlier.code == 3, earlier.err
            assert earlier.json()["checks_failed"] == [WARNED]
            assert earlier.json()["note"].startswith("nothing was published or sent: 2026-11-20T12:00:00.000000Z was published already")
            assert earlier.json()["actions"] == {}
            with psycopg.connect(postgres.libpq_url().replace("/postgres", "/platform", 1)) as connection:
                schemas = {row[0] for row in connection.execute("select distinct schemaname from pg_tables").fetchall()}
            assert {"ops", "vault", "serving", "dagster"} <= schemas
        assert not (home / "state").exists()
        files = [path for path in home.rglob("*") if path.is_file()]
        assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []
