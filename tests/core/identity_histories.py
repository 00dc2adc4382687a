"""Random histories for identity, and what the lake would tell of them. Not here: what should follow (`tests.oracles.identity`)."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from core.identity import Resolution, resolve
from core.identity_evidence import Decision, Strengths, change_id, pair_id
from core.identity_holders import Link, Sighting
from orchestration.resources.identity import read_strengths
from tests.oracles.identity import CHANGES, Decided, Said, at

STRENGTHS = Strengths(read_strengths())
POINTS = ("cp_a", "cp_b", "cp_c", "cp_d", "cp_e")
KINDS = dict.fromkeys((*POINTS, "cp_z"), "phone")
SOME = ("message", "message", "payment", "linked", "linked", "number_changed", "number_changed", "user_id_changed")


def inputs(history: Iterable[Said]) -> tuple[list[Sighting], list[Link]]:
    """What the lake tells of a history: see `FolderLake.sightings` and `FolderLake.links`."""
    first: dict[tuple[str, str], datetime] = {}
    signs: dict[tuple[str, str], set[datetime]] = defaultdict(set)
    links = []
    for said in sorted(history, key=lambda each: each.minute):
        named = [said.other] if said.kind in CHANGES else [said.point, said.other]
        for point in filter(None, named):
            first.setdefault((said.tenant, point), at(said.minute))
            if said.kind in {"message", "linked"}:
                signs[said.tenant, point].add(at(said.minute))
        if said.other:
            links.append(link_of(said))
    return [Sighting(*key, moment, tuple(sorted(signs[key]))) for key, moment in first.items()], links


def link_of(said: Said) -> Link:
    """The evidence that it is."""
    return Link(said.tenant, said.kind, said.point, said.other, at(said.minute), "whatsapp")


def decisions(words: Sequence[Decided]) -> list[Decision]:
    """As the journal keeps them."""
    made = []
    for number, word in enumerate(words, 1):
        if isinstance(word.about, Said):
            ends, link_id = (word.about.point, word.about.other), change_id(link_of(word.about))
        else:
            ends, link_id = word.about, pair_id(word.tenant, *word.about)
        made.append(Decision(number, word.tenant, link_id, word.verdict, *ends, at(word.minute)))  # type: ignore[arg-type]
    return made


def resolved(history: Iterable[Said], words: Sequence[Decided] = ()) -> Resolution:
    """The leads of a history."""
    sightings, links = inputs(history)
    return resolve(sightings, links, KINDS, STRENGTHS, decisions(words))


def found(resolution: Resolution) -> set[tuple[object, ...]]:
    """In the oracle's form."""
    return {(row.tenant_id, row.point_id, row.valid_from, row.valid_to, row.lead_id) for row in resolution.points}


def written(resolution: Resolution) -> bytes:
    """Every row that the warehouse reads of it, byte by byte."""
    return msgspec.json.encode([resolution.points, resolution.aliases, resolution.links])


def random_said(rng: random.Random, minute: int, tenants: Sequence[str] = ("t",)) -> Said:
    """One more thing that is said."""
    kind, tenant = rng.choice(SOME), rng.choice(tenants)
    one, other = rng.sample(POINTS, 2)
    return Said(kind, one, "" if kind in {"message", "payment"} else other, minute, tenant)
