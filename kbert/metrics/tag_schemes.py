"""Tags of one scheme or another ↔ entities, and which tag may follow which."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from ..errors import ConfigError, InputError

Scheme = Literal["iob1", "iob2", "iobes", "bilou", "bmes", "plain"]
Mode = Literal["conlleval", "strict"]
# Sentence and word, from 0 → ``where`` and ``line`` of an error.
Place = Callable[[int, int], Mapping[str, Any]]

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
OUTSIDE = "O"

# What the letters before the hyphen mean: begin, inside, end, single.
_ROLES: Mapping[Scheme, Mapping[str, str]] = {
    "iob1": {"B": "B", "I": "I"},
    "iob2": {"B": "B", "I": "I"},
    "iobes": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "bilou": {"B": "B", "I": "I", "L": "E", "U": "S"},
    "bmes": {"B": "B", "M": "I", "E": "E", "S": "S"},
}
_LETTERS = frozenset(letter for roles in _ROLES.values() for letter in roles)
# A file may begin so many of its entities as another scheme does: human slips.
_SLIPS = 0.05


class Entity(NamedTuple):
    """Words ``start:end`` of a sentence, and what they are; the type may be empty."""

    type: str
    start: int
    end: int


class Transitions(NamedTuple):
    """Which of C tags may follow which.

    Args:
        start: bool ``[C]``, may begin a sentence.
        end: bool ``[C]``, may end one.
        pairs: bool ``[C, C]``, the second may follow the first.
    """

    start: np.ndarray
    end: np.ndarray
    pairs: np.ndarray


class _Tag(NamedTuple):
    """A tag taken apart: B, I, E, S or O, and the type."""

    role: str
    type: str


_NOTHING = _Tag(OUTSIDE, "")


def entities_of(
    tags: Sequence[str], scheme: Scheme, *, mode: Mode = "conlleval"
) -> list[Entity]:
    """The entities that the tags of one sentence mark, in order.

    Args:
        tags: one a word.
        scheme: how they mark.
        mode: what tags that break the scheme mean. ``conlleval`` begins an entity at
            every tag that cannot go on with the one before, whatever its letter.
            ``strict`` takes whole entities only, just as the scheme writes them. Of
            ``plain`` tags, every word that is not ``O`` is an entity in both.

    Raises:
        InputError: a tag that the scheme does not have.

    Example:
        >>> entities_of(["I-PER", "O", "B-LOC", "I-LOC"], "iob2")
        [Entity(type='PER', start=0, end=1), Entity(type='LOC', start=2, end=4)]
        >>> entities_of(["I-PER", "O", "B-LOC", "I-LOC"], "iob2", mode="strict")
        [Entity(type='LOC', start=2, end=4)]

    Source:
        conlleval.pl of the CoNLL shared tasks (``startOfChunk``, ``endOfChunk``;
        ``-r`` for plain tags), and seqeval 1.2.2 (default, and ``mode="strict"``).
        Differs: conlleval.pl knows no S, nor an E after B; such tags are read as
        seqeval's default mode does.
    """
    if mode not in get_args(Mode):
        raise ConfigError(f"mode={mode!r}", expected=" or ".join(get_args(Mode)))
    parsed = [_parse(tag, scheme) for tag in tags]
    if scheme == "plain":
        return [Entity(one.type, i, i + 1) for i, one in enumerate(parsed) if one.type]
    find = _lenient if mode == "conlleval" else _strict
    return find([*parsed, _NOTHING], scheme)


def tags_of(entities: Iterable[Entity], length: int, scheme: Scheme) -> list[str]:
    """Write entities as the tags of a sentence.

    Args:
        entities: in order, apart from each other.
        length: words of the sentence.
        scheme: how to mark; ``plain`` gives every word its entity's type.

    Raises:
        InputError: entities overlap or go beyond the sentence.

    Example:
        >>> tags_of([Entity("PER", 0, 2), Entity("LOC", 2, 3)], 4, "iobes")
        ['B-PER', 'E-PER', 'S-LOC', 'O']
    """
    tags, before = [OUTSIDE] * length, Entity("", 0, 0)
    for entity in entities:
        if not before.end <= entity.start < entity.end <= length:
            raise InputError(
                f"{entity} after {before} in a sentence of {length} words",
                expected="entities in order, which do not overlap",
            )
        tags[entity.start : entity.end] = _written(entity, before, scheme)
        before = entity
    return tags


def find_scheme(
    sentences: Sequence[Sequence[str]], *, place: Place = lambda sentence, word: {}
) -> Scheme:
    """The scheme that the tags of a file are written in.

    Args:
        sentences: their tags.
        place: where a word stands, for errors.

    Returns:
        ``plain`` if no tag begins with a letter and a hyphen, as B-PER does. ``iob1``
        or ``iob2`` by how entities begin; up to 5 % of them may break it.

    Raises:
        InputError: tags of several schemes.

    Example:
        >>> find_scheme([["I-PER", "O"], ["I-LOC", "B-LOC"]])
        'iob1'
    """
    first = _first_places(sentences)
    letters = {tag: _letter(tag) for tag in first if tag != OUTSIDE}
    marked = {letter for letter in letters.values() if letter}
    typed = any("-" in tag for tag, letter in letters.items() if letter)
    if not marked or not (typed or marked & {"B", "I"}):
        return "plain"
    for tag, letter in letters.items():
        if letter is None:
            other = next(one for one in letters if letters[one])
            raise _mixed(f"tag {tag!r} beside {other!r}", place(*first[tag]))
    if marked <= {"B", "I"}:
        return _iob1_or_iob2(sentences, place)
    for scheme in ("iobes", "bilou", "bmes"):
        (single,) = (one for one, role in _ROLES[scheme].items() if role == "S")
        if marked <= _ROLES[scheme].keys() and marked & {"B", single}:
            return scheme
    tag = max(letters, key=lambda one: first[one])
    seen = ", ".join(sorted(marked))
    raise _mixed(f"tag {tag!r} in a file of tags with {seen}", place(*first[tag]))


def irregular_places(
    sentences: Iterable[Sequence[str]], scheme: Scheme
) -> list[tuple[int, int]]:
    """Sentence and word, from 0, of every tag that cannot follow the one before it.

    Raises:
        InputError: a tag that the scheme does not have.
    """
    places = []
    for number, tags in enumerate(sentences):
        before = _NOTHING
        for word, tag in enumerate(tags):
            here = _parse(tag, scheme)
            if not _may_follow(before, here, scheme):
                places.append((number, word))
            before = here
        if not _may_follow(before, _NOTHING, scheme):
            places.append((number, len(tags) - 1))
    return places


def complete_labels(
    sentences: Iterable[Sequence[str]], scheme: Scheme
) -> tuple[str, ...]:
    """The classes of a tagger: ``O``, and all tags of all types that occur, sorted.

    Plain tags come without any that does not occur; those after ``O``, if there is
    one, the most frequent first.

    Raises:
        InputError: a tag that the scheme does not have.

    Example:
        >>> complete_labels([["B-PER", "O"]], "iobes")
        ('O', 'B-PER', 'I-PER', 'E-PER', 'S-PER')
    """
    counts: dict[str, int] = {}
    for tags in sentences:
        for tag in tags:
            counts[tag] = counts.get(tag, 0) + 1
    if scheme == "plain":
        order = sorted(counts, key=lambda tag: (tag != OUTSIDE, -counts[tag], tag))
        return tuple(order)
    types = sorted({_parse(tag, scheme).type for tag in counts if tag != OUTSIDE})
    letters = _ROLES[scheme]
    return (OUTSIDE, *(_joined(letter, one) for one in types for letter in letters))


def allowed_transitions(labels: Sequence[str], scheme: Scheme) -> Transitions:
    """What the scheme allows; every sequence that it writes, and no other.

    Raises:
        InputError: a label that the scheme does not have.

    Example:
        >>> allowed_transitions(["O", "B-PER", "I-PER"], "iob2").pairs.tolist()
        [[True, True, False], [True, True, True], [True, True, True]]
    """
    tags = [_parse(label, scheme) for label in labels]
    return Transitions(
        start=np.array([_may_follow(_NOTHING, one, scheme) for one in tags], bool),
        end=np.array([_may_follow(one, _NOTHING, scheme) for one in tags], bool),
        pairs=np.array(
            [[_may_follow(a, b, scheme) for b in tags] for a in tags], bool
        ).reshape(len(tags), len(tags)),
    )


# === Tags apart and together ===


def _parse(tag: str, scheme: Scheme) -> _Tag:
    if tag == OUTSIDE:
        return _NOTHING
    if scheme == "plain":
        return _Tag("S", tag)
    if scheme not in SCHEMES:
        raise ConfigError(f"scheme={scheme!r}", expected=f"one of {', '.join(SCHEMES)}")
    letter, _, type = tag.partition("-")
    role = _ROLES[scheme].get(letter)
    if role is None:
        letters = ", ".join(f"{one}-…" for one in _ROLES[scheme])
        raise InputError(
            f"tag {tag!r} in the scheme {scheme}", expected=f"O, {letters}"
        )
    return _Tag(role, type)


def _joined(letter: str, type: str) -> str:
    return f"{letter}-{type}" if type else letter


def _letter(tag: str) -> str | None:
    """The letter that a tag of some scheme begins with, or is."""
    letter, _, _ = tag.partition("-")
    return letter if letter in _LETTERS else None


def _written(entity: Entity, before: Entity, scheme: Scheme) -> list[str]:
    inner = entity.end - entity.start - 1
    if scheme == "plain":
        return [entity.type] * (inner + 1)
    if scheme == "iob1":
        touches = before.end == entity.start and before.end > before.start
        roles = "B" if touches and before.type == entity.type else "I"
        roles += "I" * inner
    elif scheme == "iob2":
        roles = "B" + "I" * inner
    else:
        roles = "B" + "I" * (inner - 1) + "E" if inner else "S"
    letters = {role: letter for letter, role in _ROLES[scheme].items()}
    return [_joined(letters[role], entity.type) for role in roles]


# === Reading entities ===


def _lenient(tags: list[_Tag], scheme: Scheme) -> list[Entity]:
    """Cut before every tag that cannot go on with the one before; an O ends them."""
    entities, start, before = [], 0, _NOTHING
    for place, here in enumerate(tags):
        begins = here.role in "BS" or before.role in "OES" or before.type != here.type
        if before.role != OUTSIDE and (begins or here.role == OUTSIDE):
            entities.append(Entity(before.type, start, place))
        if begins:
            start = place
        before = here
    return entities


def _strict(tags: list[_Tag], scheme: Scheme) -> list[Entity]:
    """The entities that are whole; what does not begin or end right is left out."""
    entities, place, before = [], 0, _NOTHING
    while place < len(tags):
        start, place = place, place + 1
        if _begins(before, tags[start], scheme):
            while place < len(tags) and _goes_on(tags[place - 1], tags[place]):
                place += 1
            if _is_whole(tags[place - 1], tags[place], scheme):
                entities.append(Entity(tags[start].type, start, place))
        before = tags[place - 1]
    return entities


def _begins(before: _Tag, here: _Tag, scheme: Scheme) -> bool:
    if scheme != "iob1":
        return here.role in "BS"
    same = before.type == here.type
    if here.role == "I":
        return before.role in "OB" or not same
    return here.role == "B" and before.role != OUTSIDE and same


def _goes_on(before: _Tag, here: _Tag) -> bool:
    inside = before.role in "BI" and here.role in "IE"
    return inside and before.type == here.type


def _is_whole(last: _Tag, following: _Tag, scheme: Scheme) -> bool:
    if scheme == "iob1":
        both_begin = last.role == "B" and following.role == "B"
        return not both_begin or last.type == following.type
    return scheme == "iob2" or last.role in "ES"


def _may_follow(before: _Tag, here: _Tag, scheme: Scheme) -> bool:
    inside = before.role in "BI"
    same = inside and before.type == here.type
    if scheme == "plain":
        return True
    if scheme == "iob1":
        return here.role != "B" or same
    if scheme == "iob2":
        return here.role != "I" or same
    return same if here.role in "IE" else not inside


# === Recognising ===


def _first_places(sentences: Sequence[Sequence[str]]) -> dict[str, tuple[int, int]]:
    """Every tag, and the sentence and word where it stands first."""
    first: dict[str, tuple[int, int]] = {}
    for number, tags in enumerate(sentences):
        for word, tag in enumerate(tags):
            first.setdefault(tag, (number, word))
    return first


def _iob1_or_iob2(sentences: Sequence[Sequence[str]], place: Place) -> Scheme:
    breaks = {
        scheme: irregular_places(sentences, scheme) for scheme in ("iob1", "iob2")
    }
    fewer, more = sorted(("iob2", "iob1"), key=lambda one: len(breaks[one]))
    if len(breaks[fewer]) > _SLIPS * len(breaks[more]):
        raise _mixed(
            f"{len(breaks['iob2'])} entities begin with I-, {len(breaks['iob1'])} "
            "with B- where no other one ends",
            place(*breaks[fewer][0]),
        )
    return fewer


def _mixed(what: str, place: Mapping[str, Any]) -> InputError:
    return InputError(
        what,
        **place,
        expected=f"the tags of one scheme: {', '.join(SCHEMES)}",
        hint="Mend the file, or say which scheme it is with --scheme (scheme= in "
        "Python).",
    )
