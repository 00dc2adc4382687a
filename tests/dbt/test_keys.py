"""The key macro against its Python twin and fixed vectors."""

import duckdb

from core.actions import key_of

VECTORS = {
    (
        "a",
        None,
        "bc",
    ): "1e82d3a807e6bb511244cc6534f388a13f40e5c646e9e2072e9b7eb98b1cd55e",
    ("a-b", "c"): "8113510dd55cfcfdba46cf49f1cbb9c5dac3a98e8845c848c0544f1f3940ef04",
    ("é", ""): "f48aa107ce279182a70c763fad46fd34c1678a6f48ab90aba1b4d4a95abc0f87",
}


def test_vectors() -> None:
    assert {parts: key_of(*parts) for parts in VECTORS} == VECTORS


def test_encoding_in_sql() -> None:
    part = "coalesce(cast(strlen(p[{0}]) as text) || ':' || p[{0}], '-')"
    for parts, expected in VECTORS.items():
        encoded = " || ".join(part.format(number + 1) for number in range(len(parts)))
        with duckdb.connect() as connection:
            found = connection.execute(f"select sha256({encoded}) from (select ? as p)", [list(parts)]).fetchall()
        assert found == [(expected,)]


def test_ids_of_the_marts(built: duckdb.DuckDBPyConnection) -> None:
    rows = built.execute("select action_id, tenant_id, rule, subject, trigger from marts.act_requests").fetchall()
    assert rows
    assert all(row[0] == key_of(*row[1:]) for row in rows)
    for transaction, tenant, payment in built.execute(
        "select distinct transaction_id, tenant_id, payment_id from marts.fct_token_ledger where kind = 'credit'"
    ).fetchall():
        assert transaction == key_of(tenant, "credit", payment)
