"""Whether words around an amount make it the most or the least: under, at least, tak, se kam, kam se kam.

Not here: the amounts (`amounts`).
"""

from collections.abc import Sequence

from ml.signals.lexicon import words_of
from ml.signals.numerals import Word

_SKIPPED = words_of("bound_fillers")
_FAR = 6
_GOING = words_of("going")


def before(words: Sequence[Word], start: int) -> tuple[str, int]:
    """`upper`, `lower` or nothing, by what stands before words[start], and where that begins."""
    place = start - 1
    steps = 0
    while place >= 0 and steps < _FAR:
        word, text = words[place], words[place].text
        earlier = words[place - 1] if place else None
        if word.name == "KAM" and _are(words, place - 2, ("KAM", "SE")):
            return "lower", place - 2
        if word.name == "ZYADA" and _are(words, place - 2, ("ZYADA", "SE")):
            return "upper", place - 2
        if word.name == "TO" and earlier is not None and earlier.text == "up":
            return "upper", place - 1
        if text in {"<", "till", "until", "inside"} or word.name == "UPTO":
            return "upper", place
        if word.name in {"UNDER", "WITHIN", "ANDAR"}:
            denied = _denied(words, place)
            return ("lower" if denied < place else "upper"), denied
        if text == ">" or word.name in {"ABOVE", "MIN"}:
            denied = _denied(words, place)
            return ("upper" if denied < place else "lower"), denied
        if word.name in {"SHURU", "FROM"} and text in {"starting", "from", "starts", "start"}:
            return "lower", place
        if text not in _SKIPPED and word.name not in {"AROUND", "RUPEE", "BUDGET"}:
            return "", start
        place, steps = place - 1, steps + 1
    return "", start


def after(words: Sequence[Word], end: int) -> tuple[str, int]:
    """The same by what stands after words[:end], and where that ends."""
    rest = words[end : end + 5]
    if not rest:
        return "", end
    names = [each.name for each in rest]
    texts = [each.text for each in rest]
    if texts[0] == "+" or texts[0] == "plus":
        return "lower", end + 1
    if names[0] == "TAK" or names[0] == "UPTO":
        return "upper", end + 1
    if names[0] in {"MIN", "ABOVE"} and texts[0] not in {"over", "above", "more"}:
        return "lower", end + 1
    if names[0] in {"AND", "OR"} and len(rest) > 1 and names[1] in {"ABOVE", "UNDER", "ZYADA", "KAM"}:
        return ("lower" if names[1] in {"ABOVE", "ZYADA"} else "upper"), end + 2
    if names[0] in {"SE", "KE", "FROM"} and len(rest) > 1:
        is_denied = "NOT" in names[2:4]
        if names[1] in {"KAM", "ANDAR", "UNDER"} or texts[1] in {"under", "within"}:
            return ("lower" if is_denied else "upper"), end + 2
        if names[1] in {"ZYADA", "ABOVE"} or texts[1] == "shuru":
            return ("upper" if is_denied else "lower"), end + 2
    if texts[:2] == ["at", "most"] or texts[:2] == ["at", "max"]:
        return "upper", end + 2
    if names[0] == "ANDAR":
        return "upper", end + 1
    return "", end


def _denied(words: Sequence[Word], at: int) -> int:
    """Where a no begins that is meant of the word there, else that word: not above, cannot go above, don't want to spend over."""
    place = at - 1
    while place >= 0 and at - place <= _FAR and (words[place].text in _GOING or words[place].name == "BUDGET"):
        place -= 1
    return place if place >= 0 and words[place].name == "NOT" else at


def _are(words: Sequence[Word], at: int, names: tuple[str, ...]) -> bool:
    return at >= 0 and tuple(each.name for each in words[at : at + len(names)]) == names
