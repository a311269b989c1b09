"""What the packages of a release are licensed under, in one text: they are passed on with robot."""

from __future__ import annotations

import re
import zipfile
from email.parser import HeaderParser
from pathlib import Path

# At the top alone: a wheel may hold copies of others'.
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_LICENCE_FILE = re.compile(r"[^/]+\.dist-info/(licenses/.+|(LICEN[CS]E|COPYING|NOTICE|AUTHORS)[^/]*)", re.IGNORECASE)


def licences(wheels: Path) -> str:
    """A paragraph for each wheel: name, version, what its metadata says, and the texts that it brings."""
    return "\n".join(_of(wheel) for wheel in sorted(wheels.glob("*.whl"), key=lambda path: path.name.lower()))


def _of(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        (metadata,) = (name for name in names if _METADATA.fullmatch(name))
        fields = HeaderParser().parsestr(files.read(metadata).decode())
        texts = [files.read(name).decode("utf-8", "replace") for name in sorted(names) if _LICENCE_FILE.fullmatch(name)]
    stated = fields["License-Expression"] or _classified(fields.get_all("Classifier", [])) or fields["License"]
    head = f"{fields['Name']} {fields['Version']}: {' '.join((stated or 'see its home page').split())[:100]}"
    return "\n".join([head, "=" * len(head), *(text.rstrip() + "\n" for text in texts)])


def _classified(classifiers: list[str]) -> str:
    return ", ".join(line.rsplit(" :: ", 1)[1] for line in classifiers if line.startswith("License :: "))
