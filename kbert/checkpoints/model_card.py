"""A model → the short README of its directory."""

import math
from collections.abc import Mapping
from typing import Any

from ..model import Bert, model_variables

_TEMPLATE = """\
# BERT, {layers} layers of {width}

{count} parameters: {layers} layers, {heads} attention heads, hidden size {width},
feed-forward size {inner}, {vocabulary} word pieces, at most {length} tokens,
{activation}.

- Tokenizer: {tokenizer}
- Heads: {names}
- Labels: {labels}
{results}
Made by kbert. `manifest.json` has the SHA-256 of every file that is loaded; nothing
here can run code.

```python
import kbert

bert = kbert.load("path/of/this/folder")
outputs = bert.encoder(bert.tokenizer(["Some text."]))
```
"""

_RESULTS = """
## {kind}

Fine-tuned in {steps} steps. On the held-out file:

| figure | value |
|---|---|
{rows}

```sh
kbert evaluate path/of/this/folder LABELLED_FILE
kbert predict path/of/this/folder FILE -o predictions{ending}
```
"""

# Of the files that kinds of tasks write; the others write tables.
_ENDINGS = {"ner": ".conll", "qa": ".json"}


def model_card(bert: Bert) -> str:
    """The text of ``README.md``, in Markdown: what the model is and how to load it."""
    config, tokenizer = bert.config, bert.tokenizer
    case = "no vocabulary"
    if tokenizer is not None:
        case = f"WordPiece, {'uncased' if tokenizer.lowercase else 'cased'}"
    weights = model_variables(bert).values()
    return _TEMPLATE.format(
        count=f"{sum(math.prod(weight.shape) for weight in weights):,}",
        layers=config.num_layers,
        heads=config.num_heads,
        width=config.hidden_dim,
        inner=config.intermediate_dim,
        vocabulary=config.vocabulary_size,
        length=config.max_sequence_length,
        activation="exact GELU" if config.activation == "gelu" else "tanh GELU",
        tokenizer=case,
        names=", ".join(bert.heads) or "none",
        labels=", ".join(bert.labels) or "none",
        results=_results(bert.training),
    )


def _results(training: Mapping[str, Any]) -> str:
    """What a fine-tuned model was measured to do, and how to use it."""
    task, best, dev = (training.get(name) for name in ("task", "best", "dev"))
    if not all(isinstance(one, Mapping) for one in (task, best, dev)):
        return ""
    rows = [
        f"| {name} | {value:.4f} |"
        for name, value in dev.items()
        if isinstance(value, float)
    ]
    kind = str(task.get("kind"))
    return _RESULTS.format(
        kind=kind,
        ending=_ENDINGS.get(kind, ".tsv"),
        steps=best.get("step"),
        rows="\n".join(rows) or "| (there was none) | |",
    )
