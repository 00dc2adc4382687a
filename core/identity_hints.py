"""Weak evidence: what two leads share that many people share, and the suggestions that follow from it.

Here belongs what a name or an address is compared by, and which pairs of leads a person is asked about. Names live in memory only; what
leaves this module says which holders and why, never the words. Not here: decrypting them (`assets.identity`), what it is worth
(`core.identity_evidence`).
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import combinations
from typing import NamedTuple

from core.identity import Edge, Resolution
from core.identity_evidence import Strengths, pair_id
from core.identity_holders import Holder

_TITLES = frozenset(("mr", "mrs", "ms", "miss", "dr", "prof", "sri", "shri", "smt", "kumari", "sir", "madam", "ji", "bhai"))
_SHARED_MAILBOXES = frozenset(
    (
        "info",
        "sales",
        "admin",
        "contact",
        "hello",
        "office",
        "support",
        "mail",
        "enquiry",
        "enquiries",
        "inquiry",
        "accounts",
        "billing",
        "team",
    )
)
_LEAST_WORDS = 2  # one word is a first name: thousands share it
_LEAST_LETTERS = 5  # of an address before its @


class Told(NamedTuple):
    """A name or an e-mail address that was told of a point at a moment; in memory only."""

    tenant_id: str
    point_id: str
    text: str
    told_at: datetime


class Trait(NamedTuple):
    """What holders are compared by: those with equal `kind` and `key` share something, if their `side` differs or is empty."""

    tenant_id: str
    kind: str
    key: str
    point_id: str
    told_at: datetime
    side: str = ""


class Suggestion(NamedTuple):
    """Two leads that may be one person. `link_id` is that of the link which accepting makes; `score` 0 to 1."""

    tenant_id: str
    link_id: str
    lead_id: str
    other_lead_id: str
    one: Holder
    other: Holder
    evidence: tuple[str, ...]
    score: float


def words_of(name: str) -> tuple[str, ...]:
    """A name's words in any order: letters of any script, without case, accents, titles, signs and pictures.

    >>> words_of("Dr. Ásha  RAO 🌸"), words_of("rao asha"), words_of("आशा राव")
    (('asha', 'rao'), ('asha', 'rao'), ('आशा', 'राव'))
    """
    plain = unicodedata.normalize("NFKD", name).casefold()
    # Marks of Latin letters are accents; those of other scripts are vowels, and belong to the word.
    kept = "".join(each for each in plain if not (unicodedata.combining(each) and ord(each) < 0x0370))
    words = re.split(r"[^\w\u0900-\u0DFF]+|[\d_]+", unicodedata.normalize("NFC", kept))
    return tuple(sorted(word for word in words if word and word not in _TITLES))


def traits(names: Iterable[Told], emails: Iterable[Told]) -> Iterator[Trait]:
    """What names and addresses can be compared by; short and shared ones give nothing."""
    for tenant_id, point_id, text, told_at in names:
        words = words_of(text)
        if len(words) >= _LEAST_WORDS:
            yield Trait(tenant_id, "same_name", " ".join(words), point_id, told_at)
            yield Trait(tenant_id, "name_in_email", " ".join(words), point_id, told_at, "name")
    for tenant_id, point_id, text, told_at in emails:
        local = text.rpartition("@")[0].partition("+")[0].casefold()
        if local in _SHARED_MAILBOXES or len(local) < _LEAST_LETTERS:
            continue
        yield Trait(tenant_id, "same_email_name", local, point_id, told_at)
        words = words_of(local)
        if len(words) >= _LEAST_WORDS:
            yield Trait(tenant_id, "name_in_email", " ".join(words), point_id, told_at, "email")


def suggest(resolution: Resolution, shared: Iterable[Trait], strengths: Strengths) -> list[Suggestion]:
    """Pairs of leads that weak evidence speaks for and on which nobody has decided, best first.

    Scores of several kinds of evidence combine as independent chances: 1 − (1 − a)(1 − b). A trait that k leads share counts 1 / (k − 1)
    for each pair of them. A pair is named by its oldest two holders among those that the evidence names.
    """
    found: dict[tuple[str, str, str], list[Edge]] = defaultdict(list)
    for each in [*(edge for edge in resolution.edges if edge.strength == "weak"), *_shared(resolution, shared, strengths)]:
        leads = sorted((resolution.lead_of(each.one), resolution.lead_of(each.other)))
        if leads[0] != leads[1] and resolution.is_lead(each.one) and resolution.is_lead(each.other):
            found[each.one.tenant_id, leads[0], leads[1]].append(each)
    decided = _decided(resolution)
    made = [_suggestion(resolution, key, edges) for key, edges in found.items() if key not in decided]
    return sorted(made, key=lambda each: (-each.score, each.tenant_id, each.link_id))


def _shared(resolution: Resolution, shared: Iterable[Trait], strengths: Strengths) -> Iterator[Edge]:
    blocks: dict[tuple[str, str, str], dict[str, list[tuple[Holder, Trait]]]] = defaultdict(lambda: defaultdict(list))
    for each in shared:
        holder = resolution.holders.at(each.tenant_id, each.point_id, each.told_at)
        if holder and resolution.is_lead(holder):
            blocks[each.tenant_id, each.kind, each.key][resolution.lead_of(holder)].append((holder, each))
    for (_, kind, _), leads in blocks.items():
        if len(leads) < 2:
            continue
        rule = strengths.of(kind, "", max(trait.told_at for members in leads.values() for _, trait in members))
        if rule.most_leads is not None and len(leads) > rule.most_leads:
            continue
        score = rule.score / (len(leads) - 1)
        for one, other in combinations(leads.values(), 2):
            pairs = [(a, b) for a in one for b in other if a[1].side != b[1].side or not a[1].side]
            if pairs:
                (left, first), (right, second) = min(pairs, key=lambda pair: (pair[0][0].age, pair[1][0].age))
                moment = max(first.told_at, second.told_at)
                yield Edge(pair_id(left.tenant_id, left.own_id, right.own_id), left, right, kind, "", rule.strength, score, moment)


def _decided(resolution: Resolution) -> set[tuple[str, str, str]]:
    """Pairs of leads of which a person said that they are two."""
    pairs = set()
    for each in resolution.decisions.values():
        if each.verdict != "accepted":
            one, other = (resolution.holders.at(each.tenant_id, own_id, each.decided_at) for own_id in (each.one_id, each.other_id))
            if one and other:
                leads = sorted((resolution.lead_of(one), resolution.lead_of(other)))
                pairs.add((each.tenant_id, leads[0], leads[1]))
    return pairs


def _suggestion(resolution: Resolution, key: tuple[str, str, str], edges: list[Edge]) -> Suggestion:
    best: dict[str, float] = {}
    for each in edges:
        best[each.kind] = max(best.get(each.kind, 0.0), each.score)
    doubt = 1.0
    for kind in sorted(best):
        doubt *= 1.0 - best[kind]
    named = min(edges, key=lambda each: (sorted((each.one.age, each.other.age)), each.link_id))
    tenant_id, lead_id, other_lead_id = key
    return Suggestion(
        tenant_id=tenant_id,
        link_id=named.link_id,
        lead_id=lead_id,
        other_lead_id=other_lead_id,
        one=named.one,
        other=named.other,
        evidence=tuple(sorted(best)),
        score=round(1.0 - doubt, 4),
    )
