"""A whole run of kbert/finetuning beside the same recipe in PyTorch and transformers"""

import dataclasses
import itertools

import finetuning_runs as runs
import numpy as np
import pytest

import kbert
from kbert.tasks import training_batches

pytestmark = pytest.mark.oracle

STEPS = 12
RATE = 0.02


@pytest.fixture(scope="module")
def start(toy, tmp_path_factory):
    """The folders of one model with a head, as ours and as theirs."""
    folder = tmp_path_factory.mktemp("start")
    bert = kbert.load(toy / "model")
    units = {"sequence_classifier": 2}
    bert = kbert.with_heads(bert, units, labels=("no", "yes"))
    kbert.save(bert, folder / "ours")
    kbert.save(bert, folder / "theirs", format="huggingface")
    return folder


def losses_in_pytorch(folder, batches):
    import torch
    import transformers

    model = transformers.BertForSequenceClassification.from_pretrained(
        folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    model.train()
    names = dict(model.named_parameters())
    plain = [one for one in names if one.endswith("bias") or "LayerNorm" in one]
    groups = [
        {"params": [names[one] for one in plain], "weight_decay": 0.0},
        {
            "params": [names[one] for one in names if one not in plain],
            "weight_decay": 0.01,
        },
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, eps=1e-6)
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, round(0.1 * STEPS), STEPS
    )
    found = []
    for x, y, _ in batches:
        loss = model(
            input_ids=torch.tensor(x["token_ids"].numpy()).long(),
            token_type_ids=torch.tensor(x["segment_ids"].numpy()).long(),
            attention_mask=torch.tensor(x["padding_mask"].numpy()).long(),
            labels=torch.tensor(y["sequence_classifier"].numpy()).long(),
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        found.append(loss.item())
    return found


def test_every_step_of_a_run_is_that_of_pytorch(toy, go, start, tmp_path):
    table = runs.write_table(tmp_path / "train.tsv", 16, seed=4)
    done = go(
        tmp_path / "run",
        model=start / "ours",
        train=table,
        epochs=3,
        batch_size=4,
        learning_rate=RATE,
        dropout=0.0,
        log_every=1,
    )
    ours = [line["loss"] for line in runs.read_lines(done.path)]
    task = dataclasses.replace(kbert.Classification(), labels=("no", "yes"))
    rows = task.rows(
        task.read(str(table)), done.bert.tokenizer, max_length=24, training=True
    )
    batches = training_batches(rows, batch_size=4, seed=5)
    theirs = losses_in_pytorch(start / "theirs", itertools.islice(batches, STEPS))

    assert len(ours) == STEPS
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
