"""A file of words and tags → sentences, and what is wrong with their tags."""

import dataclasses
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
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
_ANOTHER_COLUMN = (
    "Is it the right --label-column (in Python tag_column, label_column of JSON Lines)?"
)
# What IOB and its like would be in other case, or with another sign between.
_LOOKALIKE = re.compile(r"o|[biesluBIESLU]_.+|[biesl]-.+")


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
    for item in read_items([path], options, check_tags=True):
        if gold:
            _check_gold(item, options.format)
        words = tuple(words_of(item))
        if strip_word_digits:
            words = tuple(_PLACE.sub("", word) for word in words)
        # A text has no tags, even if its object does.
        tags = item.tags if item.words is not None else None
        sentences.append(dataclasses.replace(item, words=words, text=None, tags=tags))
    return sentences


def warn_of_no_documents(path: str, format: str, document_column: str | None) -> None:
    """Say that a file tells of no documents, which a context is asked from.

    Warns:
        KbertWarning: it has objects, and no key of them names the document.
    """
    if document_column is None and file_format(path, format) == "jsonl":
        warnings.warn(
            f"{path}: every sentence is a document of its own, so none has a context. "
            "Give --document-column (document_column in Python), or --context none.",
            KbertWarning,
            stacklevel=2,
        )


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
            hint=_ANOTHER_COLUMN,
        )

    def place(sentence: int, word: int) -> dict[str, Any]:
        return place_of(sentences[sentence], word, format=format)

    if scheme is None:
        found = find_scheme(tags, place=place)
        if found == "plain":
            _warn_of_lookalikes(first, place)
        return found
    for tag, where in first.items():
        try:
            entities_of([tag], scheme)
        except InputError as error:
            raise InputError(
                error.what, **place(*where), expected=error.expected
            ) from None
    return scheme


def _warn_of_lookalikes(
    first: Mapping[str, tuple[int, int]], place: Callable[..., dict[str, Any]]
) -> None:
    """Say which tag of a plain file looks like one of IOB: b-per, B_PER, o."""
    for tag, where in first.items():
        if _LOOKALIKE.fullmatch(tag):
            there = place(*where)
            warnings.warn(
                f"{there['where']}, line {there['line']}: tag {tag!r} is read as a "
                "plain one, which makes every such word an entity. If it marks the "
                "words of entities, write B-PER, I-PER and O.",
                KbertWarning,
                stacklevel=3,
            )
            return


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
                    hint=_ANOTHER_COLUMN,
                )


def warn_of_other_columns(
    sentences: Sequence[Item], labels: Sequence[str], *, format: str = "auto"
) -> None:
    """Say that columns are left out, if none of the labels stands in that of the tags.

    Running text has columns too, and only one word of each line would be read.

    Warns:
        KbertWarning: that is so.
    """
    known = set(labels)
    tagged = [item for item in sentences if item.tags]
    if not tagged or any(known.intersection(item.tags) for item in tagged):
        return
    item = tagged[0]
    place = place_of(item, 0, format=format)
    warnings.warn(
        f"{place['where']}: one word of each line is read, in line {place['line']} "
        f"{item.words[0]!r}; {item.tags[0]!r} and the like are no tags that the model "
        "knows. If lines are running text, give --format lines (format in Python).",
        KbertWarning,
        stacklevel=2,
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
