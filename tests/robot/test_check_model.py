"""`robot check` on the embedding model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from robot.cli import cli
from robot.search.model.directory import BUNDLED


def check(directory: Path, *settings: str) -> tuple[int, str]:
    file = directory / "robot.toml"
    file.write_text("\n".join([f'data = "{directory / "data"}"', "port = 1", *settings]))
    done = CliRunner().invoke(cli, ["--config", str(file), "check"])
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ([], "\nembedding model: all-minilm-l6-v2/"),
        (['embedding_model = "none"'], "\nSearch by meaning is switched off on this host (embedding_model)."),
        (['embedding_model = "BAAI/bge-small-en-v1.5"'], "\nThe embedding model BAAI/bge-small-en-v1.5 has not been"),
        (['embedding_model = "nobody/none"'], "\nproblem: fastembed knows no embedding model nobody/none; correct"),
        (['embedding_model_dir = "/nowhere"'], "\nproblem: model.onnx of the embedding model in emb"),
    ],
)
def test_check_says_which_model_or_why_none(tmp_path: Path, settings: list[str], says: str) -> None:
    _, output = check(tmp_path, *settings)
    assert says in output


def test_check_opens_the_model(tmp_path: Path) -> None:
    """Files that are there may still be of another kind."""
    shutil.copy(BUNDLED / "tokenizer.json", tmp_path)
    (tmp_path / "model.onnx").write_text("no model")
    code, output = check(tmp_path, f'embedding_model_dir = "{tmp_path}"')
    assert code == 1
    assert "problem: The embedding model in embedding_model_dir does not load" in output
