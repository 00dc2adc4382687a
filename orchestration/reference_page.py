"""The configuration reference: `docs/configuration.md`, made from the settings and the tenants file's schema.

Here belongs writing that page (`python -m orchestration.reference_page`); a test fails where it is stale. Not here: what settings mean.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.resources.settings import SETTINGS_FILE, VARIABLES, Settings
from orchestration.schemas import DOCS, schemas

PAGE = DOCS / "configuration.md"

_MEANING: Mapping[str, str] = {
    "FLEXORAA_HOME": "folder of the installation; one folder is one installation",
    "FLEXORAA_ENGINE": "where the warehouse is: `duckdb`, `postgres` or `spark`",
    "FLEXORAA_MASTER_KEY": "32 bytes in base64, under which all keys are wrapped; else `secrets/master.key` in the home, made once",
    "FLEXORAA_WHATSAPP_URL": "Meta's Graph API, for sending",
    "FLEXORAA_GOOGLE_KEYS_URL": "Google's public keys, for pushes",
    "FLEXORAA_GOOGLE_TOKEN_URL": "where Google's access tokens are made",
    "FLEXORAA_GMAIL_URL": "the Gmail API",
    "FLEXORAA_GMAIL_POLL_SECONDS": "how often a mailbox is looked at",
    "FLEXORAA_GMAIL_SYNC_DAYS": "how far back a mailbox is listed where its history is too old",
    "FLEXORAA_RAZORPAY_URL": "the Razorpay API",
    "FLEXORAA_CALENDLY_URL": "the Calendly API",
    "FLEXORAA_PULL_PER_SECOND": "requests a second to one account",
    "FLEXORAA_PULL_SECONDS": "how long one request is tried",
    "FLEXORAA_HTTP_CONNECT_SECONDS": "how long connecting may take",
    "FLEXORAA_HTTP_READ_SECONDS": "how long writing, and each part of an answer, may take",
    "FLEXORAA_SPARK_MASTER": "where Spark runs: `local[2]` or `spark://host:7077`",
    "FLEXORAA_SPARK_MEMORY": "memory of Spark's driver",
    "FLEXORAA_DUCKDB_MEMORY": "memory of DuckDB while it builds; else 4 GB, or half of a smaller machine's",
    "FLEXORAA_DUCKDB_THREADS": "threads of DuckDB; else one a core",
    "FLEXORAA_LAKE_FILE_MB": "size of merged files of the lake, in MB",
    "FLEXORAA_SIGNALS": "whether messages are read (`on`, `off`)",
    "FLEXORAA_SIGNALS_URL": "a language model that reads messages of the tenants named next, in place of the shipped models",
    "FLEXORAA_SIGNALS_TENANTS": "tenants, with commas, whose messages may go out to it",
    "FLEXORAA_SIGNALS_TOKEN": "its bearer token",
    "FLEXORAA_DONE_DAYS": "how long raw segments are kept after they were taken in, in days",
    "FLEXORAA_OPERATIONS_TENANT": "the tenant whose people are told of failed runs",
    "FLEXORAA_DRY_RUN": "yes: nothing is sent, and what is due stays requested",
    "FLEXORAA_DAGSTER_URL": "where pages link to Dagster's UI; `flexoraa up` sets it to its own",
    "FLEXORAA_REPORTS_URL": "where Dagster links to pages; `flexoraa up` sets it to its own",
    "FLEXORAA_AUDIT_WITNESS": "a file outside the home to which each day's roots of the audit log are appended",
    "FLEXORAA_ERASURE_LOG": "where it is noted who was erased, best on another machine's disk; else `erasures.ndjson` in the home",
    "FLEXORAA_OLD_MASTER_KEY": "for `flexoraa key rotate` alone, where the environment has the master key: the one until now",
    "DATABASE_URL": "a PostgreSQL ≥ 15 in place of the embedded one; `postgresql://…`",
}


def page() -> str:
    """The whole page."""
    return "\n".join([*_settings(), *_tenants()]).rstrip() + "\n"


def _settings() -> Iterator[str]:
    yield "# Configuration"
    yield ""
    yield "Made by `python -m orchestration.reference_page`; do not edit it by hand."
    yield ""
    yield "## Settings of an installation"
    yield ""
    yield f"Variables of the environment, or lines `NAME=value` of `{SETTINGS_FILE}` in the home (all but `FLEXORAA_HOME`);"
    yield "the environment wins. An unknown one that begins with `FLEXORAA_` is refused with the nearest that there is."
    yield ""
    yield "| variable | default | meaning |"
    yield "| --- | --- | --- |"
    defaults = {each.name: each.default for each in dataclasses.fields(Settings)}
    for name in (*VARIABLES, "DATABASE_URL"):
        default = defaults.get(name.removeprefix("FLEXORAA_").lower())
        is_said = default not in {None, dataclasses.MISSING, "", 0}
        shown = (f"`{default:g}`" if isinstance(default, float) else f"`{default}`") if is_said else ""
        yield f"| `{name}` | {'`.flexoraa`' if name == 'FLEXORAA_HOME' else shown or '–'} | {_meaning(name)} |"
    yield ""


def _meaning(name: str) -> str:
    """What is said of it here, else its name in words: a new setting shows at once."""
    return _MEANING.get(name, name.removeprefix("FLEXORAA_").lower().replace("_", " "))


def _tenants() -> Iterator[str]:
    schema = schemas()["tenants.schema.json"]
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    yield "## The tenants file"
    yield ""
    yield "`flexoraa tenant apply FILE`, YAML; `examples/tenants.yaml` is a whole one, `docs/tenants.schema.json` its JSON Schema for"
    yield "editors. Ranges are half-open: `valid_from` belongs to them, `valid_to` does not. A file with any mistake is refused whole, with"
    yield "each place."
    for name, definition in definitions.items():
        properties: Mapping[str, Any] = definition.get("properties", {})
        if not properties:
            continue
        yield ""
        yield f"### {name}"
        yield ""
        if definition.get("description"):
            yield " ".join(str(definition["description"]).split())
            yield ""
        yield "| field | type | default | must |"
        yield "| --- | --- | --- | --- |"
        required = set(definition.get("required", ()))
        for field, one in properties.items():
            default = f"`{_cell(one['default'])}`" if "default" in one else "–"
            yield f"| `{field}` | {_type(one)} | {default} | {'yes' if field in required else 'no'} |"


def _type(one: Mapping[str, Any]) -> str:
    if "$ref" in one:
        return str(one["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in one:
        return " or ".join(_type(each) for each in one["anyOf"])
    if "enum" in one:
        return ", ".join(f"`{each}`" for each in one["enum"])
    if one.get("type") == "array":
        return f"list of {_type(one.get('items', {}))}"
    limits = [f"{word} {one[key]}" for key, word in (("minimum", "≥"), ("maximum", "≤"), ("exclusiveMinimum", ">")) if key in one]
    kind = str(one.get("format") or one.get("type") or "any")
    return f"{kind} {' '.join(limits)}".strip()


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
