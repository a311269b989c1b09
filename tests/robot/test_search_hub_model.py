"""A model that the operator named: downloaded in the background, from a hub that may not be there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trio
import trio.testing

from robot.search.model import host
from robot.search.model.choice import NoModel, choose_model
from robot.search.model.directory import BUNDLED, ModelDirectory
from robot.search.model.download import note_file
from robot.search.model.hub import HubModel
from robot.search.values import ModelUnavailable
from tests.robot.hub import REVISION, serve_hub
from tests.robot.search_wiki import DEADLINE_S, WikiOnDisk, make_service, make_wiki, running, until

# Its files are those of the bundled model, but for the name.
NAME = "sentence-transformers/all-MiniLM-L6-v2"
FOLDER = "models--Qdrant--all-MiniLM-L6-v2-onnx"


@pytest.fixture
def files(tmp_path: Path) -> Mapping[str, Path]:
    settings = tmp_path / "tokenizer_config.json"
    settings.write_text(json.dumps({"model_max_length": 512, "pad_token": "[PAD]"}))
    named = {name: BUNDLED / name for name in ("model.onnx", "tokenizer.json")}
    return {**named, "tokenizer_config.json": settings}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def wiki(tmp_path: Path) -> Iterator[WikiOnDisk]:
    made = make_wiki(tmp_path / "host")
    made.write({"Harbour/Ferry": "# Ferry\n\nThe boat sails at six.", "Tasks": "Paint the lighthouse."})
    yield made
    made.contents.close_all()


@pytest.fixture
def downloaded(monkeypatch: pytest.MonkeyPatch) -> trio.Event:
    """Set once a download has brought the model."""
    there = trio.Event()
    download = HubModel.download

    async def told(self: HubModel) -> None:
        await download(self)
        there.set()

    monkeypatch.setattr(HubModel, "download", told)
    return there


def lay(cache: Path, files: Mapping[str, Path]) -> None:
    """What a download leaves, carried here by hand."""
    snapshot = cache / FOLDER / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    for name, file in files.items():
        shutil.copyfile(file, snapshot / name)
    (cache / FOLDER / "refs").mkdir()
    (cache / FOLDER / "refs" / "main").write_text(REVISION)


async def test_model_is_downloaded_then_every_page_is_embedded(
    wiki: WikiOnDisk,
    cache: Path,
    files: Mapping[str, Path],
    downloaded: trio.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # as robot itself runs
    with serve_hub(files) as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        source = HubModel(NAME, cache)
        async with running(make_service(source, wiki)) as service:
            words = await service.query(wiki.wiki, "lighthouse")
            assert (words.mode, [hit.path for hit in words.results]) == ("lexical", ["Tasks"])
            assert words.freshness.model_problem == f"The embedding model {NAME} is being downloaded."
            await downloaded.wait()
            status = await until(lambda: service.status(wiki.wiki), lambda status: status.state == "complete")
            assert (status.model, status.model_problem) == (source.model_id, None)
            answer = await service.query(wiki.wiki, "when does the ship leave?", limit=1)
            assert (answer.mode, [hit.path for hit in answer.results]) == ("semantic", ["Harbour/Ferry"])
    assert source.model_id.startswith(f"{NAME}/5ff613ca8c25/256/")
    again = HubModel(NAME, cache)
    again.check()
    assert again.model_id == source.model_id


async def test_cache_laid_by_hand_needs_no_network(
    cache: Path, files: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(cache, files)
    with serve_hub(None) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        model = HubModel(NAME, cache)
        with pytest.raises(ModelUnavailable, match="not been downloaded yet"):
            model.open()
        await model.download()
        loaded = await trio.to_thread.run_sync(model.open)
        assert not asked.is_set()
    assert (loaded.embed_query("one " * 256) == loaded.embed_query("one " * 400)).all()


async def test_hub_that_is_not_there_is_asked_again(
    wiki: WikiOnDisk,
    cache: Path,
    files: Mapping[str, Path],
    downloaded: trio.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(host, "FIRST_DOWNLOAD_RETRY_S", 0.0)
    asked = 0
    download = HubModel.download

    async def counted(self: HubModel) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            problem = (await service.status(wiki.wiki)).model_problem
            assert problem is not None
            assert problem.startswith(f"The embedding model {NAME} could not be downloaded; the log says why.")
            lay(cache, files)
        await download(self)

    monkeypatch.setattr(HubModel, "download", counted)
    async with running(make_service(HubModel(NAME, cache), wiki)) as service:
        service.notify(wiki.wiki.id)
        await downloaded.wait()
        status = await until(lambda: service.status(wiki.wiki), lambda status: status.state == "complete")
    assert status.model is not None
    assert asked == 2


async def test_name_that_nobody_knows_is_said_and_not_tried_again(cache: Path) -> None:
    unknown = host.ModelHost(HubModel("nobody/no-such-model", cache))
    with trio.fail_after(DEADLINE_S):
        await unknown.prepare()  # which ends, where it would else wait and try again
    assert unknown.failure == "fastembed knows no embedding model nobody/no-such-model; correct embedding_model."


async def test_stop_does_not_wait_for_a_hub_that_hangs(
    wiki: WikiOnDisk, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_hub(None) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        async with running(make_service(HubModel(NAME, cache), wiki)):
            assert await trio.to_thread.run_sync(asked.wait, 30)
            began = trio.current_time()
        assert trio.current_time() - began < 10
    assert not note_file(cache, NAME).exists()


def test_download_ends_with_whoever_wanted_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Core may be killed; what it held open is closed then."""
    with serve_hub(None) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        command = [sys.executable, "-m", "robot.search.model.download", NAME, str(cache)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            assert asked.wait(30)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(10) != 0


async def test_damaged_cache_is_said(cache: Path, files: Mapping[str, Path]) -> None:
    lay(cache, files)
    model = HubModel(NAME, cache)
    await model.download()
    (cache / FOLDER / "snapshots" / REVISION / "model.onnx").write_bytes(b"no")
    with pytest.raises(
        ModelUnavailable, match=r"does not load .*; remove models/ in the data directory, and restart robot"
    ):
        model.open()
    note_file(cache, NAME).write_text("{")
    with pytest.raises(ModelUnavailable, match=r"is damaged; remove it"):
        model.check()


def test_the_operators_word_comes_before_the_bundled_model(tmp_path: Path, cache: Path) -> None:
    directory = choose_model(tmp_path, "BAAI/bge-small-en-v1.5", cache)
    assert isinstance(directory, ModelDirectory)
    assert isinstance(choose_model(None, "BAAI/bge-small-en-v1.5", cache), HubModel)
    assert choose_model(None, "bundled", cache).model_id.startswith("all-minilm-l6-v2/")
    with pytest.raises(ModelUnavailable, match="switched off"):
        choose_model(None, "none", cache).open()


async def test_without_a_model_words_answer(wiki: WikiOnDisk) -> None:
    async with running(make_service(NoModel(), wiki)) as service:
        status = await service.status(wiki.wiki)
        assert status.model_problem == "Search by meaning is switched off on this host (embedding_model)."
        assert (await service.query(wiki.wiki, "lighthouse")).mode == "lexical"
