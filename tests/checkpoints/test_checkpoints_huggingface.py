"""kbert/checkpoints/huggingface.py"""

import json
import shutil

import numpy as np
import pytest

import kbert
from kbert.model import model_variables

SIZES = {
    "vocab_size": 41,
    "hidden_size": 12,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "max_position_embeddings": 11,
    "type_vocab_size": 2,
}
# Class of transformers: our heads, by the output of the class that each one gives.
CLASSES = {
    "BertModel": {},
    "BertForPreTraining": {
        "masked_lm": "prediction_logits",
        "next_sentence": "seq_relationship_logits",
    },
    "BertForMaskedLM": {"masked_lm": "logits"},
    "BertForNextSentencePrediction": {"next_sentence": "logits"},
    "BertForSequenceClassification": {"sequence_classifier": "logits"},
    "BertForTokenClassification": {"token_classifier": "logits"},
    "BertForQuestionAnswering": {"span": "start_logits"},
    "BertForMultipleChoice": {"multiple_choice": "logits"},
}
WITHOUT_POOLER = (
    "BertForMaskedLM",
    "BertForTokenClassification",
    "BertForQuestionAnswering",
)


def random_model(name, *, activation="gelu"):
    """A small model of transformers with every weight random."""
    import torch
    import transformers

    torch.manual_seed(3)
    config = transformers.BertConfig(**SIZES, hidden_act=activation, num_labels=3)
    if name == "BertForQuestionAnswering":
        config.num_labels = 2
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            centre = 1.0 if key.endswith("LayerNorm.weight") else 0.0
            weight.normal_(centre, 0.3)
    return model


def random_texts():
    """Three texts of 11, 6 and 1 tokens, by our names."""
    generator = np.random.default_rng(0)
    return {
        "token_ids": generator.integers(0, 41, (3, 11), "int32"),
        "segment_ids": generator.integers(0, 2, (3, 11), "int32"),
        "padding_mask": np.arange(11)[None] < np.array([[11], [6], [1]]),
    }


def their_outputs(model, inputs, **options):
    import torch

    names = {
        "token_ids": "input_ids",
        "segment_ids": "token_type_ids",
        "padding_mask": "attention_mask",
    }
    tensors = {
        theirs: torch.tensor(np.asarray(inputs[ours])).long()
        for ours, theirs in names.items()
    }
    if type(model).__name__ == "BertForMultipleChoice":
        tensors = {name: tensor[None] for name, tensor in tensors.items()}
    with torch.no_grad():
        return model(**tensors, output_hidden_states=True, **options)


def head_output(bert, name, outputs):
    from kbert.heads import HEADS

    source = {"pooled": "pooled_output", "tokens": "sequence_output"}[HEADS[name]]
    return np.asarray(bert.heads[name](outputs[source]))


def assert_same_outputs(bert, model, *, tolerance):
    inputs = random_texts()
    theirs = their_outputs(model, inputs)
    ours = bert.encoder(inputs)
    tokens = inputs["padding_mask"]
    layers = [
        layer.reshape(3, 11, 12).numpy()[tokens] for layer in theirs["hidden_states"]
    ]

    assert len(ours["hidden_states"]) == len(layers) == 4
    for ours_there, theirs_there in zip(ours["hidden_states"], layers, strict=True):
        np.testing.assert_allclose(
            np.asarray(ours_there)[tokens], theirs_there, atol=tolerance
        )
    for name, output in CLASSES[type(model).__name__].items():
        logits, expected = head_output(bert, name, ours), theirs[output].numpy()
        if name == "multiple_choice":
            logits = logits[None, :, 0]
        if name == "span":
            expected = np.stack([expected, theirs["end_logits"].numpy()], -1)
        if logits.shape[:2] == (3, 11):
            logits, expected = logits[tokens], expected[tokens]
        np.testing.assert_allclose(logits, expected, atol=tolerance)


@pytest.mark.oracle
@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_transformers_gives_the_same_outputs_there_and_back(
    name, tmp_path
):
    import transformers

    model = random_model(name)
    model.save_pretrained(tmp_path / "theirs")
    bert = kbert.load(tmp_path / "theirs")
    kbert.save(bert, tmp_path / "ours", format="huggingface")
    back, report = getattr(transformers, name).from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )

    assert set(bert.heads) == set(CLASSES[name])
    assert ("pooled_output" in bert.encoder.output) == (name not in WITHOUT_POOLER)
    assert not any(report.values()), report
    assert_same_outputs(bert, model, tolerance=1e-5)
    assert_same_outputs(bert, back.eval(), tolerance=1e-5)


@pytest.mark.oracle
def test_the_pooled_output_is_that_of_transformers(tmp_path):
    model = random_model("BertModel", activation="gelu_new")
    model.save_pretrained(tmp_path)
    bert = kbert.load(tmp_path)
    inputs = random_texts()

    assert bert.config.activation == "gelu_tanh"
    np.testing.assert_allclose(
        bert.encoder(inputs)["pooled_output"],
        their_outputs(model, inputs)["pooler_output"].numpy(),
        atol=1e-5,
    )
    assert_same_outputs(bert, model, tolerance=1e-5)


@pytest.mark.oracle
def test_the_written_tokenizer_gives_transformers_the_same_ids(folders):
    import transformers

    theirs = transformers.AutoTokenizer.from_pretrained(folders["huggingface"])
    ours = kbert.load(folders["huggingface"]).tokenizer
    texts = ["a bcd e", "Ääf GH?"]

    ids = theirs(texts, padding=True)["input_ids"]
    assert ours(texts)["token_ids"].numpy().tolist() == ids


@pytest.mark.oracle
@pytest.mark.real_data
def test_all_hidden_states_of_real_weights_equal_transformers(shared):
    import torch
    import transformers

    folder = shared / "models" / "minilm-l6-v2"
    lines = (shared / "data" / "stsbenchmark" / "sts-dev.csv").read_text("utf-8")
    texts = [line.split("\t")[5] for line in lines.splitlines()[:100]]
    sentences = (shared / "data" / "conll2003" / "valid.txt").read_text("utf-8")
    for sentence in sentences.split("\n\n")[1:101]:
        words = [line.split()[0] for line in sentence.splitlines() if line]
        texts.append(" ".join(words))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    bert = kbert.load(folder)

    worst = 0.0
    for start in range(0, 200, 50):
        batch = tokenizer(texts[start : start + 50], padding=True, return_tensors="pt")
        with torch.no_grad():
            theirs = model(**batch, output_hidden_states=True)
        mask = batch["attention_mask"].numpy().astype(bool)
        ours = bert.encoder(
            {
                "token_ids": batch["input_ids"].numpy().astype("int32"),
                "segment_ids": batch["token_type_ids"].numpy().astype("int32"),
                "padding_mask": mask,
            }
        )
        pairs = [
            (np.asarray(a)[mask], b.numpy()[mask])
            for a, b in zip(ours["hidden_states"], theirs.hidden_states, strict=True)
        ]
        pairs.append((np.asarray(ours["pooled_output"]), theirs.pooler_output.numpy()))
        worst = max(worst, *(float(abs(a - b).max()) for a, b in pairs))

    assert worst < 2e-5


def test_names_of_older_folders_and_half_precision_are_read(folders, tmp_path):
    from safetensors.numpy import load_file, save_file

    shutil.copytree(folders["huggingface"], tmp_path / "old")
    path = tmp_path / "old" / "model.safetensors"
    arrays = load_file(path)
    arrays["cls.predictions.decoder.weight"] = arrays[
        "bert.embeddings.word_embeddings.weight"
    ]
    arrays["cls.predictions.decoder.bias"] = arrays.pop("cls.predictions.bias")
    arrays["bert.embeddings.position_ids"] = np.arange(9)[None]
    arrays = {
        name.removeprefix("bert.")
        .replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta"): array.astype("float16")
        for name, array in arrays.items()
    }
    save_file(arrays, path)
    transfer = kbert.convert(tmp_path / "old", tmp_path / "new", to="kbert")

    assert transfer.ignored == ("embeddings.position_ids",)
    assert "embeddings.LayerNorm.gamma" in transfer.mapped
    assert "cls.predictions.decoder.bias" in transfer.mapped
    expected = model_variables(kbert.load(folders["huggingface"]))
    for name, weight in model_variables(kbert.load(tmp_path / "new")).items():
        np.testing.assert_array_equal(
            weight, np.asarray(expected[name]).astype("float16").astype("float32")
        )


def test_bfloat16_weights_are_read_as_the_same_numbers(folders, tmp_path):
    import ml_dtypes
    from safetensors.numpy import load_file, save_file

    shutil.copytree(folders["huggingface"], tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    arrays = load_file(path)
    save_file(
        {name: array.astype(ml_dtypes.bfloat16) for name, array in arrays.items()}, path
    )
    bias = kbert.load(tmp_path / "model").heads["masked_lm"].bias

    expected = arrays["cls.predictions.bias"].astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(bias, expected.astype("float32"))


def test_shards_hold_the_same_model_as_one_file(folders):
    one, many = (
        model_variables(kbert.load(folders[name]))
        for name in ("huggingface", "sharded")
    )

    assert one.keys() == many.keys()
    for name, weight in one.items():
        np.testing.assert_array_equal(weight, many[name])


def test_label_names_come_and_go_with_the_config(folders, tmp_path):
    folder = folders["huggingface_labels"]
    fields = json.loads((folder / "config.json").read_text())

    assert kbert.load(folder).labels == ("negative", "neutral", "positive")
    assert fields["label2id"] == {"negative": 0, "neutral": 1, "positive": 2}
    shutil.copytree(folder, tmp_path / "unnamed")
    names = {str(number): f"LABEL_{number}" for number in range(3)}
    (tmp_path / "unnamed" / "config.json").write_text(
        json.dumps({**fields, "id2label": names})
    )
    assert kbert.load(tmp_path / "unnamed").labels == ()


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (["masked_lm"], {"next_sentence"}),
        (["cls.predictions"], {"next_sentence"}),
        (["masked_lm", "next_sentence"], set()),
        (["cls"], set()),
    ],
)
def test_heads_are_left_out_by_our_name_or_by_theirs(folders, names, left):
    bert = kbert.load(folders["huggingface"], without_heads=names)

    assert set(bert.heads) == left


def test_a_classifier_is_left_out_with_its_labels(folders):
    bert = kbert.load(folders["huggingface_labels"], without_heads=["classifier"])

    assert (dict(bert.heads), bert.labels) == ({}, ())


def test_leaving_out_what_is_not_there_is_an_error(folders):
    for name in ("span", "crf"):
        with pytest.raises(kbert.CheckpointError, match=f"no head '{name}' to leave"):
            kbert.load(folders["huggingface"], without_heads=[name])
    with pytest.raises(kbert.InputError, match="without_heads='span' is one string"):
        kbert.load(folders["huggingface"], without_heads="span")


def test_a_missing_pooler_is_accepted_by_name_and_is_then_no_output(folders, tmp_path):
    from damage import removed

    shutil.copytree(folders["huggingface_labels"], tmp_path / "model")
    names = [f"bert.pooler.dense.{name}" for name in ("weight", "bias")]
    removed(*names)(tmp_path / "model")
    bert = kbert.load(
        tmp_path / "model", without_heads=["pooler", "sequence_classifier"]
    )

    assert set(bert.encoder.output) == {"sequence_output", "hidden_states"}
    # A head that reads the pooler cannot do without it.
    with pytest.raises(kbert.CheckpointError, match="pooler.dense.weight is missing"):
        kbert.load(tmp_path / "model", without_heads=["pooler"])


def test_heads_that_no_class_of_transformers_has_together_are_refused(
    make_bert, tmp_path
):
    bert = make_bert({"masked_lm": 37, "span": 2})

    with pytest.raises(kbert.CheckpointError, match=r"the heads masked_lm \+ span"):
        kbert.save(bert, tmp_path / "model", format="huggingface")
    assert list(tmp_path.iterdir()) == []


def test_the_tokenizer_of_tokenizer_json_alone_is_read(folders, tmp_path):
    shutil.copytree(folders["huggingface"], tmp_path / "model")
    tokens = (tmp_path / "model" / "vocab.txt").read_text().split()
    (tmp_path / "model" / "vocab.txt").unlink()
    (tmp_path / "model" / "tokenizer_config.json").unlink()
    normalizer = {"type": "BertNormalizer", "lowercase": False, "strip_accents": True}
    model = {"type": "WordPiece", "vocab": {name: i for i, name in enumerate(tokens)}}
    (tmp_path / "model" / "tokenizer.json").write_text(
        json.dumps({"normalizer": normalizer, "model": model})
    )
    tokenizer = kbert.load(tmp_path / "model").tokenizer

    assert list(tokenizer.vocabulary.tokens) == tokens
    assert (tokenizer.lowercase, tokenizer.strip_accents) == (False, True)
    assert kbert.load(tmp_path / "model", lowercase=True).tokenizer.lowercase


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "lowercase"), [("uncased", True), ("cased", False), ("chinese", True)]
)
def test_case_is_told_by_the_capitals_where_no_file_says_it(
    shared, make_bert, tmp_path, name, lowercase
):
    tokens = shared / "data" / "vocab" / f"bert-base-{name}-vocab.txt"
    size = len(tokens.read_bytes().split(b"\n")) - 1
    bert = make_bert({}, vocabulary_size=size)
    kbert.save(bert, tmp_path / "model", format="huggingface")
    (tmp_path / "model" / "tokenizer_config.json").unlink()
    shutil.copy(tokens, tmp_path / "model" / "vocab.txt")

    assert kbert.load(tmp_path / "model").tokenizer.lowercase is lowercase
