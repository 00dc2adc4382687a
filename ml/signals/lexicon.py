"""What words of English, Hindi and Hinglish mean to the grammar of amounts and times: one name for all spellings.

Here belong words and their meanings. Not here: spelling (`words`), how words are put together (`numerals`, `amounts`, `timelines`),
dates of festivals (`calendar.tsv`).
"""

from functools import lru_cache

from ml.signals.words import key, latin

_HINDI = (
    "एक दो तीन चार पांच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस तीस "
    "इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस चालीस इकतालीस बयालीस तैंतालीस चवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास पचास "
    "इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर सत्तर "
    "इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उन्यासी अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सतासी अठासी नवासी नब्बे "
    "इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे"
).split()
_LATIN = {
    1: "ek", 2: "do", 3: "teen", 4: "char chaar", 5: "paanch panch paach", 6: "chhe chhah chhai che cheh", 7: "saat", 8: "aath ath", 9: "nau",
    10: "das dus", 11: "gyarah gyara", 12: "barah bara", 13: "terah tera", 14: "chaudah chauda", 15: "pandrah pandra pandhra pandhrah",
    16: "solah", 17: "satrah", 18: "atharah athara", 19: "unnis unnees", 20: "bees bis", 21: "ikkis", 22: "bais baees", 23: "teis",
    24: "chaubis", 25: "pachis pachees", 26: "chabbis", 27: "sattais", 28: "athais", 29: "untis", 30: "tees tis", 31: "ikattis", 32: "battis",
    35: "paintis pentis", 36: "chattis", 40: "chalis chaalis chalees", 42: "bayalis", 45: "paintalis pentalis", 48: "adtalis",
    50: "pachas pachaas", 51: "ikyavan", 55: "pachpan", 60: "saath", 65: "painsath", 70: "sattar", 72: "bahattar", 75: "pachattar pachhattar",
    80: "assi", 85: "pachasi", 90: "nabbe navve", 95: "pachanve pachanave", 99: "ninyanve",
}  # fmt: skip
ENGLISH = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
        .split(), range(20), strict=True,
    )
) | dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True)) | {"fourty": 40, "couple": 2}  # fmt: skip

_SURE = 5
"""Length of a key from which on it is a number however it is spelt: `tis` may be तीस or "this"."""

HINDI_NUMBERS = {latin(word): value for value, word in enumerate(_HINDI, start=1)}
HINDI_NUMBERS |= {word: value for value, words in _LATIN.items() for word in words.split()}
HINDI_NUMBERS |= {latin(word): value for word, value in (("पाँच", 5), ("छः", 6), ("छे", 6), ("पचहत्तर", 75))}
"""By their usual spelling. Up to ten and a few more they are words of other meanings too: numbers only in front of what is counted."""

_NUMBERS = {key(word): value for word, value in HINDI_NUMBERS.items() if len(key(word)) >= _SURE}

_MEANINGS = """
CRORE: crore crores cr crs caror | karod karor karore
LAKH: lakh lakhs lac lacs lk lakhh lkh | laakh
THOUSAND: thousand thousands | hazaar hajar
HUNDRED: hundred hundreds sau
MILLION: million millions mn mio mln
BILLION: billion billions bn arab
DHAI: dhai dhaai adhai dhaee
DEDH: dedh derh dedhh deedh
SAVA: sava sawa savva
SADHE: sadhe saadhe saade sarhe saarhe sadhhe
PAUNE: paune pone pauna
HALF: half aadha adha aadhe
DAY: day days din dino dinon dinn divas
WEEK: week weeks wk wks week's weeks' | hafta hafte hafton haphta haphte hafto saptah haftey
MONTH: month months mnth mnths mths mth month's maah | mahina mahine mahino mahinon mahinay
YEAR: year years yr yrs year's saal sal saalon varsh
HOUR: hour hours hr hrs | ghanta ghante ghanton ghanto
MINUTE: minute minutes mins | minat
MIN: min
QUARTER: quarter | timahi
FORTNIGHT: fortnight fortnights pakhwada
WEEKEND: weekend weekends weekend's
TODAY: today tonight todays aaj
TOMORROW: tomorrow tmrw tmr tomorow tommorow tommorrow tmro tmrow tomo
KAL: kal
PARSO: parso parson parsoon parsu
NARSO: narso tarso
NOW: now abhi abi immediately instantly immediate | turant fauran fatafat tatkaal jhatpat
ASAP: asap urgent urgently urgnt emergency arjent earliest | jaldi
JALD: jald
SOON: soon shortly
NEXT: next nxt coming upcoming aane aanewale | agle agla agli aagami
THIS: this is isi iss current
LAST: last previous past gaye | pichle pichla pichli
AGO: ago
IN: in inside
WITHIN: within
UNDER: under below less
ME: mein me main mei mai men
ANDAR: andar bhitar bheetar
TAK: tak tk till until
BY: by
BAAD: baad baadme baadmein
AFTER: after post
BEFORE: before
PEHLE: pehle pahle pehele pahale
SE: se
FROM: from
KE: ke ki ka k
LATER: later
SHURU: shuru start starting starts beginning early | shuruat
END: end ending ends aakhir akhir khatam ant eom
MIDDLE: mid middle beech bich
FIRST: first pehla pehli pahla
TARIKH: tarikh tareekh taarikh tareek tarik date
SINCE: since
JANUARY: january jan | janvari janavari
FEBRUARY: february feb | farvari pharvari farwari
MARCH: march maarch
APRIL: april apr | aprail
MAY: may
JUNE: june jun joon
JULY: july jul julai
AUGUST: august aug agast
SEPTEMBER: september sept sep | sitambar sitamber
OCTOBER: october oct | aktubar aktoobar
NOVEMBER: november nov | navambar
DECEMBER: december dec | disambar
MONDAY: monday mon | somvar somvaar
TUESDAY: tuesday tue tues mangal | mangalvar mangalvaar
WEDNESDAY: wednesday wed | budhvar budhvaar
THURSDAY: thursday thu thur thurs | guruvar guruvaar veervar brihaspativar
FRIDAY: friday fri | shukravar shukravaar shukrvar
SATURDAY: saturday sat | shanivar shanivaar
SUNDAY: sunday itwar itvaar itvar | ravivar ravivaar
RUPEE: rupee rupees rs inr re rps rupay rupya rupia rupe rupaya rupye rupiye rupaye rupees' rupiya rupyo rupayon
DOLLAR: dollar dollars usd bucks
EURO: euro euros eur
POUND: pound pounds gbp quid
DIRHAM: aed dirham dirhams dhs dh
RIYAL: sar riyal riyals
SINGAPORE: sgd
BUDGET: budget budgets spend spending afford affordable invest investment budjet bugdet budgt bajat | kharch kharcha
PRICE: price cost rate daam value worth amount fees fee pay range rakam paisa paise | keemat kimat
NOT: not no nahi nahin nai nhi na mat never dont don't doesnt doesn't isn't wont won't cannot can't cant without nahee bina koi
UPTO: upto max maximum most maxm atmost
ABOVE: above over more minimum least atleast beyond exceeding onwards
KAM: kam neeche niche
ZYADA: zyada jyada upar uper jada zada
BETWEEN: between
AROUND: around about approx approximately roughly nearly almost near nearby kareeb karib | lagbhag takriban aaspaas
TO: to
OR: or ya
AND: and aur
RUSH: rush hurry pressure
"""
"""A name, its words, and after a bar those that are known however they are spelt."""

_EXACT: dict[str, str] = {}
_BY_KEY: dict[str, str] = {}
for _line in _MEANINGS.strip().splitlines():
    _name, _, _forms = _line.partition(": ")
    _sure, _, _sounding = _forms.partition("| ")
    for _form in _sure.split():
        _EXACT[_form] = _EXACT[latin(_form)] = _name
    for _form in _sounding.split():
        _BY_KEY[key(_form)] = _name
_EXACT |= {
    latin(word): name
    for name, words in {
        "THOUSAND": "हज़ार हजार", "LAKH": "लाख", "CRORE": "करोड़ करोड", "HUNDRED": "सौ", "DHAI": "ढाई अढ़ाई", "DEDH": "डेढ़ डेढ", "SAVA": "सवा",
        "SADHE": "साढ़े साढे", "PAUNE": "पौने", "HALF": "आधा आधे", "DAY": "दिन दिनों", "WEEK": "हफ्ता हफ्ते हफ़्ते हफ़्ता सप्ताह हफ्तों", "MONTH": "महीना महीने महीनों माह",
        "YEAR": "साल वर्ष सालों", "HOUR": "घंटा घंटे घण्टे", "TODAY": "आज", "KAL": "कल", "PARSO": "परसों परसो", "NOW": "अभी तुरंत तुरन्त फौरन फ़ौरन", "ASAP": "जल्दी अर्जेंट",
        "NEXT": "अगले अगला अगली आने", "THIS": "इस इसी", "LAST": "पिछले पिछला पिछली", "ME": "में", "ANDAR": "अंदर अन्दर भीतर", "TAK": "तक",
        "BAAD": "बाद", "PEHLE": "पहले", "SE": "से", "KE": "के की का", "SHURU": "शुरू शुरुआत", "END": "अंत आखिर आख़िर", "MIDDLE": "बीच", "TARIKH": "तारीख तारीख़",
        "RUPEE": "रुपये रुपए रुपया रूपये रूपए रुपयों रु रू", "DOLLAR": "डॉलर", "BUDGET": "बजट खर्च ख़र्च", "PRICE": "कीमत क़ीमत दाम पैसे पैसा", "NOT": "नहीं न मत ना",
        "KAM": "कम नीचे", "ZYADA": "ज़्यादा ज्यादा ऊपर अधिक", "AROUND": "लगभग करीब क़रीब आसपास", "OR": "या", "AND": "और", "WEEKEND": "वीकेंड", "MONDAY": "सोमवार",
        "TUESDAY": "मंगलवार", "WEDNESDAY": "बुधवार", "THURSDAY": "गुरुवार बृहस्पतिवार", "FRIDAY": "शुक्रवार", "SATURDAY": "शनिवार", "SUNDAY": "रविवार इतवार", "JANUARY": "जनवरी",
        "FEBRUARY": "फरवरी फ़रवरी", "MARCH": "मार्च", "APRIL": "अप्रैल", "MAY": "मई", "JUNE": "जून", "JULY": "जुलाई", "AUGUST": "अगस्त", "SEPTEMBER": "सितंबर सितम्बर",
        "OCTOBER": "अक्टूबर", "NOVEMBER": "नवंबर नवम्बर", "DECEMBER": "दिसंबर दिसम्बर", "UPTO": "अधिकतम", "ABOVE": "न्यूनतम",
    }.items()
    for word in words.split()
}  # fmt: skip


@lru_cache(maxsize=100_000)
def meaning(word: str) -> str:
    """What a folded word in Latin letters means, or nothing.

    >>> meaning("hazaar"), meaning("maheene"), meaning("aktubar"), meaning("car")
    ('THOUSAND', 'MONTH', 'OCTOBER', '')
    """
    return _EXACT.get(word) or _BY_KEY.get(key(word), "")


@lru_cache(maxsize=100_000)
def number(word: str) -> int | None:
    """The number that a word says.

    >>> number("pachpan"), number("forty"), number("teen"), number("teenager")
    (55, 40, 3, None)
    """
    if word in ENGLISH:
        return ENGLISH[word]
    return HINDI_NUMBERS.get(word) or _NUMBERS.get(key(word))
