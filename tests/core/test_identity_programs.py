"""Programs of evidence and decisions: whatever is accepted or revoked, the leads are those of the oracle, and taking it back restores."""

import random

import pytest

from core.identity import resolve
from core.identity_evidence import change_id, pair_id
from tests.core.identity_histories import KINDS, STRENGTHS, decisions, found, inputs, link_of, random_said, resolved, written
from tests.oracles.identity import CHANGES, Decided, Said, leads

IN_SUITE, LARGE = 1_000, 100_000


class Program:
    """One tenant's story, step by step; each step is checked against the oracle."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.said: list[Said] = []
        self.words: list[Decided] = []
        self.minute = 0

    def run(self) -> None:
        for _ in range(self.rng.randint(4, 10)):
            self.minute += self.rng.randint(0, 1)
            step = self.rng.random()
            if step < 0.6 or not self.said:
                late = self.rng.randint(0, 3) if self.rng.random() < 0.3 else 0
                self.said.append(random_said(self.rng, max(0, self.minute - late)))
            elif step < 0.8:
                self.accept_and_revoke()
            else:
                self.revoke_and_accept()
        self.check()
        self.check(self.rng.randint(0, self.minute))

    def check(self, as_of: int | None = None) -> None:
        """The oracle finds the same, also as of an earlier moment."""
        said = [each for each in self.said if as_of is None or each.minute <= as_of]
        words = [each for each in self.words if as_of is None or each.minute <= as_of]
        assert found(resolved(said, words)) == leads(said, words)

    def decide(self, verdict: str, about: tuple[str, str] | Said) -> None:
        self.words.append(Decided(verdict, about, self.minute))

    def accept_and_revoke(self) -> None:
        """Two leads become one and are two again, byte for byte; then perhaps one after all."""
        before = resolved(self.said, self.words)
        leads_ = sorted({row.lead_id for row in before.points})
        if len(leads_) < 2:
            return
        pair = tuple(sorted(self.rng.sample(leads_, 2)))
        merged = resolved(self.said, [*self.words, Decided("accepted", pair, self.minute)])
        assert len({row.lead_id for row in merged.points}) == len(leads_) - 1
        assert {row.alias_id for row in merged.aliases} - {row.alias_id for row in before.aliases} == {self.newer(before, pair)}
        self.decide("accepted", pair)
        self.check()
        self.decide("revoked", pair)
        after = resolved(self.said, self.words)
        assert written(after) == written(before) or self.is_evident(pair)  # a revocation also holds against evidence
        if self.rng.random() < 0.6:
            self.decide("accepted", pair)
            assert written(resolved(self.said, self.words)) == written(merged)

    def newer(self, before, pair: tuple[str, ...]) -> str:
        ages = {each.own_id: each.age for each in before.holders.all}
        return max(pair, key=ages.__getitem__)

    def is_evident(self, pair: tuple[str, ...]) -> bool:
        return any(each.link_id == pair_id("t", *pair) and each.kind == "linked" for each in resolved(self.said, self.words).edges)

    def revoke_and_accept(self) -> None:
        """A link of evidence is revoked: as if that evidence were not there. Accepted again, all is as it was."""
        before = resolved(self.said, self.words)
        changes = [each for each in self.said if each.kind in CHANGES]
        joined = [each for each in before.links if each.kind in {"linked", *CHANGES}]
        if not joined:
            return
        link = self.rng.choice(joined)
        about: tuple[str, str] | Said = (link.one_id, link.other_id)
        if link.kind in CHANGES:
            about = next(each for each in changes if change_id(link_of(each)) == link.link_id)
        self.decide("revoked", about)
        sightings, links = inputs(self.said)
        evidence = {each for each in links if self.tells(before, each, link.link_id)}
        others = [each for each in self.words if each.about != about]
        without = resolve(sightings, [each for each in links if each not in evidence], KINDS, STRENGTHS, decisions(others))
        assert written(resolved(self.said, self.words)) == written(without)
        self.check()
        if self.rng.random() < 0.6:
            self.decide("accepted", about)
            again = resolved(self.said, self.words)
            assert (again.points, again.aliases) == (before.points, before.aliases)

    @staticmethod
    def tells(before, link, link_id: str) -> bool:
        """Whether a piece of evidence is of that link."""
        if link.kind in CHANGES:
            return change_id(link) == link_id
        ends = [before.holders.at("t", point, link.occurred_at) for point in (link.point_id, link.other_point_id)]
        return pair_id("t", *(each.own_id for each in ends)) == link_id


@pytest.mark.parametrize("part", range(4))
def test_programs_restore_what_was_before_and_agree_with_the_oracle(part: int) -> None:
    for seed in range(part, IN_SUITE, 4):
        Program(seed).run()


@pytest.mark.large
@pytest.mark.timeout(3_600)
def test_a_hundred_thousand_programs() -> None:
    for seed in range(IN_SUITE, IN_SUITE + LARGE):
        Program(seed).run()
