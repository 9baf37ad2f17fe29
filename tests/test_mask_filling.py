"""kbert/mask_filling.py"""

import dataclasses

import numpy as np
import pytest

import kbert
from kbert import CheckpointError, ConfigError, InputError
from kbert.heads import build_head
from kbert.mask_filling import filled_masks


@pytest.fixture(scope="module")
def guesser(tiny_bert):
    """The tiny model with a head that guesses tokens."""
    head = build_head("masked_lm", tiny_bert.encoder, tiny_bert.config)
    head.bias.assign(np.random.default_rng(3).normal(size=head.bias.shape))
    return dataclasses.replace(tiny_bert, heads={"masked_lm": head})


def fill_one(text, model, **options):
    (filled,) = kbert.fill_mask([text], model, **options)
    assert filled.text == text
    return filled.masks


def softmax_at(model, ids, position):
    """The probability of each token at one position of one row."""
    vectors = model.encoder(
        {
            "token_ids": np.array([ids]),
            "segment_ids": np.zeros((1, len(ids)), "int32"),
            "padding_mask": np.ones((1, len(ids)), bool),
        }
    )["sequence_output"]
    logits = np.asarray(model.heads["masked_lm"](vectors), "float64")[0, position]
    return np.exp(logits) / np.exp(logits).sum()


def test_guesses_are_the_softmax_of_the_head_at_the_mask(guesser):
    vocabulary = guesser.tokenizer.vocabulary
    a, b = (vocabulary.ids[letter] for letter in "ab")
    cls, sep, mask = vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id

    (guesses,) = fill_one("a [MASK] b", guesser, top=len(vocabulary))
    expected = softmax_at(guesser, [cls, a, mask, b, sep], 2)
    assert {one.token: one.probability for one in guesses} == pytest.approx(
        dict(zip(vocabulary.tokens, expected, strict=True)), abs=1e-6
    )
    ordered = [one.probability for one in guesses]
    assert ordered == sorted(ordered, reverse=True)


def test_each_mask_of_a_text_has_its_own_guesses(guesser):
    vocabulary = guesser.tokenizer.vocabulary
    mask = vocabulary.mask_id
    ids = [vocabulary.cls_id, mask, vocabulary.ids["c"], mask, vocabulary.sep_id]

    found = fill_one("[MASK]c[MASK]", guesser, top=1)
    for guesses, position in zip(found, (1, 3), strict=True):
        expected = softmax_at(guesser, ids, position)
        assert guesses[0].token == vocabulary.tokens[expected.argmax()]
        assert guesses[0].probability == pytest.approx(expected.max(), abs=1e-6)
    assert found[0][0].text == f"{found[0][0].token}c[MASK]".replace("##", "")
    assert found[1][0].text == f"[MASK]c{found[1][0].token}".replace("##", "")


def test_a_text_has_the_same_guesses_in_every_company(guesser):
    texts = ["[MASK]", "a b c d [MASK] e", "x [MASK] y [MASK]"] * 12  # over 2 batches

    together = kbert.fill_mask(texts, guesser, top=3)
    for text, filled in zip(texts[:3], together, strict=False):
        (alone,) = kbert.fill_mask([text], guesser, top=3)
        for ours, theirs in zip(alone.masks, filled.masks, strict=True):
            assert [one.token for one in ours] == [one.token for one in theirs]
            assert [one.probability for one in ours] == pytest.approx(
                [one.probability for one in theirs], abs=1e-6
            )
    assert [one.text for one in together] == texts


def test_a_guess_that_continues_a_word_is_joined_to_it(guesser):
    vocabulary = guesser.tokenizer.vocabulary

    (guesses,) = fill_one("walk [MASK] home", guesser, top=len(vocabulary))
    texts = {guess.token: guess.text for guess in guesses}
    assert texts["##s"] == "walks home"
    assert texts["s"] == "walk s home"
    assert texts["[UNK]"] == "walk [UNK] home"


def test_texts_are_read_as_they_are_needed(guesser):
    def texts():
        yield from ["[MASK]"] * 16
        raise AssertionError("read too early")

    assert next(filled_masks(texts(), guesser)).text == "[MASK]"


def test_a_folder_is_loaded(guesser, tmp_path):
    kbert.save(guesser, tmp_path / "model")

    ours, theirs = (
        fill_one("a [MASK]", one)[0] for one in (guesser, tmp_path / "model")
    )
    assert [one.token for one in ours] == [one.token for one in theirs]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["[MASK]", "no mask"],
            r"text 2 has no \[MASK\]: 'no mask'. Write \[MASK\] whe",
        ),
        (["a [mask]"], r"text 1 has no \[MASK\]"),
        ([""], r"text 1 has no \[MASK\]: ''"),
        (
            ["[MASK]" + " a" * 14],
            "text 1 has 17 tokens; expected at most 16, which the",
        ),
        (["[MASK]", None], "text 2 is None; expected a str"),
        ("a [MASK]", r"texts is one str; expected a list of str"),
    ],
)
def test_texts_that_cannot_be_filled_are_named(guesser, texts, message):
    with pytest.raises(InputError, match=message):
        kbert.fill_mask(texts, guesser)


def test_as_many_tokens_as_the_model_takes_are_fine(guesser):
    assert len(fill_one("[MASK]" + " a" * 13, guesser)[0]) == 5


@pytest.mark.parametrize("top", [0, 10**6, 2.0])
def test_a_number_of_guesses_that_cannot_be_is_named(guesser, top):
    with pytest.raises(ConfigError, match=f"top={top}; expected 1 to "):
        kbert.fill_mask(["[MASK]"], guesser, top=top)


def test_a_model_that_cannot_guess_is_named(guesser, tiny_bert):
    with pytest.raises(CheckpointError, match="has no head masked_lm to guess tokens"):
        kbert.fill_mask(["[MASK]"], tiny_bert)
    with pytest.raises(CheckpointError, match="has no vocabulary"):
        kbert.fill_mask(["[MASK]"], dataclasses.replace(guesser, tokenizer=None))


@pytest.mark.oracle
def test_guesses_are_those_of_transformers(tmp_path):
    import torch
    import transformers

    words = [f"word{letter}" for letter in "abcdefgh"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcd.,", *words, "##s"]
    (tmp_path / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    config = transformers.BertConfig(
        vocab_size=len(tokens) + 3,  # rows that no token has
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=40,
        max_position_embeddings=20,
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    model = transformers.BertForMaskedLM(config).eval()
    model.save_pretrained(tmp_path)
    tokenizer = transformers.BertTokenizer(str(tmp_path / "vocab.txt"))
    tokenizer.save_pretrained(tmp_path)
    pipeline = transformers.pipeline(
        "fill-mask", model=model, tokenizer=tokenizer, top_k=6
    )
    texts = ["a [MASK] wordb.", "WordA,[MASK]s b", "[MASK]", "c [MASK] d [MASK] zz ."]

    for filled in kbert.fill_mask(texts, tmp_path, top=6):
        theirs = pipeline(filled.text)
        theirs = [theirs] if isinstance(theirs[0], dict) else theirs
        for ours, expected in zip(filled.masks, theirs, strict=True):
            named = [one for one in expected if one["token"] < len(tokens)]
            assert len(named) > 1
            for guess, one in zip(ours, named, strict=False):
                assert guess.token == tokens[one["token"]]
                assert guess.probability == pytest.approx(one["score"], abs=1e-6)
