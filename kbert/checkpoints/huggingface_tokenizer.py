"""The tokenizer files of a Hugging Face folder ↔ vocabulary, case and accents."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import io
from ..config import read_json_object
from ..errors import CheckpointError, ConfigError
from ..tokenizer import Tokenizer
from ..vocabulary import CLS, CONTINUATION, MASK, PAD, SEP, UNK, Vocabulary
from .assembly import TokenizerFiles
from .bert_json import read_flag

_SETTINGS, _FAST = "tokenizer_config.json", "tokenizer.json"
_MOVE = "move vocab.txt and tokenizer.json away to load the model without a tokenizer."
_OTHER = f"kbert has no other tokenizer than BERT's: {_MOVE}"
# Classes of transformers that are BERT's tokenizer, with or without "Fast" after it.
_BERT_CLASSES = (
    "BertTokenizer",
    "BertTokenizerLegacy",
    "DistilBertTokenizer",
    "ElectraTokenizer",
)
# Those that do what tokenizer.json says, whatever that is; no setting changes it.
_GENERIC_CLASSES = ("PreTrainedTokenizerFast", "TokenizersBackend")
# Settings of other tokenizers, with the only values that are BERT's. BertTokenizer of
# transformers 5 does not look at the first one; the slow tokenizers do.
_PLAIN = {
    "do_basic_tokenize": (None, True),
    "word_tokenizer_type": (None, "basic"),
    "subword_tokenizer_type": (None, "wordpiece"),
}
_PARTS = {
    "normalizer": "BertNormalizer",
    "pre_tokenizer": "BertPreTokenizer",
    "model": "WordPiece",
}
_WORD_START = "▁"


def read_tokenizer(folder: Path, config: Mapping[str, Any]) -> TokenizerFiles | None:
    """Read ``vocab.txt`` (else ``tokenizer.json``) and ``tokenizer_config.json``.

    Args:
        folder: the model's.
        config: fields of its ``config.json``, which older folders name the class in.

    Returns:
        What they say, or ``None`` if the folder has no vocabulary.

    Raises:
        KbertError: a file is malformed, the tokenizer is not BERT's, or it has tokens
            that the vocabulary does not have.
    """
    source, fast, path = (folder / name for name in ("vocab.txt", _FAST, _SETTINGS))
    if not source.exists() and not fast.exists():
        return None
    settings = read_json_object(path) if path.exists() else {}
    content = read_json_object(fast) if fast.exists() else {}
    _check_settings(settings, path)
    generic = _is_generic(settings, config, folder)
    options = _options(_check_parts(content, fast), fast)
    if not generic:
        options |= _options(settings, path)
    if source.exists():
        vocabulary = Vocabulary.from_file(source)
    else:
        vocabulary, source = _tokens(content, fast), fast
    _check_pieces(vocabulary, source)
    for place, added in _added_tokens(folder, settings, content):
        _check_added(added, vocabulary, place)
    lowercase, strip_accents = options.get("lowercase"), options.get("strip_accents")
    return TokenizerFiles(vocabulary, lowercase, strip_accents, source)


def write_tokenizer(tokenizer: Tokenizer, folder: Path, *, max_length: int) -> None:
    """Write ``vocab.txt`` and ``tokenizer_config.json``.

    Args:
        tokenizer: what to write.
        folder: where to.
        max_length: longest input of the model.
    """
    tokenizer.vocabulary.save(folder / "vocab.txt")
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
        "tokenize_chinese_chars": True,
        "model_max_length": max_length,
        "pad_token": PAD,
        "unk_token": UNK,
        "cls_token": CLS,
        "sep_token": SEP,
        "mask_token": MASK,
    }
    io.write_json(folder / "tokenizer_config.json", settings)


def _check_settings(settings: Mapping[str, Any], path: Path) -> None:
    for name, plain in _PLAIN.items():
        if settings.get(name) not in plain:
            raise CheckpointError(
                f"{name}={settings[name]!r}",
                where=path,
                expected=repr(plain[-1]),
                hint=_OTHER,
            )


def _is_generic(
    settings: Mapping[str, Any], config: Mapping[str, Any], folder: Path
) -> bool:
    """Whether the tokenizer's class leaves all to ``tokenizer.json``.

    The settings name the class, else ``config.json`` does, else it is BERT's.
    """
    name, path = settings.get("tokenizer_class"), folder / _SETTINGS
    if name is None:
        name, path = config.get("tokenizer_class"), folder / "config.json"
    expected = "BertTokenizer or BertTokenizerFast"
    if name in _GENERIC_CLASSES:
        if (folder / _FAST).exists():
            return True
        # Nothing says what it does with a text; transformers does not load it either.
        expected = f"a {_FAST} beside it"
    elif name is None or str(name).removesuffix("Fast") in _BERT_CLASSES:
        return False
    raise CheckpointError(
        f"tokenizer_class={name!r}", where=path, expected=expected, hint=_OTHER
    )


def _check_parts(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Refuse a ``tokenizer.json`` of another tokenizer, whatever its class.

    ``BertTokenizer`` obeys the file in transformers 4 and puts BERT's own parts into
    their places in transformers 5: with other parts, the ids depend on the version.

    A part that is null is no step at all: nothing cleans the text, or splits it into
    words. The tokenizers library always writes all parts; one that the file leaves out
    says nothing, like a setting that is absent.

    Returns:
        The normalizer, ``{}`` if left out.
    """
    parts = {name: _alone(content[name]) for name in _PARTS if name in content}
    for name, part in parts.items():
        if _kind(part) != _PARTS[name]:
            raise CheckpointError(
                f"its {name} is {_kind(part)}",
                where=path,
                expected=_PARTS[name],
                hint=_OTHER,
            )
    prefix = parts.get("model", {}).get("continuing_subword_prefix", CONTINUATION)
    if prefix != CONTINUATION:
        raise CheckpointError(
            f"continuing_subword_prefix={prefix!r}",
            where=path,
            expected=repr(CONTINUATION),
            hint=_OTHER,
        )
    return parts.get("normalizer", {})


def _alone(part: Any) -> Any:
    """The step of a Sequence that has one only, which does the same; else the part."""
    while isinstance(part, dict) and len(_steps(part)) == 1:
        part = _steps(part)[0]
    return part


def _steps(part: Mapping[str, Any]) -> list[Any]:
    steps = part.get("normalizers", part.get("pretokenizers"))
    is_sequence = part.get("type") == "Sequence" and isinstance(steps, list)
    return steps if is_sequence else []


def _kind(part: Any) -> str:
    """The type of a part, and of the steps of a Sequence."""
    if not isinstance(part, dict):
        return "null" if part is None else type(part).__name__
    kinds = [
        str(step.get("type")) if isinstance(step, dict) else repr(step)
        for step in _steps(part)
    ]
    if kinds:
        return f"Sequence of {', '.join(kinds)}"
    if part.get("type") is None and "vocab" in part:
        # bert-base-uncased has a file of 2020, when models had no type.
        return "BPE" if "merges" in part else "WordPiece"
    return str(part.get("type"))


def _options(fields: Mapping[str, Any], path: Path) -> dict[str, bool]:
    """Case and accents by our names; what is null or absent is left out."""
    names = {
        "do_lower_case": "lowercase",
        "lowercase": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "chinese",
        "handle_chinese_chars": "chinese",
        "clean_text": "clean",
    }
    options = {}
    for theirs, ours in names.items():
        value = read_flag(fields, theirs, where=path)
        if value is not None:
            options[ours] = value
    if not options.pop("chinese", True):
        raise ConfigError(
            "Chinese characters are kept together",
            where=path,
            expected="a BERT tokenizer, which takes them one by one",
        )
    if not options.pop("clean", True):
        raise CheckpointError(
            "control characters are kept",
            where=path,
            expected="a BERT tokenizer, which deletes them",
            hint=_OTHER,
        )
    return options


def _tokens(content: Mapping[str, Any], path: Path) -> Vocabulary:
    ids = content.get("model", {}).get("vocab")
    if not isinstance(ids, dict):
        raise ConfigError("no WordPiece vocabulary", where=path)
    if sorted(map(str, ids.values())) != sorted(map(str, range(len(ids)))):
        raise ConfigError("ids have gaps", where=path, expected="0, 1, 2, …")
    return Vocabulary.from_tokens(sorted(ids, key=lambda token: int(ids[token])))


def _check_pieces(vocabulary: Vocabulary, path: Path) -> None:
    """Refuse SentencePiece: the folders of KoBERT have no setting that tells it."""
    starts = sum(token.startswith(_WORD_START) for token in vocabulary.tokens)
    if starts > len(vocabulary) // 20:
        raise CheckpointError(
            f"{starts} tokens of {len(vocabulary)} begin with {_WORD_START!r}",
            where=path,
            expected=f"WordPiece, which marks what continues a word: {CONTINUATION!r}",
            hint=_OTHER,
        )


def _added_tokens(
    folder: Path, settings: Mapping[str, Any], content: Mapping[str, Any]
) -> Iterator[tuple[Path, list[tuple[Any, Any]]]]:
    """Each file that adds tokens, and their contents and ids as they stand there."""
    path = folder / "added_tokens.json"
    if path.exists():
        yield path, list(read_json_object(path).items())
    path = folder / _FAST
    entries = _field(content, "added_tokens", list, path)
    yield path, [(entry.get("content"), entry.get("id")) for entry in entries]
    path = folder / _SETTINGS
    entries = _field(settings, "added_tokens_decoder", dict, path)
    yield path, [(entry.get("content"), number) for number, entry in entries.items()]


def _field(fields: Mapping[str, Any], name: str, kind: type, path: Path) -> Any:
    """A list or an object whose values are objects; empty if null or absent."""
    value = fields.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise ConfigError(
            f"{name} is of type {type(value).__name__}",
            where=path,
            expected="a list" if kind is list else "an object",
        )
    for entry in value.values() if isinstance(value, dict) else value:
        if not isinstance(entry, dict):
            raise ConfigError(
                f"{name} holds {entry!r}", where=path, expected="an object for each"
            )
    return value


def _check_added(
    added: Iterable[tuple[Any, Any]], vocabulary: Vocabulary, path: Path
) -> None:
    """Refuse tokens that transformers matches whole and we would cut to pieces."""
    ids = vocabulary.ids
    strangers = [
        f"{content!r} (id {number})"
        for content, number in sorted(added, key=_by_id)
        if not isinstance(content, str)
        or content not in ids
        or str(ids[content]) != str(number)  # ids that are keys are text
    ]
    if strangers:
        more = f" and {len(strangers) - 3} more" if len(strangers) > 3 else ""
        raise CheckpointError(
            "adds tokens that the vocabulary does not have at these ids: "
            f"{', '.join(strangers[:3])}{more}",
            where=path,
            hint="kbert would cut them to pieces, at the end of vocab.txt too: "
            f"fine-tune or export the model without them, or {_MOVE}",
        )


def _by_id(added: tuple[Any, Any]) -> tuple[int, str]:
    """Orders ids that are numbers or their text."""
    return len(str(added[1])), str(added[1])
