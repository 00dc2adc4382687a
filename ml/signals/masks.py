"""Text without the digits that are no amount: phone numbers, dates, times, addresses, numbers of orders and models.

Not here: amounts (`amounts`).
"""

import re

_NO_MONEY = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+\.\w+"  # addresses
    # times and dates
    r"|\b\d{1,2}:\d{2}\b|\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b|\b\d{1,2}/\d{1,2}\b(?!\s*(?:l|k|cr))"
    r"|#\s*\w+|\b(?=[a-z0-9-]*[a-z])(?=[a-z0-9-]*\d)[a-z]{2,}[-/]?\d[a-z0-9-]*\b|\b\d+[a-z]+\d[a-z0-9]*\b"  # numbers of orders and models
)
_MARKED = re.compile(r"(?:₹|\$|€|£|\brs\.?|\binr|\busd|\baed|\beur|\bgbp|\bsgd|\bsar)\s*\d")
_DIGIT = re.compile(r"\d")
_PHONE = re.compile(r"(?<![\d.,])(?:\+|\b00)?\d(?:[\s().-]?\d){6,14}(?![\d.,]*\d)")


def only_amounts(folded: str, region: str) -> str:
    """Folded text without what has digits and is no amount (phones, dates, numbers of orders); in its place a full stop."""
    if not _DIGIT.search(folded):
        return folded
    folded = _NO_MONEY.sub(lambda found: found[0] if _MARKED.match(found[0]) or _is_amount(found[0]) else " . ", folded)

    def phone(found: re.Match[str]) -> str:
        before = folded[max(0, found.start() - 5) : found.start()]
        marked = _MARKED.search(before.rstrip() + " 0") if before else None
        count = sum(each.isdigit() for each in found[0])
        is_phone = not marked and (found[0].startswith("+") or (count >= 7 and _is_phone(found[0], region)) or count >= 11)
        return " . " if is_phone else found[0]

    return _PHONE.sub(phone, folded)


_AMOUNT = re.compile(
    r"(?:rs|inr|usd|aed|sgd|eur|gbp|sar|dhs)[\d.,]+(?:k|l|lakhs?|lacs?|cr|crores?|m|mn)?|\d+(?:\.\d+)?(?:k|l|cr|lakhs?)-\d+\w*"
    r"|(?:lakhs?|lacs?|crores?|cr|thousand|hazaa?r|hajaa?r|rs|rupees)-\d+\w*"
)


def _is_amount(text: str) -> bool:
    return _AMOUNT.fullmatch(text) is not None


def _is_phone(text: str, region: str) -> bool:
    import phonenumbers  # 0.1 s, and only where so many digits are

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False
