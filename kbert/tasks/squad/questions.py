"""A file in SQuAD's format → questions, each with its context and its answers."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from ...errors import InputError
from ...readers.json_file import read_json
from ...readers.jsonl import kind_of
from ...readers.source import display_name


class Answer(NamedTuple):
    """A right answer, as the file has it.

    Args:
        text: its characters.
        start: where the file says that they begin in the context, from 0.
    """

    text: str
    start: int


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """One question on one context.

    Args:
        source: file name as the user gave it.
        line: running number of the question in its file, from 1.
        id: of the question; no two of a file are the same.
        title: of its article; ``""`` if the file has none.
        question: its text.
        context: the text that may hold the answer.
        answers: the right ones, none if there is no answer; ``None`` if the file does
            not say.
    """

    source: str
    line: int
    id: str
    title: str
    question: str
    context: str
    answers: tuple[Answer, ...] | None

    @property
    def golds(self) -> list[str]:
        """The texts of the right answers.

        Raises:
            InputError: the file does not have them.
        """
        if self.answers is None:
            raise InputError(
                f"question {self.id!r} has no key 'answers'",
                where=self.source,
                expected="what is right, to compare with",
            )
        return [answer.text for answer in self.answers]


def read_questions(path: str, *, gold: bool = True) -> list[Question]:
    """Read a file of SQuAD 1.1 or 2.0, CMRC 2018 (squad-style), XQuAD, or their shape.

    Whether answers stand at their ``answer_start`` is not looked at here: scoring does
    not ask for it.

    Args:
        path: file name; endings such as .gz are decompressed.
        gold: whether every question must have ``"answers"``; without, it may.

    Returns:
        All questions, in order. To share out a file by article, go by ``title``.

    Raises:
        InputError: the file is not of this shape; the article, the paragraph and the
            question are named, the first two by number, from 1.
    """
    where = display_name(path)
    content = read_json(path)
    if not isinstance(content, Mapping):
        raise InputError(
            f"holds {kind_of(content)}", where=where, expected='{"data": […]}, as SQuAD'
        )
    questions: list[Question] = []
    seen: set[str] = set()
    for article in _Object(content, where).objects("data", "article"):
        title = article.string("title", default="")
        for paragraph in article.objects("paragraphs", "paragraph"):
            context = paragraph.string("context")
            for entry in paragraph.objects("qas", "question"):
                entry = entry.named(entry.identity("id"))
                question = Question(
                    source=path,
                    line=len(questions) + 1,
                    id=entry.identity("id"),
                    title=title,
                    question=entry.string("question"),
                    context=context,
                    answers=_answers(entry, gold=gold),
                )
                if question.id in seen:
                    entry.fail("its id stands twice in the file", "another id")
                seen.add(question.id)
                questions.append(question)
    if not questions:
        raise InputError("holds no question", where=where, expected="at least one")
    return questions


@dataclasses.dataclass(frozen=True)
class _Object:
    """A JSON object and its place in the file, for errors."""

    fields: Mapping[str, Any]
    where: str
    place: str = ""

    def fail(self, what: str, expected: str) -> NoReturn:
        what = f"{self.place}: {what}" if self.place else what
        raise InputError(what, where=self.where, expected=expected)

    def named(self, name: str) -> "_Object":
        """The same object, called by its id instead of by its number."""
        above = self.place.rpartition(", ")[0]
        return dataclasses.replace(self, place=f"{above}, question {name!r}")

    def value(self, key: str) -> Any:
        if key not in self.fields:
            keys = ", ".join(map(repr, list(self.fields)[:20])) or "(none)"
            self.fail(f"no key {key!r}", f"one of its keys: {keys}")
        return self.fields[key]

    def objects(self, key: str, name: str) -> Iterator["_Object"]:
        """The objects of a list, numbered from 1."""
        values = self.value(key)
        if not isinstance(values, list):
            self.fail(f"{key!r} is {kind_of(values)}", "a list of objects")
        above = f"{self.place}, " if self.place else ""
        for number, value in enumerate(values, 1):
            place = f"{above}{name} {number}"
            if not isinstance(value, Mapping):
                self.fail(f"{name} {number} is {kind_of(value)}", "an object")
            yield _Object(value, self.where, place)

    def string(self, key: str, default: str | None = None) -> str:
        if default is not None and self.fields.get(key) is None:
            return default
        value = self.value(key)
        if not isinstance(value, str):
            self.fail(f"{key!r} is {kind_of(value)}", "a string")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            half = f"\\u{ord(value[error.start]):04x}"
            self.fail(f"{key!r} holds {half}, half of a surrogate pair", "both halves")
        return value

    def identity(self, key: str) -> str:
        value = self.value(key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if whole else self.string(key)

    def whole_number(self, key: str) -> int:
        value = self.value(key)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(f"{key!r} is {kind_of(value)}", "a whole number")
        return value


def _answers(entry: _Object, *, gold: bool) -> tuple[Answer, ...] | None:
    impossible = entry.fields.get("is_impossible", False)
    if not isinstance(impossible, bool):
        entry.fail(f"'is_impossible' is {kind_of(impossible)}", "true or false")
    if "answers" not in entry.fields and not gold:
        return None
    answers = tuple(
        Answer(one.string("text"), one.whole_number("answer_start"))
        for one in entry.objects("answers", "answer")
    )
    if impossible and answers:
        entry.fail(f"'is_impossible' is true, with {len(answers)} answers", "no answer")
    if gold and not answers and entry.fields.get("is_impossible") is False:
        entry.fail("'is_impossible' is false, with no answers", "an answer, or true")
    return answers
