"""Which language a message is written in: English, Hindi (Devanagari) or Hinglish (Hindi in Latin letters, mixed or not).

Here belongs telling them apart, by script and by function words, which no message of more than a few words does without. Not here: what
the words mean (`lexicon`).
"""

import re
from typing import NamedTuple

from ml.signals.words import fold

_DEVANAGARI = re.compile(r"[\u0900-\u097f]")
_LATIN = re.compile(r"[a-z]+(?:'[a-z]+)?")

_HINDI = frozenset(
    "hai hain hei he ho hu hoon hun tha thi thay hoga hogi honge hua hui huye ka ki ke ko se mein mai mei me par pe tak aur ya ki jo jab tab kab kya kyu kyun kyon "
    "kaise kaisa kaisi kaun kon kahan kaha kitna kitne kitni koi kuch kuchh nahi nahin nai nhi haan han haa ji na mat bhi hi to toh ab abhi bas sirf bahut "
    "bohot bht zyada jyada thoda thodi thode acha accha achha theek thik sahi galat mera meri mere mujhe mujhko hum hume hamare hamara humara hamko aap "
    "aapka aapki aapke aapko apka apke apki apko tum tumhara tera teri tere tu wo woh vo ye yeh is us iska iske iski uska uske uski inka unka isme usme yaha yahan waha "
    "wahan jaha karo karna karne karta karte karti kar kare karenge karunga karungi kiya kijiye kijie do de dena dene denge dunga dungi diya dijiye lo le lena lene leni "
    "lenge lunga lungi liya lete chahiye chahie chahta chahti chahte raha rahi rahe rha rhi rhe gaya gayi gaye jaye jayega jayegi ja jao jana aana aaya aayi aao aayega "
    "batao bata bataiye batana bolo bol bolna dekho dekh dekhna dekha suno milega milegi mil mila mili milta sakta sakte sakti hota hoti hote wala wale wali waala "
    "din mahine mahina hafte hafta saal kal parso aaj subah shaam raat baad pehle liye lekin magar agar matlab phir fir sab sabhi log logo bhai bhaiya didi yaar sir-ji "
    "paisa paise rupaye rupay hazaar hazar lakh karod sasta mehnga mehenga kharid kharidna bhejo bhej bhejna bhejiye ghar dukan saman samaan naya nayi purana kaam jaldi dono "
    "ek teen chaar paanch dus pachas dhai dedh namaste dhanyavad shukriya pata samajh soch bilkul zaroor jarur wapas vapas khatam kharab band chalu accha-hai apna apni apne "
    "karu karun karlo kardo krna kro krdo krta h hn hu ky kyaa nhii rkha rakhna rakho wahi yahi kabhi hamesha unke unki unko inke jise jisme jiska kisi kisko kiska".split()
)
_ENGLISH = frozenset(
    "the a an is are was were be been am i you he she it we they my your his her our their this that these those and or but if of in on at for with from to by about as "
    "what when where which who why how can could will would should do does did have has had not no yes please need want like know get give send tell any some all more much many "
    "there here me us them so just also than then too very now after before price buy looking interested thanks thank hello hi good don't i'm it's".split()
)
_BOTH = frozenset({"me", "is", "do", "to", "he", "the", "us", "hi", "so", "par", "lo", "no", "log", "are", "h", "sir", "mat", "le", "bas", "band", "din", "pe", "mil"})
"""Words of both: they count for the language that the others speak for."""


class Language(NamedTuple):
    """`en`, `hi`, `hinglish`, or `und` where there are no words; `confidence` 0 to 1."""

    name: str
    confidence: float


def language(text: str) -> Language:
    """The language of a message.

    >>> language("What does it cost?").name, language("इसकी कीमत क्या है?").name, language("iska price kya hai").name, language("👍 500").name
    ('en', 'hi', 'hinglish', 'und')
    """
    return language_of(fold(text))


def language_of(folded: str) -> Language:
    """The same of folded text."""
    if not folded.isascii() and (hindi := len(_DEVANAGARI.findall(folded))):
        latin = sum(map(len, _LATIN.findall(folded)))
        share = hindi / (hindi + latin)
        return Language("hi", 0.99 if share > 0.5 else 0.85) if share >= 0.2 else _of_latin(folded, extra=1)
    return _of_latin(folded)


def _of_latin(folded: str, extra: int = 0) -> Language:
    words = _LATIN.findall(folded)
    if not words:
        return Language("und", 0.0)
    sure = [word for word in words if word not in _BOTH]
    hindi = extra + sum(word in _HINDI for word in sure)
    english = sum(word in _ENGLISH for word in sure)
    shared = len(words) - len(sure)
    if hindi >= 2 or (hindi and (hindi >= english or hindi + shared >= 3)):
        return Language("hinglish", min(0.99, 0.8 + 0.06 * hindi))
    if hindi:
        return Language("hinglish" if hindi * 5 >= len(words) else "en", 0.6)
    return Language("en", min(0.99, 0.75 + 0.05 * english + (0.1 if english else 0)))
