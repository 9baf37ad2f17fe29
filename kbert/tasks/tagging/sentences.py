"""A file of words and tags → sentences, and what is wrong with their tags."""

import dataclasses
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InputError, KbertWarning
from ...features.units import words_of
from ...metrics.tag_schemes import (
    Scheme,
    entities_of,
    find_scheme,
    irregular_places,
)
from ...readers import Item, ReaderOptions, read_items
from ...readers.source import inner_ending

# Digits at the end of a word, but not all of it.
_PLACE = re.compile(r"(?<=.)[0-9]+\Z", re.DOTALL)
_NUM_LISTED = 20


def file_format(path: str, format: str = "auto") -> str:
    """The format of a tagged file: JSON Lines by its ending, else CoNLL columns."""
    if format != "auto":
        return format
    return "jsonl" if inner_ending(path) == ".jsonl" else "conll"


def read_sentences(
    path: str, options: ReaderOptions, *, gold: bool, strip_word_digits: bool
) -> list[Item]:
    """The sentences of one file, all of them, each with its words.

    Args:
        path: of the file.
        options: of its reader.
        gold: whether there have to be tags. Without, a text is split at its blanks.
        strip_word_digits: whether the digits at the end of a word are none of it.

    Raises:
        InputError: the file is not what its format wants, or has no tags; the line is
            named.
    """
    options = dataclasses.replace(options, format=file_format(path, options.format))
    sentences = []
    for item in read_items([path], options):
        if gold:
            _check_gold(item, options.format)
        words = tuple(words_of(item))
        if strip_word_digits:
            words = tuple(_PLACE.sub("", word) for word in words)
        # A text has no tags, even if its object does.
        tags = item.tags if item.words is not None else None
        sentences.append(dataclasses.replace(item, words=words, text=None, tags=tags))
    return sentences


def place_of(item: Item, word: int, *, format: str = "auto") -> dict[str, Any]:
    """Where a word stands: ``where`` and ``line`` of an error."""
    one_a_line = file_format(item.source, format) == "conll"
    return {"where": item.source, "line": item.line + (word if one_a_line else 0)}


def gold_tags(sentences: Sequence[Item]) -> list[Sequence[str]]:
    """The tags of each sentence.

    Raises:
        InputError: a sentence has none.
    """
    for item in sentences:
        if item.tags is None:
            raise InputError(
                "has no tags to score against",
                where=item.source,
                line=item.line,
                hint="Read it with its tags, or predict it only.",
            )
    return [item.tags for item in sentences if item.tags is not None]


def scheme_of(
    sentences: Sequence[Item], scheme: Scheme | None = None, *, format: str = "auto"
) -> Scheme:
    """The scheme of a training file.

    Args:
        sentences: with tags.
        scheme: the one that it has to be; by default the one that it is.
        format: that the file was read in.

    Raises:
        InputError: one tag only, tags of several schemes, or not of ``scheme``.
    """
    tags = gold_tags(sentences)
    first: dict[str, tuple[int, int]] = {}
    for number, own in enumerate(tags):
        for word, tag in enumerate(own):
            first.setdefault(tag, (number, word))
    if len(first) < 2:
        raise InputError(
            f"every tag is {next(iter(first), None)!r}",
            where=sentences[0].source if sentences else None,
            expected="at least two tags to tell apart",
            hint="Is it the right --tag-column (tag_column in Python)?",
        )

    def place(sentence: int, word: int) -> dict[str, Any]:
        return place_of(sentences[sentence], word, format=format)

    if scheme is None:
        return find_scheme(tags, place=place)
    for tag, where in first.items():
        try:
            entities_of([tag], scheme)
        except InputError as error:
            raise InputError(
                error.what, **place(*where), expected=error.expected
            ) from None
    return scheme


def check_known(
    sentences: Sequence[Item], labels: Sequence[str], *, format: str = "auto"
) -> None:
    """Raise ``InputError`` at the first tag that is none of the labels."""
    known = set(labels)
    for item, tags in zip(sentences, gold_tags(sentences), strict=True):
        for word, tag in enumerate(tags):
            if tag not in known:
                more = ", …" if len(labels) > _NUM_LISTED else ""
                raise InputError(
                    f"unknown tag {tag!r}",
                    **place_of(item, word, format=format),
                    expected="one of those of the training data: "
                    f"{', '.join(labels[:_NUM_LISTED])}{more}",
                    hint="Is it the right --tag-column (tag_column in Python)?",
                )


def warn_of_irregular(
    sentences: Sequence[Item], scheme: Scheme, *, format: str = "auto"
) -> None:
    """Say how many tags cannot follow the one before them, and where the first is.

    Warns:
        KbertWarning: there is such a tag.
    """
    places = irregular_places(gold_tags(sentences), scheme)
    if not places:
        return
    item, word = sentences[places[0][0]], places[0][1]
    place, tag = place_of(item, word, format=format), item.tags[word]
    warnings.warn(
        f"{place['where']}: {len(places)} tags break the scheme {scheme}, the first is "
        f"{tag!r} in line {place['line']}. Their entities are taken to be what "
        "conlleval reads.",
        KbertWarning,
        stacklevel=2,
    )


def reader_options(fields: Mapping[str, Any]) -> ReaderOptions:
    """Those fields of a task that its reader obeys."""
    names = [field.name for field in dataclasses.fields(ReaderOptions)]
    return ReaderOptions(**{name: fields[name] for name in names if name in fields})


def _check_gold(item: Item, format: str) -> None:
    if item.words is None:
        raise InputError(
            "holds a text",
            where=item.source,
            line=item.line,
            expected="a list of words and a list of tags",
        )
    if item.tags is None:
        expected = '"tags"' if format == "jsonl" else "a column of tags"
        raise InputError(
            "has no tags", where=item.source, line=item.line, expected=expected
        )
    if "" in item.tags:
        place = place_of(item, item.tags.index(""), format=format)
        raise InputError("empty tag", **place, expected="a tag, or O")
