"""JSON Lines → one item an object: text, a pair of texts, or words with tags."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ..errors import InputError
from .items import Item, ReaderOptions
from .source import display_name, numbered_lines

_TEXT_KEYS = ("text", "sentence", "words", "tokens")
_MAX_DIGITS = 4300  # what Python itself allows since 3.10.7
_TAGS_HINT = "Tags are given by their names, such as O and B-PER, not by numbers."


def read_jsonl(
    path: str, options: ReaderOptions, *, check_tags: bool = False
) -> Iterator[Item]:
    """One object a line; keys that no option names are ignored.

    The text is a string, or a list of strings, which are words; then a ``"tags"`` list
    of as many strings is kept. ``"tags"`` that are something else are ignored, or with
    ``check_tags`` an error; it also lets ``label_column`` name another key of tags.
    Empty lines may stand at the end only. NaN, Infinity, a key twice in one object and
    half of a surrogate pair are refused.

    Raises:
        InputError: a line that is not such an object.
    """
    rows = _objects(path)
    key, document, before = options.text_column, -1, None
    for number, row in rows:
        where = display_name(path)
        key = key or text_key(row, where, number)
        fields = _Fields(row, where, number)
        name = options.document_column
        value = fields.value(name) if name else None
        if not name or document < 0 or value != before:
            document, before = document + 1, value
        yield _item(
            fields, key, options, path=path, document=document, check_tags=check_tags
        )


def first_object(path: str) -> dict[str, Any] | None:
    """The first object of a file; ``None`` if it has none.

    Raises:
        InputError: the file cannot be read, or its first line is no object.
    """
    return next((row for _, row in _objects(path)), None)


class _Fields:
    """The values of one object, checked as they are asked for."""

    def __init__(self, row: dict[str, Any], where: str, line: int) -> None:
        self.row, self.where, self.line = row, where, line

    def fail(self, what: str, expected: str, hint: str | None = None) -> NoReturn:
        raise InputError(
            what, where=self.where, line=self.line, expected=expected, hint=hint
        )

    def value(self, key: str) -> Any:
        if key not in self.row:
            self.fail(
                f"no key {key!r} in the object", f"one of its keys: {_keys(self.row)}"
            )
        return self.row[key]

    def string(self, key: str) -> str:
        value = self.value(key)
        if not isinstance(value, str):
            self.fail(f"{key!r} is {kind_of(value)}", "a string")
        return self._checked(value, key)

    def strings(self, key: str, hint: str | None = None) -> tuple[str, ...]:
        values = self.value(key)
        if not isinstance(values, list):
            self.fail(f"{key!r} is {kind_of(values)}", "a list of strings")
        for index, value in enumerate(values):
            if not isinstance(value, str):
                self.fail(f"{key}[{index}] is {kind_of(value)}", "a string", hint)
            self._checked(value, f"{key}[{index}]")
        return tuple(values)

    def tags(self, key: str, words: int, *, check: bool) -> tuple[str, ...] | None:
        """One tag a word; if there are none such, ``None``, or an error."""
        try:
            tags = self.strings(key, _TAGS_HINT)
            if len(tags) != words:
                self.fail(f"{len(tags)} tags for {words} words", "one tag a word")
        except InputError:
            if check:
                raise
            return None
        return tags

    def identity(self, key: str) -> str:
        value = self.value(key)
        if isinstance(value, str):
            return self._checked(value, key)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(f"{key!r} is {kind_of(value)}", "a string or a whole number")
        return str(value)

    def label(self, key: str) -> str | tuple[str, ...]:
        value = self.value(key)
        if isinstance(value, list):
            return tuple(
                self._one_label(one, f"{key}[{index}]")
                for index, one in enumerate(value)
            )
        return self._one_label(value, key)

    def _one_label(self, value: Any, name: str) -> str:
        if isinstance(value, str):
            return self._checked(value, name)
        if isinstance(value, int | float):  # true and false are such, too
            return json.dumps(value)
        self.fail(
            f"{name!r} is {kind_of(value)}", "a string, a number or a list of them"
        )

    def endings(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        if len(keys) == 1:
            return self.strings(keys[0])
        return tuple(self.string(key) for key in keys)

    def _checked(self, value: str, name: str) -> str:
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            half = f"\\u{ord(value[error.start]):04x}"
            self.fail(f"{name!r} holds {half}, half of a surrogate pair", "both halves")
        return value


def _item(
    fields: _Fields,
    key: str,
    options: ReaderOptions,
    *,
    path: str,
    document: int,
    check_tags: bool,
) -> Item:
    pair, label = options.text_pair_column, options.label_column
    words, tags, text = None, None, None
    if isinstance(fields.value(key), list):
        if pair:
            fields.fail(
                f"{key!r} is a list, with a second text in {pair!r}", "two strings"
            )
        words = fields.strings(key)
        if check_tags and label:
            tags, label = fields.tags(label, len(words), check=True), None
        elif "tags" in fields.row:
            tags = fields.tags("tags", len(words), check=check_tags)
    elif isinstance(fields.value(key), str):
        text = fields.string(key)
    else:
        fields.fail(
            f"{key!r} is {kind_of(fields.value(key))}", "a string or list of strings"
        )
    return Item(
        source=path,
        line=fields.line,
        document=document,
        id=fields.identity(options.id_column) if options.id_column else None,
        text=text,
        text_pair=fields.string(pair) if pair else None,
        words=words,
        tags=tags,
        label=fields.label(label) if label else None,
        endings=fields.endings(options.ending_columns)
        if options.ending_columns
        else None,
    )


def _objects(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    where, blank = display_name(path), None
    for number, line in numbered_lines(path):
        if not line.strip(" \t"):
            blank = blank or number
            continue
        if blank:
            raise InputError(
                "empty line", where=where, line=blank, expected="a JSON object"
            )
        row = _parse(line, where, number)
        if not isinstance(row, dict):
            raise InputError(
                f"holds {kind_of(row)}",
                where=where,
                line=number,
                expected="a JSON object",
            )
        yield number, row


def _parse(line: str, where: str, number: int) -> Any:
    try:
        return DECODER.decode(line)
    except json.JSONDecodeError as error:
        what = f"not JSON at column {error.colno}: {error.msg}"
    except RecursionError:
        what = "nested too deeply"
    except ValueError as error:
        what = f"not accepted: {error}"
    raise InputError(
        what,
        where=where,
        line=number,
        expected="one JSON object on one line",
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_integer
)


def text_key(row: Mapping[str, Any], where: str, number: int) -> str:
    """The key of the text, if no option names it.

    Raises:
        InputError: the object has none of the usual ones.
    """
    for key in _TEXT_KEYS:
        if key in row:
            return key
    raise InputError(
        f"no key called {', '.join(_TEXT_KEYS[:-1])} or {_TEXT_KEYS[-1]}",
        where=where,
        line=number,
        hint=f"Name the text with --text-column; the keys are {_keys(row)}.",
    )


def _keys(row: Mapping[str, Any]) -> str:
    keys = [repr(key) for key in list(row)[:20]]
    return ", ".join(keys + ["…"] * (len(row) > 20)) or "(none)"


def kind_of(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    names = {dict: "an object", list: "a list", str: "a string"}
    return names.get(type(value), f"the number {value!r:.40}")
