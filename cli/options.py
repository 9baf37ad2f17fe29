"""Options that several commands share, what long ones show, and how figures look."""

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import click

from kbert.errors import KbertWarning

_PAUSE = 0.2  # seconds between two looks at the figures

Command = TypeVar("Command", bound=Callable[..., Any])

model_option = click.option(
    "--model",
    default="kbert-mini",
    show_default=True,
    metavar="MODEL",
    help="Bundled name, folder (kbert, Hugging Face, Google TF1) or KerasHub preset.",
)


def _one_of_both(context: click.Context, option: click.Parameter, value: bool) -> bool:
    """Refuse ``--resume`` with ``--overwrite``, whichever of them is read second."""
    if value and any(map(context.params.get, ("resume", "overwrite"))):
        raise click.UsageError(
            "--resume goes on with what --overwrite deletes; leave out one of them."
        )
    return value


overwrite_option = click.option(
    "--overwrite",
    is_flag=True,
    callback=_one_of_both,
    help="Replace the output if it exists.",
)
resume_option = click.option(
    "--resume",
    is_flag=True,
    callback=_one_of_both,
    help="Go on with a stopped or killed run.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of every random choice.",
)


class ItemBar:
    """A progress bar on stderr: items, items/s, time left, tokens/s.

    Only a terminal shows it; a log file would get a line for every step.

    Args:
        total: items in all, if known.
    """

    def __init__(self, total: int | None) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, unit=" items", dynamic_ncols=True, disable=None)
        self._tokens = 0

    def __enter__(self) -> Callable[[int, int], None]:
        return self._advance

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def _advance(self, items: int, tokens: int) -> None:
        self._tokens += tokens
        seconds = self._bar.format_dict["elapsed"]
        if tokens and seconds:
            speed = f"{self._tokens / seconds:,.0f} tokens/s"
            self._bar.set_postfix_str(speed, refresh=False)
        self._bar.update(items)


class StepBar:
    """A progress bar on stderr: step, figures, tokens/s, time left.

    Only a terminal shows it. When the steps begin anew, as those of another run, so
    does the bar.
    """

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(unit=" steps", dynamic_ncols=True, disable=None)
        self._tokens, self._shown = 0, -math.inf
        self.step = 0

    def __enter__(self) -> "StepBar":
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def advance(
        self,
        step: int,
        total: int,
        *,
        tokens: int,
        figures: Callable[[], Mapping[str, str]],
    ) -> None:
        """Show that a step is done.

        Args:
            step: its number.
            total: steps in all.
            tokens: of this step.
            figures: what else to show; asked only now and then, for a figure may have
                to be waited for.
        """
        begins = self.step == 0 or step <= self.step
        self.step = step
        if self._bar.disable:
            return
        if begins:  # perhaps not with the first step: a run can go on
            self._bar.reset(total)
            self._bar.initial = self._bar.n = step - 1
            self._tokens = 0
        self._tokens += tokens
        if time.monotonic() - self._shown >= _PAUSE:
            seconds = self._bar.format_dict["elapsed"] or 1e-9
            speed = {"tokens/s": f"{self._tokens / seconds:,.0f}"}
            self._bar.set_postfix({**figures(), **speed}, refresh=False)
            self._shown = time.monotonic()
        self._bar.update(1)


class Several(click.ParamType):
    """Values of one type between commas: a tuple.

    Args:
        kind: type of each.
    """

    def __init__(self, kind: click.ParamType) -> None:
        self.kind, self.name = kind, f"{kind.name},…"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        return tuple(self.kind.convert(part, param, ctx) for part in parts)


def with_options(options: Iterable[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A decorator that gives a command several options, in this order of its help."""
    ordered = list(options)

    def decorate(command: Command) -> Command:
        for option in reversed(ordered):
            command = option(command)
        return command

    return decorate


@contextlib.contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print our own warnings, each once, without the line of code that Python adds."""
    told = set()
    with warnings.catch_warnings():
        show = warnings.showwarning

        def showwarning(message: Any, category: type[Warning], *place: Any) -> None:
            if not issubclass(category, KbertWarning):
                show(message, category, *place)
            elif str(message) not in told:
                told.add(str(message))
                click.echo(str(message), err=True)

        warnings.showwarning = showwarning
        warnings.simplefilter("always", KbertWarning)
        yield


def say_what_draws_curves() -> None:
    """Print how to get the ``curves.png`` that a run could not draw, if so."""
    from kbert.training.curves import CURVES, can_draw

    if not can_draw():
        click.echo(f"no {CURVES}: pip install 'kbert[plots]' draws it.", err=True)


def show_figures(
    figures: Mapping[str, float], *, deviations: Mapping[str, float] | None = None
) -> None:
    """Print each figure by its name, one tab-separated row a line.

    Args:
        figures: to four digits; whole numbers as they are.
        deviations: of them, for another column.
    """
    for name, value in figures.items():
        cells = [name, _shown(value)]
        if deviations is not None:
            cells.append(f"± {deviations[name]:.4f}")
        click.echo("\t".join(cells))


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"
