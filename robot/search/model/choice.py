"""Which embedding model is used: what the operator named, else the bundled one.

A model that was named and cannot be used is not replaced by another: all wikis would be embedded for nothing, and again
once it is mended. Words answer meanwhile, and every answer says so.
"""

from __future__ import annotations

from pathlib import Path

from robot.search.model.directory import ModelDirectory, bundled_model
from robot.search.model.embed import Embedder, EmbedderSource
from robot.search.model.hub import HubModel
from robot.search.values import ModelUnavailable

BUNDLED = "bundled"
NONE = "none"


class SwitchedOff(ModelUnavailable):
    """No model is wanted."""


class NoModel:
    """The operator wants search by words alone."""

    model_id = NONE

    def check(self) -> None:
        raise SwitchedOff("Search by meaning is switched off on this host (embedding_model).")

    def open(self) -> Embedder:
        self.check()
        raise AssertionError


def choose_model(directory: Path | None, name: str, cache: Path) -> EmbedderSource:
    """The operator's directory; else `name`: the bundled model, a model of the hub (kept in `cache`), or none."""
    if directory is not None:
        return ModelDirectory(directory, name=directory.name)
    if name == BUNDLED:
        return bundled_model()
    return NoModel() if name == NONE else HubModel(name, cache)
