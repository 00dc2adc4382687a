"""Whatever somebody does to the audit log, the verifier that has nothing but the file, the key's public half and a witness finds it."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from core.audit import Entry, Wanted, make_entry, public_text, signing_key
from core.audit_export import Verification, export_lines
from core.audit_roots import DayRoot, broken_proof, day_root, days, is_genuine, prove, read_witness, witness_line

OURS, THEIRS = signing_key(bytes(range(32))), signing_key(b"an attacker's key of 32 bytes ok")
BEGIN = datetime(2026, 11, 20, 22, tzinfo=UTC)
Chains = dict[str, list[Entry]]


def chained(entries: list[Entry], key: object = OURS) -> list[Entry]:
    """The same entries as one whole chain: what an attacker makes who knows how it is done."""
    made: list[Entry] = []
    for each in entries:
        wanted = Wanted(each.tenant_id, each.actor, each.action, each.subject, each.details)
        made.append(make_entry(wanted, made[-1] if made else None, each.recorded_at, key))  # type: ignore[arg-type]
    return made


def a_log(chance: random.Random) -> Chains:
    found: Chains = {}
    for tenant_id in ("", "asha_homes", "nordwind")[: chance.choice([1, 1, 2, 3])]:
        moments = sorted(BEGIN + timedelta(minutes=chance.randint(0, 300)) for _ in range(chance.randint(2, 4)))
        found[tenant_id] = chained(
            [
                Entry(tenant_id, 0, moment, "meera", "erasure.approved", f"cp_{number}", {"number": number, "share": 0.5}, "", "", "")
                for number, moment in enumerate(moments)
            ]
        )
    return found


def lines_of(chains: Chains, key: object = OURS) -> list[bytes]:
    return list(export_lines(chains, key, BEGIN + timedelta(days=3), is_whole=True))  # type: ignore[arg-type]


def witness_of(chains: Chains) -> list[DayRoot]:
    return [day_root(each, OURS) for entries in chains.values() for each in days(entries)]


def edited(entry: Entry, chance: random.Random) -> Entry:
    name = chance.choice(["actor", "action", "subject", "details", "recorded_at"])
    new = {
        "actor": "ravi",
        "action": "erasure.denied",
        "subject": "cp_other",
        "details": {"number": 99},
        "recorded_at": entry.recorded_at - timedelta(microseconds=1),
    }
    return entry._replace(**{name: new[name]})


# Attacks on the file alone.


def flips_a_bit(chains: Chains, chance: random.Random) -> list[bytes]:
    raw = bytearray(b"".join(lines_of(chains)))
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(raw).splitlines(keepends=True)


def cuts_the_file(chains: Chains, chance: random.Random) -> list[bytes]:
    raw = b"".join(lines_of(chains))
    return raw[: chance.randrange(len(raw))].splitlines(keepends=True)


def drops_lines(chains: Chains, chance: random.Random) -> list[bytes]:
    lines = lines_of(chains)
    begin = chance.randrange(len(lines))
    return lines[:begin] + lines[begin + chance.randint(1, 3) :]


def moves_lines(chains: Chains, chance: random.Random) -> list[bytes]:
    lines = lines_of(chains)
    one, other = chance.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def repeats_a_line(chains: Chains, chance: random.Random) -> list[bytes]:
    lines = lines_of(chains)
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
    return lines


def edits_a_field(chains: Chains, chance: random.Random) -> list[bytes]:
    lines = lines_of(chains)
    place = chance.choice([place for place, line in enumerate(lines) if b'"kind":"entry"' in line])
    row = json.loads(lines[place])
    row["actor"] += "x"
    lines[place] = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    return lines


# Attacks of somebody who writes the database and knows the format, without our key: everything is consistent, and signed by another.


def forges(change: Callable[[list[Entry], random.Random], list[Entry]]) -> Callable[[Chains, random.Random], list[bytes]]:
    def attack(chains: Chains, chance: random.Random) -> list[bytes]:
        tenant_id = chance.choice(sorted(chains))
        changed = chained(change(list(chains[tenant_id]), chance), THEIRS)
        return lines_of(chains | {tenant_id: changed}, chance.choice([OURS, THEIRS]))

    attack.__name__ = f"forges_{change.__name__}"
    return attack


# Attacks of somebody who has our key too: only what was witnessed elsewhere tells.


def forks(change: Callable[[list[Entry], random.Random], list[Entry]]) -> Callable[[Chains, random.Random], list[bytes]]:
    def attack(chains: Chains, chance: random.Random) -> list[bytes]:
        tenant_id = chance.choice(sorted(chains))
        changed = chained(change(list(chains[tenant_id]), chance))
        left = {name: entries for name, entries in (chains | {tenant_id: changed}).items() if entries}
        return lines_of(left)

    attack.__name__ = f"forks_{change.__name__}"
    return attack


def edit(entries: list[Entry], chance: random.Random) -> list[Entry]:
    place = chance.randrange(len(entries))
    entries[place] = edited(entries[place], chance)
    return entries


def deletion(entries: list[Entry], chance: random.Random) -> list[Entry]:
    del entries[chance.randrange(len(entries))]
    return entries


def truncation(entries: list[Entry], chance: random.Random) -> list[Entry]:
    return entries[: chance.randrange(len(entries))]


def reorder(entries: list[Entry], chance: random.Random) -> list[Entry]:
    one, other = sorted(chance.sample(range(len(entries)), 2))
    first, second = entries[one], entries[other]
    entries[one], entries[other] = second._replace(recorded_at=first.recorded_at), first._replace(recorded_at=second.recorded_at)
    return entries


def insertion(entries: list[Entry], chance: random.Random) -> list[Entry]:
    place = chance.randrange(len(entries))
    entries.insert(place, entries[place]._replace(subject="cp_other"))
    return entries


CHANGES = (edit, deletion, truncation, reorder, insertion)
ATTACKS = [flips_a_bit, cuts_the_file, drops_lines, moves_lines, repeats_a_line, edits_a_field]
ATTACKS += [*(forges(change) for change in CHANGES), *(forks(change) for change in CHANGES)]


def attacked(count: int, seed: int) -> dict[str, int]:
    """How often each attack was made and found; the first that is not found fails with its seed."""
    chance = random.Random(seed)
    logs = [a_log(chance) for _ in range(40)]
    prepared = [(log, b"".join(lines_of(log)), witness_of(log)) for log in logs]
    found = dict.fromkeys((attack.__name__ for attack in ATTACKS), 0)
    for number in range(count):
        attack = ATTACKS[number % len(ATTACKS)]
        case = f"{seed}/{number} {attack.__name__}"
        mine = random.Random(case)
        log, raw, witnessed = mine.choice(prepared)
        lines = attack(log, mine)
        if b"".join(lines) == raw:
            continue  # two equal lines were exchanged
        finding = next(Verification(lines, public_text(OURS), witnessed).findings(), None)
        assert finding is not None, case
        found[attack.__name__] += 1
    return found


def test_ten_thousand_attacks_are_all_found() -> None:
    found = attacked(10_000, 8)
    assert sum(found.values()) >= 9_900
    assert min(found.values()) >= 550, found


@pytest.mark.large
def test_a_hundred_thousand_attacks_are_all_found() -> None:
    assert sum(attacked(100_000, 80).values()) >= 99_000


@pytest.mark.parametrize("seed", range(5))
def test_a_whole_log_has_no_finding_and_neither_has_one_that_grew_since_it_was_witnessed(seed: int) -> None:
    log = a_log(random.Random(seed))
    check = Verification(lines_of(log), public_text(OURS), witness_of(log))
    assert list(check.findings()) == []
    assert check.lengths == {tenant_id: len(entries) for tenant_id, entries in log.items()}
    assert check.public_key == public_text(OURS)
    shorter = {tenant_id: entries[:-1] for tenant_id, entries in log.items()}
    assert list(Verification(lines_of(log), public_text(OURS), witness_of(shorter)).findings()) == []


def test_what_nobody_witnessed_can_be_cut_off_by_whoever_holds_the_key_and_only_by_him() -> None:
    log = a_log(random.Random(1))
    shorter = {tenant_id: entries[:-1] for tenant_id, entries in log.items()}
    assert list(Verification(lines_of(shorter), public_text(OURS)).findings()) == []
    assert list(Verification(lines_of(shorter), public_text(OURS), witness_of(log)).findings()) != []
    assert list(Verification(lines_of(shorter, THEIRS), public_text(OURS)).findings()) != []


def test_another_tenants_chain_is_not_taken_for_ones_own() -> None:
    chain = a_log(random.Random(1))[""]
    moved = [each._replace(tenant_id="asha_homes") for each in chain]
    assert list(Verification(lines_of({"asha_homes": moved}), public_text(OURS)).findings()) != []


def test_an_entry_is_proved_with_its_days_root_and_nothing_else_is() -> None:
    entries = a_log(random.Random(4))[""]
    day = next(days(entries))
    for entry in day:
        proof = prove(day, entry.number, OURS)
        assert list(broken_proof(proof, public_text(OURS), [day_root(day, OURS)])) == []
        assert list(broken_proof(proof, public_text(THEIRS))) != []
        assert list(broken_proof(proof._replace(entry=edited(entry, random.Random(2))))) != []
        assert list(broken_proof(prove(day, entry.number, THEIRS), public_text(OURS))) != []
        forked = proof._replace(day_root=day_root(chained(edit(list(day), random.Random(3))), OURS))
        assert list(broken_proof(forked, public_text(OURS))) != []


def test_a_witness_file_is_read_as_it_was_written_and_a_changed_line_is_refused_with_its_number() -> None:
    said = witness_of(a_log(random.Random(5)))
    lines = [witness_line(each) for each in said]
    assert read_witness([*lines, ""]) == said
    assert all(is_genuine(each) for each in said)
    for bad in (lines[0].replace('"first":1', '"first":2'), "{}", "no json", "[1]"):
        with pytest.raises(Exception, match="line 2 of the witness file"):
            read_witness([lines[0], bad])
