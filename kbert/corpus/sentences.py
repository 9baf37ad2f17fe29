"""Paragraphs → sentences, by rules: where a sentence ends, and where it only seems to.

Pretraining wants segments that begin and end where a reader would pause; it forgives a
cut too many or too few, but no lost text and no slowness. tensorflow_text's breaker
cuts "$3.50" and "Mr. Smith" in two, and is twenty times as slow.
"""

import re
from collections.abc import Iterable, Iterator

_CLOSERS = "\"'’”»›)\\]}」』）】》〉〕"
_OPENERS = "\"'‘“„«‹([{¿¡—–*_-"
_OPENING = f"[{re.escape(_OPENERS)}]*"

_MARKS = ".!?…؟۔।॥։።"
_WIDE_MARKS = "。！？｡"

# What may end a sentence, with what closes around it and the blanks after it.
# Where a script writes blanks between sentences, the mark needs one. A small letter
# next ("What?" she said), or another mark, goes on; C code dismisses most of them here.
# Chinese and Japanese marks end a sentence wherever they stand.
# One set of characters in front lets the search skip all others.
_CANDIDATE = re.compile(
    rf"[{_MARKS}{_WIDE_MARKS}](?:"
    rf"(?<=[{_WIDE_MARKS}])[{_WIDE_MARKS}…{_CLOSERS}]*\s*"
    rf"|(?<![{_MARKS}]{{2}})(?P<more>[{_MARKS}]*)[{_CLOSERS}]*\s+"
    rf"(?!\s|[.!?…,;:]|{_OPENING}[a-z])"
    rf"|(?<=[!?])[{_CLOSERS}]*(?=[\u3040-\u30ff\u4e00-\u9fff]))"
)
_NEXT_WORD = re.compile(rf"{_OPENING}(\w{{0,24}})")
_REACH = 24  # characters before the mark; nothing that is looked up is longer
_NUMBERING = re.compile(r"\d{1,3}|[A-Za-z]|[IVXLC]{1,6}")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A name or a number follows, so the sentence goes on.
_TITLES = _words(
    "mr mrs ms messrs mme mlle dr prof rev hon st ste capt col gen lt maj sgt cpl cmdr "
    "adm gov sen rep pres supt ald mt fr br bp abp esqr vs viz cf eg ie e.g i.e "
    "fig figs sec secs vol vols ch chap pp approx ca"
)
# The same, but only before a digit; elsewhere they are words, or end a sentence.
_BEFORE_NUMBERS = _words(
    "no nos p art jan feb mar apr jun jul aug sep sept oct nov dec"
)
# May or may not end a sentence, as initials and "U.S." may: the next word decides.
_UNSURE = _words(
    "jr sr inc co corp ltd bros dept univ assn etc al ave blvd rd esq cent ft par ed "
    "eds trans"
)
_STARTERS = _words(
    "The This That These Those There Then It He She We They I You His Her My Our Your "
    "Their Its A An And But Or So Yet For In On At By From With To Of As If When While "
    "After Before Since Although Though However What Who Which Why How Where Not No "
    "Yes All Some Many Most Such Now Here"
)


def split_sentences(paragraphs: Iterable[str]) -> list[str]:
    """Cut paragraphs into sentences.

    A line end ends a sentence, and so does a paragraph. Blanks around sentences are
    dropped; every other character is in one sentence, in order.

    Args:
        paragraphs: running text, of any number of paragraphs.

    Returns:
        The sentences of all paragraphs. None is empty.

    Example:
        >>> split_sentences(['"Is Mr. J. Doe in?" she asked. He was.', "你好！再见。"])
        ['"Is Mr. J. Doe in?" she asked.', 'He was.', '你好！', '再见。']
    """
    sentences = []
    for paragraph in paragraphs:
        for line in paragraph.split("\n"):
            begin = 0
            for end in _ends(line):
                sentences.append(line[begin:end].strip())
                begin = end
            last = line[begin:].strip()
            if last:
                sentences.append(last)
    return sentences


def _ends(line: str) -> Iterator[int]:
    """Where the next sentence begins, for each sentence but the last."""
    begin = 0
    for match in _CANDIDATE.finditer(line):
        if match.lastgroup is None or not _goes_on(line, begin, match):
            begin = match.end()
            yield begin


def _goes_on(line: str, begin: int, match: re.Match[str]) -> bool:
    """Whether the sentence from ``begin`` does not end at the mark of ``match``."""
    next_word = _NEXT_WORD.match(line, match.end())[1]
    if next_word[:1].islower():
        return True
    mark = match.start()
    if match["more"] or line[mark] != ".":
        return False
    near = line[max(begin, mark - _REACH) : mark]
    word = near[near.rfind(" ") + 1 :].lstrip(_OPENERS)
    if len(near) == mark - begin and _NUMBERING.fullmatch(near):
        return True
    lower = word.lower()
    if lower in _TITLES:
        return True
    if lower in _BEFORE_NUMBERS:
        return next_word.isdigit()
    if lower in _UNSURE or _is_initials(word):
        return next_word not in _STARTERS
    return False


def _is_initials(word: str) -> bool:
    """Whether ``word`` is as J, U.S, a.m or Ph.D; "I" is a word."""
    if len(word) == 1:
        return word.isalpha() and word != "I"
    parts = word.split(".")
    return len(parts) > 1 and all(len(one) < 3 and one.isalpha() for one in parts)
