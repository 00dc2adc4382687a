"""The configuration reference: `docs/configuration.md`, made from the settings and the tenants file's schema.

Here belongs writing that page (`python -m orchestration.reference_page`); a test fails where it is stale. Not here: what settings mean.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.resources.settings import SETTINGS_FILE, Settings
from orchestration.resources.variables import TABLE
from orchestration.schemas import DOCS, schemas

PAGE = DOCS / "configuration.md"


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
    yield "| variable | meaning | default | example |"
    yield "| --- | --- | --- | --- |"
    defaults = {each.name: each.default for each in dataclasses.fields(Settings)}
    for name, variable in TABLE.items():
        default = defaults.get(name.removeprefix("FLEXORAA_").lower())
        is_said = isinstance(default, str | int | float) and default not in {"", 0}
        shown = (f"`{default:g}`" if isinstance(default, float) else f"`{default}`") if is_said else "none"
        yield f"| `{name}` | {_cell(variable.meaning)} | {variable.default or shown} | `{_cell(variable.example)}` |"
    yield ""


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
