"""Options that several commands share, and the bar that long ones show."""

from collections.abc import Callable

import click

model_option = click.option(
    "--model",
    default="kbert-mini",
    show_default=True,
    metavar="MODEL",
    help="Bundled name, folder (kbert, Hugging Face, Google TF1) or KerasHub preset.",
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace the output if it exists."
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
