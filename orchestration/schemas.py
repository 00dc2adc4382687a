"""JSON Schemas that others write against: the tenants file and the platform's own feed.

Here belongs what is published under `docs/`; `python -m orchestration.schemas` writes it, a test fails where it is stale. Not here: the
Structs that they are made from.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from core.sources.platform import PlatformEvent
from core.tenancy import json_schema

DOCS = Path(__file__).resolve().parent.parent / "docs"


def schemas() -> dict[str, dict[str, Any]]:
    """Every published schema by its file name."""
    feed = msgspec.json.schema(PlatformEvent)
    title = "One event of the platform's own feed: the body of a webhook, signed with HMAC-SHA256 in X-Flexoraa-Signature"
    return {
        "tenants.schema.json": json_schema(),
        "platform-events.schema.json": {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **feed},
    }


def text_of(schema: dict[str, Any]) -> str:
    """As it stands in the file."""
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    for name, schema in schemas().items():
        (DOCS / name).write_text(text_of(schema), encoding="utf-8")
