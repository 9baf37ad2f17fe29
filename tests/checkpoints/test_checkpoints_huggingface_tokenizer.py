"""kbert/checkpoints/huggingface_tokenizer.py: what is BERT's, and what is refused."""

import json
import shutil

import pytest
from damage import (
    Cases,
    Damage,
    assert_one_error,
    edited,
    fields,
    parametrize,
    written,
)

import kbert

SETTINGS, FAST, ADDED = "tokenizer_config.json", "tokenizer.json", "added_tokens.json"
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NORMALIZER = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}
PRE_TOKENIZER = {"type": "BertPreTokenizer"}
NFKC = {"type": "NFKC"}


def fast(change=lambda content: None) -> Damage:
    """Write the ``tokenizer.json`` of a plain BERT, then change it."""

    def damage(folder):
        tokens = (folder / "vocab.txt").read_text().split()
        content = {
            "added_tokens": [added(name, i) for i, name in enumerate(SPECIALS)],
            "normalizer": dict(NORMALIZER),
            "pre_tokenizer": PRE_TOKENIZER,
            "model": {
                "type": "WordPiece",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": {name: i for i, name in enumerate(tokens)},
            },
        }
        change(content)
        (folder / FAST).write_text(json.dumps(content))

    return damage


def added(content, number):
    return {"id": number, "content": content, "special": True}


def part(**changes) -> Damage:
    return fast(lambda content: content.update(changes))


def model(**changes) -> Damage:
    return fast(lambda content: content["model"].update(changes))


def both(*damages) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


def with_spare_rows(folder, count):
    """Lengthen the embedding table by rows that ``vocab.txt`` has no token for."""
    import numpy as np
    from damage import tensors

    def lengthen(arrays):
        for name, array in arrays.items():
            if array.shape[0] == 37:
                more = [(0, count)] + [(0, 0)] * (array.ndim - 1)
                arrays[name] = np.pad(array, more)

    tensors(lengthen)(folder)
    fields("config.json", vocab_size=37 + count)(folder)


def with_added_tokens(damage) -> Damage:
    return lambda folder: [with_spare_rows(folder, 2), damage(folder)]


OTHERS: Cases = {
    "a Japanese tokenizer": (
        fields(SETTINGS, tokenizer_class="BertJapaneseTokenizer"),
        rf"{SETTINGS}: tokenizer_class='BertJapaneseTokenizer'; expected "
        r"BertTokenizer .*: move vocab.txt and tokenizer.json away",
    ),
    "a Japanese tokenizer in config": (
        both(
            edited(SETTINGS, lambda content: content.pop("tokenizer_class")),
            fields("config.json", tokenizer_class="BertJapaneseTokenizer"),
        ),
        r"[^_]config.json: tokenizer_class='BertJapaneseTokenizer'",
    ),
    "MeCab without a class": (
        both(
            edited(SETTINGS, lambda content: content.pop("tokenizer_class")),
            fields(SETTINGS, word_tokenizer_type="mecab"),
        ),
        rf"{SETTINGS}: word_tokenizer_type='mecab'; expected 'basic'",
    ),
    "characters": (
        fields(SETTINGS, subword_tokenizer_type="character"),
        rf"{SETTINGS}: subword_tokenizer_type='character'; expected 'wordpiece'",
    ),
    "a Korean tokenizer": (
        fields(SETTINGS, tokenizer_class="KoBertTokenizer"),
        rf"{SETTINGS}: tokenizer_class='KoBertTokenizer'",
    ),
    "pieces of SentencePiece": (
        written("vocab.txt", "\n".join([*SPECIALS, *"abcdefghijk", "▁a", "▁bc"])),
        r"vocab.txt: 2 tokens of 18 begin with '▁'; expected .* '##'",
    ),
    "class a number": (fields(SETTINGS, tokenizer_class=7), r"tokenizer_class=7"),
    "no basic tokenizer": (
        fields(SETTINGS, do_basic_tokenize=False),
        rf"{SETTINGS}: do_basic_tokenize=False; expected True",
    ),
    "generic class that nothing describes": (
        fields(SETTINGS, tokenizer_class="PreTrainedTokenizerFast"),
        rf"{SETTINGS}: tokenizer_class='PreTrainedTokenizerFast'; expected a "
        rf"{FAST} beside it",
    ),
    "another normalizer": (
        part(normalizer={"type": "Lowercase"}),
        rf"{FAST}: its normalizer is Lowercase; expected BertNormalizer",
    ),
    "a normalizer before": (
        part(normalizer={"type": "Sequence", "normalizers": [NFKC, NORMALIZER]}),
        rf"{FAST}: its normalizer is Sequence of NFKC, BertNormalizer; expected Bert",
    ),
    "no normalizer": (part(normalizer=None), r"its normalizer is null; expected Bert"),
    "a normalizer of no type": (part(normalizer=[7]), r"its normalizer is list"),
    "control characters kept": (
        part(normalizer={**NORMALIZER, "clean_text": False}),
        rf"{FAST}: control characters are kept; expected",
    ),
    "another pre-tokenizer": (
        part(pre_tokenizer={"type": "Metaspace"}),
        rf"{FAST}: its pre_tokenizer is Metaspace; expected BertPreTokenizer",
    ),
    "no pre-tokenizer": (part(pre_tokenizer=None), r"its pre_tokenizer is null"),
    "another model": (
        model(type="WordLevel"),
        rf"{FAST}: its model is WordLevel; expected WordPiece",
    ),
    "an old file of another model": (
        fast(lambda content: content["model"].update(merges=[], type=None)),
        r"its model is BPE; expected WordPiece",
    ),
    "ids of texts with a gap": (
        both(
            model(vocab={"[PAD]": "0", "a": "2"}),
            lambda folder: (folder / "vocab.txt").unlink(),
        ),
        rf"{FAST}: ids have gaps",
    ),
    "another prefix": (
        model(continuing_subword_prefix="@@"),
        rf"{FAST}: continuing_subword_prefix='@@'; expected '##'",
    ),
    "no vocabulary": (
        both(written(FAST, "{}"), lambda folder: (folder / "vocab.txt").unlink()),
        rf"{FAST}: no WordPiece vocabulary",
    ),
}
STRANGERS: Cases = {
    "added_tokens.json": (
        with_added_tokens(written(ADDED, '{"[/E1]": 38, "[E1]": 37}')),
        rf"{ADDED}: adds tokens that the vocabulary does not have at these ids: "
        r"'\[E1\]' \(id 37\), '\[/E1\]' \(id 38\)\. kbert .* without them",
    ),
    "tokenizer.json": (
        with_added_tokens(
            fast(lambda content: content["added_tokens"].append(added("[E1]", 37)))
        ),
        rf"{FAST}: adds tokens .*: '\[E1\]' \(id 37\)\. kbert",
    ),
    "tokenizer.json alone": (
        both(
            fast(lambda content: content["added_tokens"].append(added("[E1]", 37))),
            lambda folder: (folder / "vocab.txt").unlink(),
        ),
        rf"{FAST}: adds tokens .*: '\[E1\]' \(id 37\)\. kbert",
    ),
    "tokenizer_config.json": (
        with_added_tokens(
            fields(SETTINGS, added_tokens_decoder={"37": added("[E1]", 37)})
        ),
        rf"{SETTINGS}: adds tokens .*: '\[E1\]' \(id 37\)\. kbert",
    ),
    "five added": (
        written(ADDED, json.dumps({f"[E{i}]": 37 + i for i in range(5)})),
        r"'\[E0\]' \(id 37\), '\[E1\]' \(id 38\), '\[E2\]' \(id 39\) and 2 more\. ",
    ),
    "another token in its place": (
        fast(lambda content: content["added_tokens"].append(added("[E1]", 7))),
        rf"{FAST}: adds tokens .*: '\[E1\]' \(id 7\)\. kbert",
    ),
    "a token at another id": (
        fast(lambda content: content["added_tokens"].append(added("c", 37))),
        rf"{FAST}: adds tokens .*: 'c' \(id 37\)\. kbert",
    ),
    "list of a text": (
        part(added_tokens="[E1]"),
        rf"{FAST}: added_tokens is of type str; expected a list",
    ),
    "entries of texts": (
        part(added_tokens=["[E1]"]),
        rf"{FAST}: added_tokens holds '\[E1\]'; expected an object",
    ),
    "ids of a list": (
        fields(SETTINGS, added_tokens_decoder=[1]),
        rf"{SETTINGS}: added_tokens_decoder is of type list; expected an object",
    ),
    "a list of contents": (written(ADDED, '["[E1]"]'), rf"{ADDED}: holds a JSON list"),
}
ACCEPTED: dict[str, Damage] = {
    **{
        f"class {name}": fields(SETTINGS, tokenizer_class=name)
        for name in (
            None,
            "BertTokenizer",
            "BertTokenizerFast",
            "BertTokenizerLegacy",
            "DistilBertTokenizerFast",
            "ElectraTokenizer",
        )
    },
    **{
        f"class {name} with its file": both(
            fields(SETTINGS, tokenizer_class=name), fast()
        )
        for name in ("BertTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend")
    },
    "no settings": lambda folder: (folder / SETTINGS).unlink(),
    "their own class before that of the config": fields(
        "config.json", tokenizer_class="BertJapaneseTokenizer"
    ),
    "basic tokenizer": fields(SETTINGS, do_basic_tokenize=True, never_split=None),
    "words and pieces of BERT": fields(
        SETTINGS, word_tokenizer_type="basic", subword_tokenizer_type="wordpiece"
    ),
    "sequences of one": part(
        normalizer={"type": "Sequence", "normalizers": [NORMALIZER]},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [PRE_TOKENIZER]},
    ),
    "an old file": fast(lambda content: content["model"].pop("type")),
    "ids of texts": both(
        fast(
            lambda content: content["model"].update(
                vocab={t: str(i) for t, i in content["model"]["vocab"].items()}
            )
        ),
        lambda folder: (folder / "vocab.txt").unlink(),
    ),
    "parts that are left out": fast(
        lambda content: [content.pop(name) for name in ("normalizer", "pre_tokenizer")]
    ),
    "added tokens of the vocabulary": both(
        fast(lambda content: content["added_tokens"].append(added("c", 7))),
        fields(
            SETTINGS,
            added_tokens_decoder={str(i): added(t, i) for i, t in enumerate(SPECIALS)},
        ),
        written(ADDED, '{"[MASK]": 4}'),
    ),
    "no added tokens": both(
        part(added_tokens=None), fields(SETTINGS, added_tokens_decoder=None)
    ),
    "spare rows": lambda folder: with_spare_rows(folder, 2),
}


@parametrize({"huggingface": {**OTHERS, **STRANGERS}})
def test_a_tokenizer_that_is_not_berts_gives_one_error_that_names_the_file(
    folders, tmp_path, base, damage, message
):
    shutil.copytree(folders[base], tmp_path / base)
    damage(tmp_path / base)

    assert_one_error(tmp_path / base, message)


@pytest.mark.parametrize("name", ACCEPTED)
def test_every_spelling_of_berts_own_tokenizer_gives_the_same_ids(
    folders, tmp_path, name
):
    shutil.copytree(folders["huggingface"], tmp_path / "model")
    ACCEPTED[name](tmp_path / "model")
    ids = kbert.load(tmp_path / "model").tokenizer(["Ab, c"])["token_ids"]

    assert ids.numpy().tolist() == [[2, 5, 32, 1, 7, 3]]


def test_a_generic_class_folds_case_as_its_normalizer_says(folders, tmp_path):
    shutil.copytree(folders["huggingface"], tmp_path / "model")
    part(normalizer={**NORMALIZER, "lowercase": False})(tmp_path / "model")
    settings = fields(SETTINGS, tokenizer_class="TokenizersBackend", do_lower_case=True)
    settings(tmp_path / "model")

    assert kbert.load(tmp_path / "model").tokenizer.lowercase is False


@pytest.mark.parametrize(
    "damage",
    [
        fields(SETTINGS, tokenizer_class="BertJapaneseTokenizer"),
        with_added_tokens(written(ADDED, '{"[E1]": 37, "[/E1]": 38}')),
    ],
)
def test_such_a_model_loads_without_a_tokenizer_as_the_error_advises(
    folders, tmp_path, damage
):
    shutil.copytree(folders["huggingface"], tmp_path / "model")
    damage(tmp_path / "model")
    (tmp_path / "model" / "vocab.txt").unlink()

    assert kbert.load(tmp_path / "model").tokenizer is None


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["plain", "generic"])
def test_tokenizer_files_that_transformers_writes_are_read(folders, tmp_path, name):
    import transformers

    folder = tmp_path / "model"
    shutil.copytree(folders["huggingface"], folder)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    if name == "generic":
        theirs = transformers.PreTrainedTokenizerFast(
            tokenizer_object=theirs.backend_tokenizer
        )
    (folder / SETTINGS).unlink()
    theirs.save_pretrained(folder)
    texts = ["Ab, c", "Ääf GH?"]
    ours = kbert.load(folder).tokenizer.tokenize(texts).to_list()

    assert (folder / FAST).exists()
    assert ours == theirs(texts, add_special_tokens=False)["input_ids"]


@pytest.mark.oracle
@pytest.mark.parametrize("legacy", [False, True])
def test_tokens_that_transformers_added_are_refused(folders, tmp_path, legacy):
    import transformers
    from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

    folder = tmp_path / "model"
    shutil.copytree(folders["huggingface"], folder)
    kind = BertTokenizerLegacy if legacy else transformers.BertTokenizer
    theirs = kind.from_pretrained(folder)
    theirs.add_tokens(["[e1]", "[/e1]"])
    with_spare_rows(folder, 2)
    theirs.save_pretrained(folder)

    assert theirs("[e1] a", add_special_tokens=False)["input_ids"] == [37, 5]
    assert_one_error(folder, r"adds tokens .* '\[e1\]' \(id 37\), '\[/e1\]' \(id 38")


@pytest.mark.real_data
def test_a_real_folder_with_every_tokenizer_file_is_read(shared):
    bert = kbert.load(shared / "models" / "minilm-l6-v2")

    assert (len(bert.tokenizer.vocabulary), bert.tokenizer.lowercase) == (30522, True)
