"""`kbert finetune`: a labelled file → a model for a task, scored on another file."""

from typing import TYPE_CHECKING, Any

import click

from .options import (
    StepBar,
    say_what_draws_curves,
    show_figures,
    warnings_in_one_line,
)
from .quiet import import_tensorflow
from .task_options import (
    choice_options,
    class_weights,
    classify_options,
    given,
    ner_options,
    qa_options,
    regress_options,
)
from .training_options import (
    asks_for_several_runs,
    file_options,
    refuse_without_dev,
    search_of,
    settings_of,
    training_options,
)

if TYPE_CHECKING:
    from kbert.finetuning import FineTuned, Moment


@click.group(no_args_is_help=True)
def finetune() -> None:
    """Train a BERT for a task on a labelled file.

    The run's folder gets model/, which kbert evaluate, kbert predict and every --model
    take; metrics.json; dev/ with predictions and reports; log.jsonl and curves.png. A
    killed run goes on with --resume and ends with the same bits. Several learning rates
    or batch sizes are tried one after the other in runs/, and so are --seeds; what is
    done is never done again. The figures on --dev go to standard output.

    \b
    Examples:
      kbert finetune classify --model MODEL --train train.tsv --dev dev.tsv -o run
      kbert finetune ner --model MODEL --train eng.train --dev eng.testa -o run
      kbert evaluate run test.tsv
      kbert predict run unlabelled.tsv -o predictions.tsv
    """


@finetune.command(no_args_is_help=True)
@file_options
@classify_options
@training_options
@click.pass_context
def classify(ctx: click.Context, **options: Any) -> None:
    """Tell the class of a text or of a pair of texts, or any number of labels.

    Files are .tsv, .csv or .jsonl with named columns, or the official ones of --glue.

    \b
    Examples:
      kbert finetune classify --train train.tsv --dev dev.tsv -o run
      kbert finetune classify --model bert --glue MRPC --grid --seeds 5 \\
          --train msr_paraphrase_train.txt --dev dev.tsv -o mrpc
      kbert finetune classify --train aspects.csv --dev dev.csv -o absa \\
          --text-column sentence --text-pair-column aspect --label-column polarity
    """
    options["class_weights"] = class_weights(options["class_weights"])
    names = ("multi_label", "label_separator", "class_weights", "glue", *_TABLE)
    _finetune("classify", given(options, names), options, ctx)


@finetune.command(no_args_is_help=True)
@file_options
@regress_options
@training_options
@click.pass_context
def regress(ctx: click.Context, **options: Any) -> None:
    """Give a number to a text or to a pair of texts.

    \b
    Examples:
      kbert finetune regress --model bert --glue STS-B --train sts-train.csv \\
          --dev sts-dev.csv -o stsb
      kbert finetune regress --train stars.tsv --dev dev.tsv -o run \\
          --text-column review --label-column stars
    """
    _finetune("regress", given(options, ("glue", *_TABLE)), options, ctx)


@finetune.command(no_args_is_help=True)
@file_options
@ner_options
@training_options
@click.pass_context
def ner(ctx: click.Context, **options: Any) -> None:
    """Tag every word: named entities, parts of speech, or any other tags.

    Files are CoNLL columns, which have numbers from 0, or .jsonl with lists of words
    and tags. No word goes unscored, however long its sentence is. The figures are those
    of conlleval.

    \b
    Examples:
      kbert finetune ner --model bert-cased --train eng.train --dev eng.testa \\
          --context document --max-length 512 --batch-size 16 -o conll
      kbert finetune ner --train train.bio --dev dev.bio --crf -o run
      kbert finetune ner --train train.jsonl --dev dev.jsonl --label-column ner_tags \\
          -o run
    """
    from kbert.readers.conll import numbered_columns

    options["class_weights"] = class_weights(options["class_weights"])
    names = (
        "word_column",
        "tag_column",
        "text_column",
        "label_column",
        "document_column",
        "format",
        "scheme",
        "crf",
        "class_weights",
        "context",
        "stride",
        "strip_word_digits",
    )
    fields = numbered_columns(
        options["train"], given(options, names), format=options["format"] or "auto"
    )
    _finetune("ner", fields, options, ctx)


@finetune.command(no_args_is_help=True)
@file_options
@qa_options
@training_options
@click.pass_context
def qa(ctx: click.Context, **options: Any) -> None:
    """Answer questions from a text: SQuAD 1.1 and 2.0, and files of the same shape.

    \b
    Examples:
      kbert finetune qa --model bert --train train-v2.0.json --dev dev-v2.0.json \\
          --max-length 384 --batch-size 24 --learning-rate 3e-5 --epochs 2 -o squad
      kbert finetune qa --model chinese --train cmrc2018_train.json \\
          --dev cmrc2018_dev.json --scorer cmrc --skip-bad \\
          --max-answer-length 100 -o cmrc
    """
    names = (
        "version_2",
        "max_answer_length",
        "n_best",
        "doc_stride",
        "max_query_length",
        "null_threshold",
        "scorer",
        "skip_bad",
    )
    _finetune("qa", given(options, names), options, ctx)


@finetune.command(no_args_is_help=True)
@file_options
@choice_options
@training_options
@click.pass_context
def choice(ctx: click.Context, **options: Any) -> None:
    """Tell which of several endings follows a prompt: SWAG, and what is shaped so.

    \b
    Examples:
      kbert finetune choice --model bert --train train.csv --dev val.csv \\
          --batch-size 16 --learning-rate 2e-5 -o swag
      kbert finetune choice --train train.jsonl --dev dev.jsonl -o run
    """
    _finetune("choice", given(options, ("ending_columns", *_TABLE)), options, ctx)


_TABLE = (
    "text_column",
    "text_pair_column",
    "label_column",
    "id_column",
    "header",
    "format",
    "uneven_rows",
)


def _finetune(
    kind: str,
    fields: dict[str, Any],
    options: dict[str, Any],
    ctx: click.Context,
) -> None:
    """Run it, once or as often as was asked for, and show the figures."""
    several = asks_for_several_runs(options, ctx)
    if several and options["dev"] is None:
        raise click.UsageError("Several runs need --dev to choose among them.")
    refuse_without_dev(options, ctx)
    import_tensorflow()
    from kbert.finetuning import finetune, search
    from kbert.tasks import task_class

    how = {name: options[name] for name in ("train", "dev", "output")}
    how |= {name: options[name] for name in ("resume", "overwrite")}
    how["settings"] = settings_of(options)
    if several:
        how["tried"] = search_of(options, ctx)
    run = search if several else finetune
    task = task_class(kind)(**fields)
    with StepBar() as bar, warnings_in_one_line():
        how["progress"] = lambda moment: _show(bar, moment)
        done = run(task, options["model"], **how)
    _report(done)


def _show(bar: StepBar, moment: "Moment") -> None:
    bar.advance(
        moment.step,
        moment.steps,
        tokens=moment.tokens,
        figures=lambda: {} if moment.loss is None else {"loss": f"{moment.loss:.3f}"},
    )


def _report(done: "FineTuned") -> None:
    metrics = done.metrics
    main = metrics["main_figure"]
    for run in metrics.get("runs", ()):
        click.echo(f"{done.path}/{run['run']}: {main} {run['dev'][main]:.4f}", err=True)
    if "mean" in metrics:
        show_figures(metrics["mean"], deviations=metrics["standard_deviation"])
    else:
        show_figures(metrics["dev"])
    say_what_draws_curves()
    step = metrics["best"]["step"]
    click.echo(f"{done.path}/model: done, weights of step {step:,}", err=True)
