"""`tenant apply`: whole or nothing, the same again is nothing; and what the warehouse then reads."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.columns import columns
from core.identity_ports import Leads
from core.reference import REFERENCE_TYPES, Connection, LeadPoint
from orchestration.resources.reference import ParquetReference, read_rows
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, protect_table
from orchestration.resources.tenants import TenantsFileError, apply_file
from orchestration.resources.vault import Vault
from orchestration.resources.vault_secrets import Destination, PersonContact

AT = datetime(2026, 11, 1, tzinfo=UTC)
EXAMPLE = Path(__file__).parents[2] / "examples" / "tenants.yaml"
NAMES = (
    "META_APP_SECRET", "WHATSAPP_TOKEN", "RAZORPAY_SECRET", "RAZORPAY_SECRET_OLD", "RAZORPAY_KEY", "GMAIL_TRUST", "GMAIL_CREDENTIAL",
    "CALENDLY_SIGNING_KEY", "CALENDLY_TOKEN", "PLATFORM_SECRET", "CALLBACK_SECRET",
)  # fmt: skip
ENV = {f"ASHA_{name}": f"asha {name}" for name in NAMES} | {
    "ASHA_ALERTS_URL": "https://chat.example/hook/findable",
    "NORDWIND_META_APP_SECRET": "north wind secret",
}

SMALL = """\
version: 1
tenants:
  - id: small
    name: Small
    timezone: UTC
    default_region: IN
    currency: INR
    connections:
      - {id: os, source: platform, account_id: small_feed, verify_secrets: [{file: small.key}], valid_from: 2026-01-01T00:00:00Z}
    calendars:
      - {id: office, timezone: UTC, week: {mon: ["09:00-18:00"]}, valid_from: 2026-01-01T00:00:00Z}
    policies:
      - {calendar: office, valid_from: 2026-01-01T00:00:00Z}
    scoring_weights:
      - {typical_deal_minor: 100, valid_from: 2026-01-01T00:00:00Z}
    credit_rates:
      - {currency: INR, tokens_per_major: 10, valid_from: 2026-01-01T00:00:00Z}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    key = tmp_path / "small.key"
    key.write_bytes(b"first secret\n")
    key.chmod(0o600)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def rows_of(state: State, tenant_id: str) -> list[tuple[object, ...]]:
    with state.psycopg() as connection:
        return connection.execute("select * from ops.reference where tenant_id = %s order by 2, 3, 4", (tenant_id,)).fetchall()


def test_apply_and_apply_again(state: State, vault: Vault) -> None:
    result = apply_file(EXAMPLE, state, vault, AT, ENV)
    assert set(result.applied) == {"asha_homes", "nordwind"}
    assert result.rows == len(rows_of(state, "asha_homes")) + len(rows_of(state, "nordwind"))
    again = apply_file(EXAMPLE, state, vault, AT.replace(month=12), ENV)
    assert (again.applied, again.rows) == ((), 0)
    assert set(again.unchanged) == {"asha_homes", "nordwind"}
    with state.psycopg() as connection:
        assert connection.execute("select applied_at from ops.tenants where tenant_id = 'nordwind'").fetchone() == (AT,)
    # A secret that changed is a change, though the file is the same.
    rotated = apply_file(EXAMPLE, state, vault, AT, ENV | {"NORDWIND_META_APP_SECRET": "new"})
    assert (rotated.applied, rotated.unchanged) == (("nordwind",), ("asha_homes",))
    assert vault.secrets.verify_secrets("whatsapp_main", "nordwind", AT) == [b"new"]


def test_secrets_and_staff_come_back_as_of_a_moment(state: State, vault: Vault) -> None:
    apply_file(EXAMPLE, state, vault, AT, ENV)
    secrets = vault.secrets
    assert secrets.verify_secrets("razorpay_main", "asha_homes", AT) == [b"asha RAZORPAY_SECRET", b"asha RAZORPAY_SECRET_OLD"]
    assert secrets.verify_secrets("razorpay_main", "asha_homes", datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)) == []
    assert secrets.verify_secrets("razorpay_main", "nordwind", AT) == []
    assert secrets.access_token("whatsapp_main", "asha_homes", AT) == b"asha WHATSAPP_TOKEN"
    assert secrets.access_token("razorpay_main", "asha_homes", AT) == b"asha RAZORPAY_KEY"
    assert secrets.access_token("platform", "asha_homes", AT) is None
    alerts = Destination("sales_alerts", "alerts", "https://chat.example/hook/findable", None)
    callback = Destination("operating_system", "callback", "https://os.example.com/hooks/asha", "asha CALLBACK_SECRET")
    assert secrets.destinations("asha_homes", AT) == [callback, alerts]
    assert secrets.destinations("asha_homes", AT, "alerts") == [alerts]
    assert secrets.destination_secret("operating_system", "asha_homes", AT) == b"asha CALLBACK_SECRET"
    assert secrets.person("meera", "asha_homes", AT) == PersonContact("Meera Nair", "meera@asha.example")
    key = ("asha_homes", "razorpay_main", datetime(2026, 1, 1, tzinfo=UTC))
    assert secrets.all_verify_secrets()[key] == (b"asha RAZORPAY_SECRET", b"asha RAZORPAY_SECRET_OLD")


def test_no_table_holds_a_secret_or_a_name_in_the_clear(state: State, vault: Vault) -> None:
    apply_file(EXAMPLE, state, vault, AT, ENV)
    with state.psycopg() as connection:
        tables = connection.execute("select schemaname, tablename from pg_tables where schemaname in ('ops', 'vault')").fetchall()
        for schema, table in tables:
            dump = connection.execute(f"select coalesce(string_agg(t::text, ''), '') from {schema}.{table} t").fetchone()  # type: ignore[arg-type]
            assert dump is not None
            for hidden in ("Meera", "asha.example", "findable", *ENV.values()):
                assert hidden not in dump[0]
                assert hidden.encode().hex() not in dump[0]


def test_a_tenant_gets_a_role_that_sees_only_itself(state: State, vault: Vault) -> None:
    apply_file(EXAMPLE, state, vault, AT, ENV)
    with state.owner() as connection:
        connection.execute("set local role flexoraa_tenant_nordwind")
        assert connection.execute("select distinct tenant_id from ops.reference").fetchall() == [("nordwind",)]


def test_a_bad_file_changes_nothing(state: State, vault: Vault, small: Path) -> None:
    apply_file(small, state, vault, AT, {})
    before = rows_of(state, "small")
    good_and_bad = SMALL.replace("tokens_per_major: 10", "tokens_per_major: 99")
    good_and_bad += SMALL.split("tenants:\n")[1].replace("- id: small", "- id: second").replace("timezone: UTC\n", "timezone: Nowhere\n")
    small.write_text(good_and_bad, encoding="utf-8")
    with pytest.raises(TenantsFileError) as refused:
        apply_file(small, state, vault, AT, {})
    assert "small.yaml:20: tenants[1].timezone: no such time zone: 'Nowhere'" in str(refused.value)
    assert "small.yaml:24: tenants[1].connections[0]: the platform account small_feed is already of tenant small" in str(refused.value)
    assert rows_of(state, "small") == before
    with state.psycopg() as connection:
        assert connection.execute("select from ops.tenants where tenant_id = 'second'").rowcount == 0


def test_an_account_of_a_tenant_that_is_not_in_the_file_cannot_be_taken(state: State, vault: Vault, small: Path) -> None:
    apply_file(small, state, vault, AT, {})
    small.write_text(SMALL.replace("- id: small", "- id: taker"), encoding="utf-8")
    with pytest.raises(TenantsFileError, match="small.yaml:9: .*account small_feed is already of tenant small"):
        apply_file(small, state, vault, AT, {})
    with state.owner() as connection:
        assert connection.execute("select from pg_roles where rolname = 'flexoraa_tenant_taker'").rowcount == 0


@pytest.mark.parametrize(
    "case",
    [(0o644, b"x", "may be read by others"), (0o600, b" \n", "is empty"), (None, b"", "cannot be read: No such file")],
)
def test_secret_files(state: State, vault: Vault, small: Path, case: tuple[int | None, bytes, str]) -> None:
    mode, content, expected = case
    key = small.with_name("small.key")
    key.unlink()
    if mode is not None:
        key.write_bytes(content)
        key.chmod(mode)
    with pytest.raises(TenantsFileError, match=f"small.yaml:9: .*verify_secrets.0.: .*{expected}"):
        apply_file(small, state, vault, AT, {})


def test_a_missing_variable_and_a_missing_file(state: State, vault: Vault, small: Path, tmp_path: Path) -> None:
    small.write_text(SMALL.replace("{file: small.key}", "{env: NOT_SET}"), encoding="utf-8")
    with pytest.raises(TenantsFileError, match="the environment variable NOT_SET is not set"):
        apply_file(small, state, vault, AT, {})
    with pytest.raises(TenantsFileError, match="cannot be read"):
        apply_file(tmp_path / "none.yaml", state, vault, AT, {})


def test_an_address_in_a_secret_is_an_address(state: State, vault: Vault) -> None:
    with pytest.raises(TenantsFileError, match="destinations.0..url: the secret is no address") as refused:
        apply_file(EXAMPLE, state, vault, AT, ENV | {"ASHA_ALERTS_URL": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_the_reference_files(state: State, vault: Vault, settings: Settings) -> None:
    apply_file(EXAMPLE, state, vault, AT, ENV)
    held = LeadPoint(tenant_id="nordwind", point_id="cp_a", lead_id="ld_a", kind="phone", valid_from=AT)
    exporter = ParquetReference(settings, state)
    counts = exporter.export(AT, (date(2026, 11, 2), date(2026, 11, 4)), Leads([held]))
    assert set(counts) == {each.table for each in REFERENCE_TYPES}  # type: ignore[attr-defined]
    for struct in REFERENCE_TYPES:
        table = pq.read_table(settings.reference / f"{struct.table}.parquet")  # type: ignore[attr-defined]
        assert table.column_names == [column.name for column in columns(struct)]
        assert table.num_rows == counts[struct.table]  # type: ignore[attr-defined]
    assert pq.read_table(settings.reference / "run.parquet").to_pylist() == [{"as_of": AT, "known_at": None}]
    opened = [
        (row["opened_at"], row["closed_at"], row["open_seconds_before"])
        for row in pq.read_table(settings.reference / "business_intervals.parquet").to_pylist()
        if row["tenant_id"] == "nordwind"
    ]
    utc = [datetime(2026, 11, day, hour, tzinfo=UTC) for day, hour in ((2, 7), (2, 19), (2, 21), (3, 5), (3, 21), (4, 0))]
    assert opened == [(utc[0], utc[1], 0), (utc[2], utc[3], 43_200), (utc[4], utc[5], 72_000)]
    # Nothing new: not one file is touched. A new moment touches only its own.
    before = {path: path.stat().st_ino for path in settings.reference.iterdir()}
    exporter.export(AT, (date(2026, 11, 2), date(2026, 11, 4)), Leads([held]))
    assert {path: path.stat().st_ino for path in settings.reference.iterdir()} == before
    exporter.export(AT.replace(month=12), (date(2026, 11, 2), date(2026, 11, 4)), Leads([held]))
    assert {path.name for path in settings.reference.iterdir() if path.stat().st_ino != before[path]} == {"run.parquet"}


def test_rows_read_back(state: State, vault: Vault) -> None:
    apply_file(EXAMPLE, state, vault, AT, ENV)
    mine = [each for each in read_rows(state, Connection) if each.tenant_id == "nordwind"]
    assert [(each.account_id, each.valid_from) for each in mine] == [
        (account, datetime(2026, 3, 1, tzinfo=UTC)) for account in ("215589313241560", "215589313241561", "215589313241562")
    ]


def test_an_owner_that_is_no_superuser_is_enough(state: State, vault: Vault, small: Path) -> None:
    with state.owner() as connection:
        connection.autocommit = True
        connection.execute("create role plain_owner login createrole")
        connection.execute("create database plain owner plain_owner")
        # What an administrator does once where another installation of the same server made the shared roles.
        connection.execute("grant flexoraa_service, flexoraa_tenants to plain_owner with admin option")
    own = State(state.libpq_url.replace("flexoraa@/postgres?", "plain_owner@/plain?"))
    try:
        assert own.migrate() is True
        apply_file(small, own, Vault(own, vault._master_key), AT, {})
        with own.psycopg() as connection:
            connection.execute("create table serving.made (tenant_id text not null)")
            protect_table(connection, "serving", "made")
            connection.execute("insert into serving.made values ('small')")
            assert connection.execute("select current_user, tenant_id from serving.made").fetchall() == [("flexoraa_service", "small")]
    finally:
        own.dispose()
