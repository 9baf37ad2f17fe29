"""Two descriptions of one job → an error that names every setting that differs."""

import json
from collections.abc import Mapping
from os import PathLike
from typing import Any

from .errors import ConfigError


def check_same(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    *,
    where: str | PathLike[str],
    hint: str,
) -> None:
    """Refuse to go on with a job whose settings were others.

    Args:
        before: the settings that it began with, as JSON takes them; what ``now`` has
            no key for is left out.
        now: the settings of today.
        where: the folder of the job.
        hint: the way out.

    Raises:
        ConfigError: they differ; it names each one, and both values.
    """
    new = flat_settings(now)
    old = flat_settings({key: before.get(key) for key in now})
    missing = object()
    differences = [
        f"{key.removeprefix('settings.')} was {_shown(old, key)} "
        f"and is now {_shown(new, key)}"
        for key in sorted({*new, *old})
        if old.get(key, missing) != new.get(key, missing)
    ]
    if differences:
        what = f"made with other settings: {'; '.join(differences)}"
        raise ConfigError(what, where=where, hint=hint)


def flat_settings(value: Any, name: str = "") -> dict[str, Any]:
    """Nested settings by dotted names: ``{"inputs[0].bytes": 12}``."""
    if isinstance(value, dict) and value:
        parts = {f"{name}.{key}" if name else key: part for key, part in value.items()}
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        parts = {f"{name}[{index}]": part for index, part in enumerate(value)}
    else:
        return {name: value}
    return {
        key: leaf
        for at, part in parts.items()
        for key, leaf in flat_settings(part, at).items()
    }


def _shown(settings: dict[str, Any], key: str) -> str:
    if key not in settings:
        return "not set"
    text = json.dumps(settings[key], ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
