"""Models of intent, objection, buying signal, risk and persuasion principle: made again the same, opened only as they were written."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from ml.signals import artefact
from ml.signals.classifier import TooFewError, fit_classifier
from ml.signals.model import Models, calibrate, fit_models
from ml.signals.reader import Message, Reading, read_messages
from ml.signals.tables import variants
from tests.outside import data

KEY = bytes(range(32))
AT = datetime(2026, 3, 4, 4, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def models() -> Models:
    return fit_models()


@pytest.fixture(scope="module")
def written(models: Models) -> bytes:
    return artefact.dumps(models)


def read(models: Models, *texts: str, is_inbound: bool = True) -> list[Reading]:
    return read_messages(models, [Message(text, AT, is_inbound) for text in texts])


def test_the_calibration_that_is_committed_is_that_of_the_tables() -> None:
    told = json.loads(files("ml.signals").joinpath("training", "calibration.json").read_text(encoding="utf-8"))
    again = calibrate()
    assert again["version"] == told["version"], "the tables changed: run python -m ml.signals.calibrate"
    for task, numbers in told["tasks"].items():
        assert list(again["tasks"][task]) == pytest.approx(numbers, rel=1e-3)
    assert again["risk_threshold"] == pytest.approx(told["risk_threshold"], rel=1e-3)
    assert told["risk_found"] >= 0.95


def test_the_same_tables_give_the_same_models_before_and_after_they_were_written(models: Models, written: bytes) -> None:
    back = artefact.loads(written, KEY, artefact.digest(written, KEY))
    texts = ["mera paisa wapas karo", "price kya hai", "send me the payment link", ""]
    for other in (fit_models(), back):
        for task, chances in models.chances(texts, is_inbound=True).items():
            assert np.array_equal(chances, other.chances(texts, is_inbound=True)[task])
            assert chances.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("place", [0, 100, -40, -1])
def test_a_changed_byte_is_refused(written: bytes, place: int) -> None:
    changed = bytearray(written)
    changed[place] ^= 1
    with pytest.raises(artefact.ArtefactError, match="not those that were written"):
        artefact.loads(bytes(changed), KEY, artefact.digest(written, KEY))
    with pytest.raises(artefact.ArtefactError, match="not those that were written"):
        artefact.loads(written, bytes(32), artefact.digest(written, KEY))


def test_a_file_with_a_type_that_is_not_on_the_list_is_refused_even_if_somebody_vouches_for_it() -> None:
    import skops.io

    foreign = skops.io.dumps({"models": Path("x"), "call": print})
    with pytest.raises(artefact.ArtefactError, match="which no model of signals has"):
        artefact.loads(foreign, KEY, artefact.digest(foreign, KEY))
    plain = skops.io.dumps({"no": "models"})
    with pytest.raises(artefact.ArtefactError, match="holds a dict"):
        artefact.loads(plain, KEY, artefact.digest(plain, KEY))


def test_a_damaged_archive_is_refused_with_a_sentence(written: bytes) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist()[:-1]:
            new.writestr(name, b"" if name == "schema.json" else old.read(name))
    for broken in (b"", b"pickle", written[: len(written) // 2], out.getvalue()):
        with pytest.raises(artefact.ArtefactError):
            artefact.loads(broken, KEY, artefact.digest(broken, KEY))


RISKS = {
    "legal": [
        "my lawyers will be in touch",
        "aap logo pe mukadma karunga",
        "मेरा वकील आपसे बात करेगा",
        "see you in consumer court",
        "legal proceedings will follow",
    ],
    "refund_dispute": ["when will I get my refund??", "paise wapis kab aayenge", "रिफंड कब मिलेगा", "my card was charged two times"],
    "self_harm": ["honestly I just want to die", "main apni jaan de dungi", "मुझे मरना है"],
    "medical": ["my mother has diabetes, can she eat this", "pet me dard hai kaun si dawai lu", "मेरे बच्चे को बुखार है क्या दूँ"],
    "financial": ["should I put my savings in your scheme", "paisa kaha invest karu batao", "which mutual fund gives best return"],
    "abuse": ["kutte kamine phone utha", "तुम सब चोर हो", "you are all cheats and liars"],
    "data_protection": ["please wipe all information you hold on me", "mera number apne database se hatao", "who gave you my number?"],
}


def test_what_is_risky_is_found_in_three_languages(models: Models) -> None:
    asked = [(risk, text) for risk, texts in RISKS.items() for text in texts]
    found = read(models, *(text for _, text in asked))
    assert [(text, each.risk) for (_, text), each in zip(asked, found, strict=True)] == [(text, risk) for risk, text in asked]


def test_most_of_what_is_risky_is_found_in_words_that_no_table_was_written_from(models: Models) -> None:
    with (Path(__file__).parent / "signal_risks.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    is_risky = np.array([row["risk"] != "none" for row in rows])
    is_flagged = np.array([each.risk != "none" for each in read(models, *(row["text"] for row in rows))])
    assert is_risky.sum() >= 45
    assert is_flagged[is_risky].mean() >= 0.6
    assert is_flagged[~is_risky].mean() <= 0.15


def test_what_the_simulator_writes_holds_no_risk(models: Models) -> None:
    from orchestration.simulator import phrases

    lists = (phrases.GREETING, phrases.NEED, phrases.BUDGET, phrases.READY, phrases.LATER, phrases.AGAIN, phrases.HUMAN)
    texts = [text.format(product="2BHK flat", budget="₹2.5 lakh") for each in lists for words in each.values() for text in words]
    assert {each.risk for each in read(models, *texts)} == {"none"}


def test_a_message_is_read_in_full(models: Models) -> None:
    text = "Bhaiya 2BHK ka rate bahut zyada hai, mera budget 40-50 lakh hai, agle mahine tak lena hai"
    (found,) = read(models, text)
    assert (found.language, found.budget_low_minor, found.budget_high_minor) == ("hinglish", 40_00_000_00, 50_00_000_00)
    assert (found.timeline_days, found.risk, found.principle) == (31, "none", None)
    (ours,) = read(models, "Only 2 flats left, offer ends today", is_inbound=False)
    assert (ours.principle, ours.intent, ours.budget_low_minor) == ("scarcity", None, None)
    assert read(models) == []


def test_the_order_and_size_of_batches_change_nothing(models: Models) -> None:
    texts = ["send payment link", "", "😀", "मेरा बजट ५०,००० है", "call me", "x" * 10_000, "\x00\n\t", "refund do"]
    together = read(models, *texts)
    assert [read(models, text)[0] for text in texts] == together
    assert read(models, *reversed(texts)) == together[::-1]


def test_too_little_to_learn_from_is_refused() -> None:
    with pytest.raises(TooFewError, match="1 classes"):
        fit_classifier(["a"] * 9, ["x"] * 9)
    with pytest.raises(TooFewError, match="at least 5 sources"):
        fit_classifier(["a b", "b c", "c d"], ["x", "y", "y"])


def test_paraphrases_of_one_text_are_left_out_together() -> None:
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima"]
    texts = [f"{one} {two} {more}" for one, two in zip(words[::2], words[1::2], strict=True) for more in ("please", "now", "sir")]
    labels = [name for name in "abab" for _ in range(3)] + ["a"] * 3 + ["b"] * 3
    alone = fit_classifier(texts, labels, groups=list(range(len(texts))))
    together = fit_classifier(texts, labels)
    by_line = fit_classifier(texts, labels, groups=[place // 3 for place in range(len(texts))])
    assert together.predict(texts)[1].tolist() == by_line.predict(texts)[1].tolist()
    assert together.predict(texts)[1].mean() < alone.predict(texts)[1].mean() - 0.2


def test_a_class_that_one_text_shows_and_texts_of_nothing_known_are_no_crash() -> None:
    model = fit_classifier(["buy now", "pay me", "order it", "take two", "broken", "late", "lost"], list("aaaabbc"))
    classes, sure = model.predict(["", "zzz qqq", "buy"])
    assert len(classes) == 3
    assert ((sure > 0) & (sure <= 1)).all()


def test_choices_of_a_line_are_spread_over_all() -> None:
    assert variants("plain") == ["plain"]
    assert len(variants("(a|b|c) (d|e|f) (g|h)")) == 6


@pytest.mark.parametrize(("bot", "reference"), [("curekart", 0.832), ("sofmattress", 0.740), ("powerplay11", 0.611)])
def test_real_traffic_of_three_bots_is_told_at_least_as_well_as_by_plain_tf_idf(bot: str, reference: float) -> None:
    folder = data("hint3", "dataset", "v1")
    rows = {}
    for part in ("train", "test"):
        with (folder / part / f"{bot}_{part}.csv").open(encoding="utf-8") as file:
            rows[part] = [(row["sentence"], row["label"]) for row in csv.DictReader(file)]
    model = fit_classifier(*map(list, zip(*rows["train"], strict=True)))  # type: ignore[arg-type]  # texts and labels
    known = set(model.head.classes)
    texts, labels = zip(*((text, label) for text, label in rows["test"] if label in known), strict=True)
    found, _ = model.predict(texts)
    assert (found == np.array(labels)).mean() >= reference
