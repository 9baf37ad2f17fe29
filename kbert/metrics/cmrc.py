"""Two Chinese answers → exact match and F1, as the scorer of CMRC 2018 counts them."""

import difflib
import re

# The scorer lists "……" too, which no single character equals: an ellipsis stays.
_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_HAN = re.compile("[\u4e00-\u9fa5]")
# Where the scorer has NLTK split what is not Chinese.
_SPLIT_OFF = (
    r"\.\.\.|'(?:s|m|d|ll|re|ve)?(?!\w)|[;@#$%&?!\[\](){}<>\"–—]|,(?!\d)"
    r"|\.(?=[\"'\])}>\s]*$)"
)
_WORD = re.compile(rf"{_SPLIT_OFF}|(?:(?!{_SPLIT_OFF})\S)+")


def cmrc_exact(gold: str, answer: str) -> float:
    """1.0 if two answers are the same but for case and punctuation, else 0.0."""
    return float(_bare(gold) == _bare(answer))


def cmrc_f1(gold: str, answer: str) -> float:
    """How much of two answers is their longest common run of characters and words.

    A Chinese character is a unit of its own, other text is cut into words; case and
    punctuation do not count.

    Example:
        >>> cmrc_f1("光荣和ω-force", "《光荣》")  # 2 of 2 and 2 of 4 units
        0.6666666666666666

    Source:
        ymcui/cmrc2018 ``cmrc2018_evaluate.py`` (v5), ``calc_f1_score``.
        Differs: text that is not Chinese is cut by a pattern, not by NLTK's
        ``word_tokenize``: of 20,042 such stretches in CMRC's files, taken as a sentence
        each, 4 are cut otherwise.
    """
    wanted, got = _units(gold), _units(answer)
    matcher = difflib.SequenceMatcher(None, wanted, got, autojunk=False)
    common = matcher.find_longest_match(0, len(wanted), 0, len(got)).size
    if not common:
        return 0.0
    precision, recall = common / len(got), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def _bare(text: str) -> str:
    return "".join(one for one in text.lower().strip() if one not in _PUNCTUATION)


def _units(text: str) -> list[str]:
    """Chinese characters and, between them, words."""
    parts = re.split(f"({_HAN.pattern})", _bare(text))
    return [
        unit
        for part in parts
        for unit in ([part] if _HAN.fullmatch(part) else _WORD.findall(part))
    ]
