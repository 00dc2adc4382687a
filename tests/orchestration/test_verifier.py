"""The verifier finds a person in every form and every packing, and takes nobody else for it."""

import base64
import gzip
import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import duckdb
import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.verifier.needles import Needle, Sought, needles
from orchestration.verifier.search import Piece, Search
from orchestration.verifier.stores import Files

PHONE = "+919876543210"
MAIL = "Zoë.Müller@example.com"
SOUGHT = [Sought("a", (("phone", PHONE), ("email", MAIL), ("name", "Zoë Müller")), ("00ff10" * 8,))]


def _found(*raw: bytes) -> set[str]:
    search = Search(needles(SOUGHT))
    for n, each in enumerate(raw):
        search.add(Piece(f"p{n}", each))
    search.flush()
    return {hit.form for hit in search.hits}


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        (b"call +919876543210!", "plain"),
        (b'{"wa_id":"919876543210"}', "plain"),
        (b"call 98765 43210 or 098765 43210", "plain"),
        (MAIL.upper().encode(), "plain"),
        (b"zo\xc3\xab.m\xc3\xbcller@example.com", "plain"),
        ("Zoë Müller".encode(), "plain"),
        (json.dumps({"n": "Zoë Müller"}).encode(), "escaped"),
        (quote(PHONE, safe="").lower().encode(), "url-encoded"),
        (base64.b64encode(b"x919876543210"), "base64"),
        (base64.urlsafe_b64encode(b"xy919876543210zz"), "base64"),
        (base64.b64encode(b"HBgM919876543210"), "base64"),
        (PHONE.encode().hex().upper().encode(), "hex"),
        (PHONE.encode("utf-16-le"), "utf-16"),
        (hashlib.sha256(PHONE.encode()).hexdigest().encode(), "sha256 hex"),
        (hashlib.new("md5", MAIL.casefold().encode(), usedforsecurity=False).hexdigest().encode(), "md5 hex"),
        (b"\x00" + hashlib.new("sha1", b"919876543210", usedforsecurity=False).digest() + b"\xff", "sha1 raw"),
        (bytes.fromhex("00ff10" * 8), "vault"),
        (("00ff10" * 8).encode(), "vault hex"),
    ],
)
def test_each_form_is_found(raw: bytes, form: str) -> None:
    assert form in _found(b"before " + raw + b" after")


@pytest.mark.parametrize("raw", [b"1098765432101", b"98765432109", b"919876543211", b"zoe muller", bytes.fromhex("80ff10" * 8)])
def test_what_only_looks_alike_is_not(raw: bytes) -> None:
    assert _found(raw) == set()


@settings(max_examples=60, deadline=None)
@given(before=st.binary(max_size=40), after=st.binary(max_size=40), place=st.integers(0, 2))
def test_whatever_is_around_it_base64_gives_it_away(before: bytes, after: bytes, place: int) -> None:
    coded = base64.b64encode(bytes(place) + before + b"919876543210" + after)
    assert "base64" in _found(coded)


@st.composite
def _haystacks(draw: st.DrawFn) -> tuple[list[Needle], list[bytes]]:
    """Needles of few letters, so that they overlap and begin alike, and pieces that hold some of them."""
    some = st.binary(min_size=6, max_size=12).map(lambda raw: bytes(b"aA1\xe1"[each % 4] for each in raw))
    raws = draw(st.lists(some, min_size=1, max_size=8, unique=True))
    needles = [Needle("a", f"f{n}", raw, draw(st.booleans()), raw.isdigit()) for n, raw in enumerate(raws)]
    part = st.one_of(some, st.sampled_from(raws), st.sampled_from(raws).map(bytes.swapcase), st.binary(max_size=4))
    return needles, [b"".join(each) for each in draw(st.lists(st.lists(part, max_size=6), max_size=4))]


@settings(max_examples=150, deadline=None)
@given(_haystacks())
def test_it_finds_what_a_look_at_every_place_finds_and_as_often(made: tuple[list[Needle], list[bytes]]) -> None:
    needles, pieces = made
    search = Search(needles)
    expected: Counter[tuple[str, str]] = Counter()
    for n, raw in enumerate(pieces):
        search.add(Piece(f"p{n}", raw))
        for needle in needles:
            for at in range(len(raw)):
                there = raw[at : at + len(needle.raw)]
                is_it = there == needle.raw if needle.is_exact else there.lower() == needle.raw.lower()
                around = raw[at - 1 : at] + raw[at + len(needle.raw) :][:1] if at else raw[len(needle.raw) :][:1]
                if is_it and not (needle.is_number and any(chr(each).isdigit() and each < 128 for each in around)):
                    expected[f"p{n}", needle.form] += 1
    search.flush()
    assert {(hit.place, hit.form): count for hit, count in search.hits.items()} == expected


def test_a_column_with_few_values_is_read_by_its_values_and_each_is_found(tmp_path: Path) -> None:
    rows = {"few": [f"a{n % 3} 91987654321{n % 2}" for n in range(9_000)], "many": [f"{n:09d}x919876543210" for n in range(9_000)]}
    pl.DataFrame(rows).write_parquet(tmp_path / "t.parquet")
    search = Search(needles(SOUGHT))
    for piece in Files(tmp_path, search.longest, None).pieces():
        search.add(piece)
    search.flush()
    counts = {hit.place: count for hit, count in search.hits.items() if hit.form == "plain" and " " in hit.place}
    assert counts == {"t.parquet few": 3, "t.parquet many": 9_000}


def _packings(folder: Path) -> dict[str, Callable[[bytes], None]]:
    def zipped(raw: bytes) -> None:
        with zipfile.ZipFile(folder / "model.skops", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("schema.json", raw)

    def warehouse(raw: bytes) -> None:
        with duckdb.connect(str(folder / "warehouse.duckdb")) as database:
            database.execute("create table notes as select ? || (range % 7) as note, range as n from range(5000)", [raw.decode() + " "])
            database.execute("checkpoint")

    return {
        "plain.html": lambda raw: (folder / "plain.html").write_bytes(b"x" * ((4 << 20) - 6) + raw),
        "a.ndjson.gz": lambda raw: (folder / "a.ndjson.gz").write_bytes(gzip.compress(raw)),
        "a.ndjson.zst": lambda raw: (folder / "a.ndjson.zst").write_bytes(zstandard.compress(raw)),
        "model.skops": zipped,
        "t.parquet": lambda raw: pl.DataFrame({"n": [raw.decode()] * 900}).write_parquet(folder / "t.parquet", compression="zstd"),
        "warehouse.duckdb": warehouse,
    }  # type: ignore[dict-item]  # what writing returns is of no interest


@pytest.mark.parametrize("name", ["plain.html", "a.ndjson.gz", "a.ndjson.zst", "model.skops", "t.parquet", "warehouse.duckdb"])
def test_each_packing_is_opened(tmp_path: Path, name: str) -> None:
    _packings(tmp_path)[name](b"to 919876543210 today")
    search = Search(needles(SOUGHT))
    files = Files(tmp_path, search.longest, None)
    for piece in files.pieces():
        search.add(piece)
    search.flush()
    assert {hit.place.split(" ")[0] for hit in search.hits} == {name}
    assert files.unread == []


def test_a_file_that_is_cut_off_is_named_and_a_name_of_a_file_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b"x" * 9_000)[:30])
    (tmp_path / "919876543210.txt").write_bytes(b"")
    search = Search(needles(SOUGHT))
    files = Files(tmp_path, search.longest, None)
    for piece in files.pieces():
        search.add(piece)
    search.flush()
    assert [each.place for each in files.unread] == ["a.ndjson.gz"]
    assert {hit.place for hit in search.hits} == {"919876543210.txt (its name)"}


def test_lines_of_the_inbox_that_came_later_are_news_and_no_hits(tmp_path: Path) -> None:
    since = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    (tmp_path / "inbox").mkdir()
    lines = [
        {"received_at": received_at, "body": f'{{"from":"919876543210","n":{n}}}'}
        for n, received_at in enumerate(("2026-11-23T08:59:59.999999Z", "2026-11-23T09:00:00Z", "2026-11-23T14:30:00+05:30"))
    ]
    for count, name in ((1, "old"), (3, "both")):
        text = io.StringIO()
        for line in lines[:count]:
            text.write(json.dumps(line) + "\n")
        (tmp_path / "inbox" / f"{name}.ndjson").write_text(text.getvalue())
    search = Search(needles(SOUGHT))
    for piece in Files(tmp_path, search.longest, since).pieces():
        search.add(piece)
    search.flush()
    assert {hit.place for hit in search.hits} == {"inbox/old.ndjson", "inbox/both.ndjson"}
    assert search.later["a"] >= 2
