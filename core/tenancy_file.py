"""The tenants file from YAML text: every problem of shape with its line, and as much of the file as can be understood.

Here belongs the way from text to Structs. PyYAML only composes nodes, which know their lines; nothing is ever constructed from
tags. Not here: rules that span several fields (`tenancy_checks`).
"""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgspec
import yaml
from msgspec import Meta, Struct

from core.tenancy import SecretRef, Tenant, TenantsFile

Path = tuple[str | int, ...]

_AT = re.compile(r" - at `[^`]*`$")
_DROP: Any = object()


class Problem(NamedTuple):
    """One thing that is wrong: the line, where in the file (`tenants[0].connections[1].source`), and why."""

    line: int
    where: str
    reason: str

    def text(self, file_name: str) -> str:
        """As compilers write it."""
        return f"{file_name}:{self.line}: {self.where + ': ' if self.where else ''}{self.reason}"


@dataclass
class Reading:
    """What was understood: `tenants` by index, without the parts that are wrong; `partial` names the sections that lost some."""

    problems: list[Problem] = field(default_factory=list)
    tenants: dict[int, Tenant] = field(default_factory=dict)
    partial: set[Path] = field(default_factory=set)
    lines: dict[Path, int] = field(default_factory=dict)

    def add(self, path: Path, reason: str) -> None:
        """Note a problem at the line of `path`, or of the nearest part above it that has one."""
        place = path
        while place and place not in self.lines:
            place = place[:-1]
        self.problems.append(Problem(self.lines.get(place, 1), where(path), reason))


def where(path: Path) -> str:
    """A path as people write it.

    >>> where(("tenants", 0, "connections", 1, "source"))
    'tenants[0].connections[1].source'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def read(text: str) -> Reading:
    """Read the text of a tenants file; never raises for what is in it."""
    reading = Reading()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        reading.problems.append(Problem(line, "", f"not YAML: {error.problem}"))
        return reading
    except yaml.YAMLError as error:
        reading.problems.append(Problem(1, "", f"not YAML: {error}"))
        return reading
    if root is None:
        reading.problems.append(Problem(1, "", "the file is empty"))
        return reading
    value = _plain(root, (), reading, ())
    _convertible(value, TenantsFile, (), reading)
    tenants = value.get("tenants") if isinstance(value, dict) else None
    for index, each in enumerate(tenants if isinstance(tenants, list) else ()):
        tenant = _convertible(each, Tenant, ("tenants", index), Reading(lines=reading.lines))
        if tenant is not _DROP:
            reading.tenants[index] = msgspec.convert(tenant, Tenant)
    return reading


def _plain(node: yaml.Node, path: Path, reading: Reading, above: tuple[int, ...]) -> Any:
    """A node as plain values; the lines of all parts go into `reading`."""
    reading.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in above:
        reading.add(path, "an alias of a part that contains it")
        return None
    above = (*above, id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, (*path, index), reading, above) for index, each in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    mapping: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value)
        if name in mapping:
            reading.lines[*path, name] = key.start_mark.line + 1
            reading.add((*path, name), "this field is here twice")
            continue
        reading.lines[*path, name] = key.start_mark.line + 1
        mapping[name] = _plain(value, (*path, name), reading, above)
    return mapping


def _scalar(node: yaml.Node) -> Any:
    """Numbers, booleans and null by YAML's tags; everything else, dates included, stays text for msgspec to read."""
    text = str(node.value)
    try:
        match node.tag.rpartition(":")[2]:
            case "null":
                return None
            case "bool":
                return text.lower() in {"true", "yes", "on"}
            case "int":
                return int(text.replace("_", ""), 10)
            case "float":
                return float(text.replace("_", ""))
    except ValueError:  # 0x1F, 1:30 and other spellings of YAML 1.1 that nobody means here
        return text
    return text


def _convertible(value: Any, hint: Any, path: Path, reading: Reading) -> Any:
    """`value` without its wrong parts, each noted; `_DROP` where what is left cannot be converted."""
    before = len(reading.problems)
    inner = _arm(hint, value)
    kept = value
    if isinstance(inner, type) and issubclass(inner, Struct) and isinstance(value, dict):
        kept = _convertible_fields(value, inner, path, reading)
    elif typing.get_origin(inner) in {list, tuple} and isinstance(value, list):
        item = typing.get_args(inner)[0]
        every = [_convertible(each, item, (*path, index), reading) for index, each in enumerate(value)]
        kept = [each for each in every if each is not _DROP]
        if len(kept) < len(every):
            reading.partial.add(path)
    if kept is _DROP:
        return _DROP
    try:
        msgspec.convert(kept, hint)
    except msgspec.ValidationError as error:
        if len(reading.problems) == before:
            reading.add(path, _reason(_AT.sub("", str(error)), value, hint))
        return _DROP
    return kept


def _convertible_fields(value: Mapping[str, Any], struct: type[Struct], path: Path, reading: Reading) -> Any:
    hints = typing.get_type_hints(struct, include_extras=True)
    required = {each.encode_name for each in msgspec.structs.fields(struct) if each.required}
    for name in value:
        if name not in hints:
            near = difflib.get_close_matches(name, hints, n=1, cutoff=0.0)[0]
            reading.add((*path, name), f"no such field; did you mean {near}? (all: {', '.join(hints)})")
    for name in sorted(required - value.keys()):
        reading.add(path, f"the field {name} is missing")
    kept = {name: _convertible(each, hints[name], (*path, name), reading) for name, each in value.items() if name in hints}
    if any(kept.get(name, _DROP) is _DROP for name in required):
        return _DROP
    return {name: each for name, each in kept.items() if each is not _DROP}


def _arm(hint: Any, value: Any) -> Any:
    """The part of a type that fits the look of `value`: Annotated and Optional are seen through."""
    if typing.get_origin(hint) is typing.Annotated:
        return _arm(typing.get_args(hint)[0], value)
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        arms = [_arm(each, value) for each in typing.get_args(hint)]
        structs = [each for each in arms if isinstance(each, type) and issubclass(each, Struct)]
        others = [each for each in arms if each not in structs and each is not type(None)]
        return structs[0] if structs and (isinstance(value, dict) or not others) else others[0]
    return hint


def _reason(message: str, value: Any, hint: Any) -> str:
    """The message of msgspec with what to do about it."""
    inner = _arm(hint, value)
    if typing.get_origin(inner) is Literal:
        allowed = [str(each) for each in typing.get_args(inner)]
        near = difflib.get_close_matches(str(value), allowed, n=1)
        return f"{value!r} is none of {', '.join(allowed)}" + (f"; did you mean {near[0]}?" if near else "")
    if message.startswith("Expected `str`, got `") and isinstance(value, (int, float, bool)):
        return f"{message}: put it in quotes"
    if "datetime" in message:
        return f"{message}: write it like 2026-01-01T00:00:00Z"
    if inner is SecretRef:
        return "a secret is never written here, only where it is: {env: NAME} or {file: PATH}"
    return f"{message}{_described(hint)}"


def _described(hint: Any) -> str:
    notes: Iterable[Any] = typing.get_args(hint)[1:] if typing.get_origin(hint) is typing.Annotated else ()
    return "".join(f" ({each.description})" for each in notes if isinstance(each, Meta) and each.description)
