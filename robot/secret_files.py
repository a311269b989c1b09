"""Files of the operator that hold secrets: what is in one, and which of them others may read."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from robot.settings import Loaded, Settings, SettingsError


def read_secret_file(setting: str, path: Path) -> str:
    """What is in the file that `setting` names, without white space around it. Raises `SettingsError`."""
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(f"{setting} {path}: {reason}.") from error
    if not secret:
        raise SettingsError(f"{setting} {path} is empty.")
    return secret


def exposed_secrets(loaded: Loaded) -> Iterator[str]:
    """A sentence with the mend for each file of secrets that is open to everybody.

    That is the settings file where a secret stands in it, and each file that a setting `…_file` names. A group may
    read them: that is how robot's user gets to read what root owns. Who cannot read them at all is told elsewhere.
    """
    for file, name in _files_of_secrets(loaded).items():
        if _is_open(file):
            yield f"Every user of this machine can read {file}, which holds {name}: chmod o= {file}"


def _files_of_secrets(loaded: Loaded) -> Mapping[Path, str]:
    """Which files hold secrets, and of which setting."""
    files: dict[Path, str] = {}
    for name in Settings.model_fields:
        value = getattr(loaded.settings, name)
        if isinstance(value, Path) and name.endswith("_file"):
            files[value] = name.removesuffix("_file")
        elif isinstance(value, SecretStr) and value.get_secret_value() and _stands_in_file(loaded, name):
            files[Path(loaded.sources[name])] = name
    return files


def _stands_in_file(loaded: Loaded, name: str) -> bool:
    return loaded.config_file is not None and loaded.sources[name] == str(loaded.config_file)


def _is_open(file: Path) -> bool:
    """Whether everybody may read the file, and reach it."""
    try:
        place = file.resolve()
        reached = all(parent.stat().st_mode & stat.S_IXOTH for parent in place.parents)
        return reached and bool(place.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
