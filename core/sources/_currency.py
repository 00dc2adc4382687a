"""Money that a vendor writes in major units, as whole smallest units.

Here belongs how many decimals a currency has (ISO 4217). Not here: rates, what an amount is for.
"""

import re
from decimal import Decimal

from core.sources._common import INT_MAX

_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_DECIMALS = dict.fromkeys(_WHOLE.split(), 0) | dict.fromkeys(_THOUSANDTHS.split(), 3)
_USUAL = 2


def minor(amount: float | str, currency: str) -> int | None:
    """The amount in the currency's smallest unit; None where it is none of whole ones.

    >>> minor(29.62, "USD"), minor("1500", "JPY"), minor(1.5, "KWD"), minor(0.001, "USD"), minor("much", "USD")
    (2962, 1500, 1500, None, None)
    """
    text = str(amount)  # the shortest decimal that reads back as this float: what stood in the body
    if not _CURRENCY.fullmatch(currency) or not _NUMBER.fullmatch(text):
        return None
    scaled = Decimal(text).scaleb(_DECIMALS.get(currency, _USUAL))
    return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) <= INT_MAX else None
