"""The named peer of `benchmarks.ingest`: DuckDB's own typed `read_json` of the same webhooks, unnested and written as Parquet.

It checks no signature, knows no tenant, encrypts nothing. A process of its own. Arguments: `segment` or `bodies`, file, Parquet file.
"""

import json
import sys
import time

import duckdb

_MESSAGE = 'STRUCT("from" VARCHAR, id VARCHAR, "timestamp" VARCHAR, type VARCHAR, text STRUCT(body VARCHAR))'
_CONTACT = "STRUCT(profile STRUCT(name VARCHAR), wa_id VARCHAR)"
_METADATA = "STRUCT(display_phone_number VARCHAR, phone_number_id VARCHAR)"
_VALUE = f"STRUCT(messaging_product VARCHAR, metadata {_METADATA}, contacts {_CONTACT}[], messages {_MESSAGE}[])"
ENTRY = f"STRUCT(id VARCHAR, changes STRUCT(value {_VALUE}, field VARCHAR)[])[]"
_ENTRY_AS_JSON = {
    "id": "VARCHAR",
    "changes": [
        {
            "value": {
                "messaging_product": "VARCHAR",
                "metadata": {"display_phone_number": "VARCHAR", "phone_number_id": "VARCHAR"},
                "contacts": [{"profile": {"name": "VARCHAR"}, "wa_id": "VARCHAR"}],
                "messages": [{"from": "VARCHAR", "id": "VARCHAR", "timestamp": "VARCHAR", "type": "VARCHAR", "text": {"body": "VARCHAR"}}],
            },
            "field": "VARCHAR",
        }
    ],
}
# a line of a segment holds the body as text, byte for byte as it was signed
_SEGMENT = f"""
    select received_at, from_json(body, '{json.dumps({"object": "VARCHAR", "entry": [_ENTRY_AS_JSON]})}').entry as entry
    from read_json('{{path}}', format = 'newline_delimited', columns = {{
        source: 'VARCHAR', received_at: 'TIMESTAMPTZ', headers: 'MAP(VARCHAR, VARCHAR)', body: 'VARCHAR'}})
"""
_BODIES = f"""
    select null::timestamptz as received_at, entry
    from read_json('{{path}}', format = 'newline_delimited', columns = {{object: 'VARCHAR', entry: '{ENTRY}'}})
"""
_COPY = """
copy (
    with bodies as ({read}),
    entries as (select received_at, unnest(entry) as e from bodies),
    changes as (select received_at, e.id as waba_id, unnest(e.changes) as c from entries),
    messages as (
        select received_at, waba_id, c.value.metadata.phone_number_id as number_id, c.value.contacts[1].profile.name as name,
            unnest(c.value.messages) as m
        from changes
    )
    select received_at, waba_id, number_id, m.id as message_id, m."from" as sender, to_timestamp(m."timestamp"::bigint) as occurred_at,
        m.type as message_type, m.text.body as text, name
    from messages
) to '{out}' (format parquet, compression zstd)
"""

if __name__ == "__main__":
    kind, path, out = sys.argv[1:]
    read = {"segment": _SEGMENT, "bodies": _BODIES}[kind].replace("{path}", path)
    with duckdb.connect() as connection:
        started = time.perf_counter()
        (rows,) = connection.execute(_COPY.replace("{read}", read).replace("{out}", out)).fetchone() or (0,)
        print(json.dumps({"seconds": time.perf_counter() - started, "rows": rows}))
