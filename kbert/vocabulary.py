"""A vocabulary file, one token a line → the checked, unchangeable list of tokens."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from . import io
from .errors import InputError

PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
)
CONTINUATION = "##"
MAX_TOKEN_BYTES = 256  # what the WordPiece trie of tensorflow_text takes
_BLANKS = " \t\v\f\r"


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The tokens in order; a token's id is its place, from 0.

    Build it with ``from_file`` or ``from_tokens``, which check the tokens.

    Args:
        tokens: every token; those that continue a word begin with ``##``.
    """

    tokens: tuple[str, ...]

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Read a ``vocab.txt``: UTF-8, one token a line, only ``\\n`` ends a line.

        Raises:
            InputError: not such a file; a line is empty, twice there, or begins or ends
                with blanks; a special token is missing. The line is named.
        """
        path = Path(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=path) from error
        lines = content.removesuffix(b"\n").split(b"\n")
        if content.startswith(b"\xef\xbb\xbf"):
            raise InputError(
                "begins with a byte order mark",
                where=path,
                line=1,
                hint="Save it as UTF-8 without BOM.",
            )
        tokens = [_decode(line, number, path) for number, line in enumerate(lines, 1)]
        return cls._checked(tokens, path)

    @classmethod
    def from_tokens(cls, tokens: Iterable[str]) -> "Vocabulary":
        """Check a list of tokens as if it was a file.

        Raises:
            InputError: as from ``from_file``, or a token is not a str.
        """
        if isinstance(tokens, str | bytes) or not isinstance(tokens, Iterable):
            raise InputError(
                f"the tokens are of type {type(tokens).__name__}",
                expected="a list of str",
                hint="The path of a file goes to from_file.",
            )
        return cls._checked(list(tokens), "vocabulary list")

    @classmethod
    def _checked(cls, tokens: list[str], where: str | Path) -> "Vocabulary":
        first_line: dict[str, int] = {}
        for line, token in enumerate(tokens, 1):
            problem = _problem(token)
            if problem is None and token in first_line:
                problem = (
                    f"token {token!r} stands on line {first_line[token]} already",
                    "Each token has one id: delete or rename one of them.",
                )
            if problem is not None:
                what, hint = problem
                raise InputError(what, where=where, line=line, hint=hint)
            first_line[token] = line
        missing = [token for token in SPECIAL_TOKENS if token not in first_line]
        if missing:
            raise InputError(
                f"{', '.join(missing)} missing after line {len(tokens)}",
                where=where,
                expected=f"a line for each of {', '.join(SPECIAL_TOKENS)}",
            )
        return cls(tuple(tokens))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokens as ``from_file`` reads them."""
        io.write_bytes(path, self._content)

    def __len__(self) -> int:
        return len(self.tokens)

    @functools.cached_property
    def ids(self) -> dict[str, int]:
        """The id of each token."""
        return {token: number for number, token in enumerate(self.tokens)}

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the file that ``save`` writes."""
        return hashlib.sha256(self._content).hexdigest()

    @functools.cached_property
    def is_cased(self) -> bool:
        """Whether capitals are usual in it: more than one token in twenty has some.

        A quarter of the tokens of bert-base-cased have some, 2 tokens of
        bert-base-chinese, none of bert-base-uncased.
        """
        cased = sum(
            token != token.lower() and not token.startswith("[")
            for token in self.tokens
        )
        return cased > len(self) // 20

    @property
    def pad_id(self) -> int:
        """The id of [PAD], which fills the places after a text."""
        return self.ids[PAD]

    @property
    def unk_id(self) -> int:
        """The id of [UNK], which stands for a word that cannot be made of tokens."""
        return self.ids[UNK]

    @property
    def cls_id(self) -> int:
        """The id of [CLS], which opens every input."""
        return self.ids[CLS]

    @property
    def sep_id(self) -> int:
        """The id of [SEP], which closes every part."""
        return self.ids[SEP]

    @property
    def mask_id(self) -> int:
        """The id of [MASK], which hides a token from the model."""
        return self.ids[MASK]

    @property
    def _content(self) -> bytes:
        return "".join(f"{token}\n" for token in self.tokens).encode("utf-8")


def _decode(line: bytes, number: int, path: Path) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"0x{line[error.start]:02x}, byte {error.start + 1} of the line,"
        raise InputError(
            f"{byte} is not UTF-8",
            where=path,
            line=number,
            hint="Convert the file to UTF-8.",
        ) from error


def _problem(token: str) -> tuple[str, str] | None:
    """What is wrong with one token, and the way out.

    The original strips each line. A token that would change into one which can match
    is refused; the others (bert-base-chinese has U+2028) never match a word anyway.
    """
    if not isinstance(token, str):
        return f"{token!r} is no str", "Give every token as str."
    if token.endswith("\r"):
        hint = "Convert its Windows line ends (CRLF): sed -i 's/\\r$//' FILE."
        return "ends with a carriage return", hint
    if not token.strip(_BLANKS):
        return "is empty", "Ids are line numbers: put [unused0], or any unused token."
    if "\n" in token or "\0" in token:
        return f"token {token!r} holds a line end or NUL", "Split it, or delete it."
    if token != token.strip() and token.strip() not in ("", CONTINUATION):
        return f"token {token!r} begins or ends with a blank", "Delete the blank."
    if not token.isascii() and any("\ud800" <= char <= "\udfff" for char in token):
        return f"token {token!r} holds a lone surrogate", "Give it as valid Unicode."
    size = len(token.removeprefix(CONTINUATION).encode("utf-8"))
    if size > MAX_TOKEN_BYTES:
        what = f"token {token[:20] + '…'!r} has {size} bytes, above {MAX_TOKEN_BYTES}"
        return what, "Put an unused token in its place, to keep the other ids."
    return None
