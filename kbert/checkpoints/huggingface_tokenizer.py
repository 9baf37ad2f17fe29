"""The tokenizer files of a Hugging Face folder ↔ vocabulary, case and accents."""

from pathlib import Path
from typing import Any

from .. import io
from ..config import read_json_object
from ..errors import ConfigError
from ..tokenizer import Tokenizer
from ..vocabulary import CLS, MASK, PAD, SEP, UNK, Vocabulary
from .assembly import TokenizerFiles
from .bert_json import read_flag


def read_tokenizer(folder: Path) -> TokenizerFiles | None:
    """Read ``vocab.txt`` (else ``tokenizer.json``) and ``tokenizer_config.json``.

    Returns:
        What they say, or ``None`` if the folder has no vocabulary.

    Raises:
        KbertError: a file is malformed, or the tokenizer is not BERT's.
    """
    vocabulary, fast = folder / "vocab.txt", folder / "tokenizer.json"
    settings = folder / "tokenizer_config.json"
    options = (
        _options(read_json_object(settings), settings) if settings.exists() else {}
    )
    content: dict[str, Any] = {}
    if fast.exists():
        content = read_json_object(fast)
        normalizer = content.get("normalizer")
        if isinstance(normalizer, dict) and normalizer.get("type") == "BertNormalizer":
            options = {**_options(normalizer, fast), **options}
    if vocabulary.exists():
        tokens = Vocabulary.from_file(vocabulary)
    elif content:
        tokens, vocabulary = _tokens(content, fast), fast
    else:
        return None
    lowercase, strip_accents = options.get("lowercase"), options.get("strip_accents")
    return TokenizerFiles(tokens, lowercase, strip_accents, vocabulary)


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


def _options(fields: dict[str, Any], path: Path) -> dict[str, bool]:
    """Case and accents by our names; what is null or absent is left out."""
    names = {
        "do_lower_case": "lowercase",
        "lowercase": "lowercase",
        "strip_accents": "strip_accents",
        "tokenize_chinese_chars": "chinese",
        "handle_chinese_chars": "chinese",
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
    return options


def _tokens(content: dict[str, Any], path: Path) -> Vocabulary:
    model = content.get("model")
    ids = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(ids, dict) or model.get("type", "WordPiece") != "WordPiece":
        raise ConfigError("no WordPiece vocabulary", where=path)
    if sorted(map(str, ids.values())) != sorted(map(str, range(len(ids)))):
        raise ConfigError("ids have gaps", where=path, expected="0, 1, 2, …")
    return Vocabulary.from_tokens(sorted(ids, key=lambda token: ids[token]))
