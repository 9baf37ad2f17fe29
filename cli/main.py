"""Assemble the `kbert` command, and turn library errors into one-line messages."""

import os

import click

from kbert import __version__
from kbert.errors import KbertError

from .build_vocab import build_vocab
from .convert import convert
from .create_pretraining_data import create_pretraining_data
from .describe import describe
from .evaluate import evaluate
from .extract_features import extract_features
from .fill_mask import fill_mask
from .finetune import finetune
from .predict import predict
from .pretrain import pretrain

# TensorFlow reads it when it is imported; at 2 it still calls a missing GPU an error.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class Kbert(click.Group):
    """A group whose commands report `KbertError` in one line and exit with 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KbertError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Kbert, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kbert")
def main() -> None:
    """BERT in Keras 3 and TensorFlow: extract features, pretrain, fine-tune, serve."""


main.add_command(build_vocab)
main.add_command(convert)
main.add_command(create_pretraining_data)
main.add_command(describe)
main.add_command(evaluate)
main.add_command(extract_features)
main.add_command(fill_mask)
main.add_command(finetune)
main.add_command(predict)
main.add_command(pretrain)
