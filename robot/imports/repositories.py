"""A git repository from elsewhere, brought into a directory of its own: from a bundle, or by address.

git speaks to the other host itself, kept to what `robot.fetch` decided: the one address that was judged, https alone,
no redirects, no proxy, no credentials, nothing said of any wiki's objects. What comes is checked by git's fsck.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import trio

from robot.fetch import Door, Pinned
from robot.git.process import GitFailed, git_process, reason_of, run_git, said
from wikihost.imports.bundles import MAX_HEAD_BYTES, parse_bundle
from wikihost.imports.values import ImportRefused
from wikihost.transfer import make_empty
from wikihost.writer import storage_errors

FETCH_S = 300.0
_ADVERTISED = "application/x-git-upload-pack-advertisement"
_MAX_ADVERTISED_BYTES = 4 * 1024 * 1024
_ADVERTISED_S = 20.0
_LOOK_EVERY_S = 0.5
_REF = "refs/robot/fetched"
_SERVICE = "/info/refs?service=git-upload-pack"


@dataclass(frozen=True, slots=True)
class Repositories:
    """Where repositories may come from, and how large their packs may be."""

    door: Door
    max_bytes: int

    async def unpack(self, bundle: Path, root: Path) -> str:
        """Unpack a bundle into a new repository in `root`; the commit to take. Raises `ImportRefused`."""
        head = parse_bundle(await trio.to_thread.run_sync(_read_start, bundle))
        git_dir = await trio.to_thread.run_sync(make_empty, root)
        file = os.open(bundle, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.lseek(file, head.length, os.SEEK_SET)
            await self._git(["index-pack", "--stdin", "--strict"], git_dir, stdin=file)
            await self._git(["rev-list", "--objects", "--quiet", head.tip, "--"], git_dir)
        except GitFailed as error:
            raise ImportRefused(f"git found fault with this bundle: {reason_of(str(error))}") from error
        finally:
            os.close(file)
        return head.tip

    async def fetch(self, url: str, root: Path) -> str:
        """Fetch the main branch of a repository into a new one in `root`; its commit.

        Raises `FetchRefused`, `ImportRefused`.
        """
        found = await self.door.get(
            url.removesuffix("/") + _SERVICE,
            types={_ADVERTISED},
            max_bytes=_MAX_ADVERTISED_BYTES,
            deadline_s=_ADVERTISED_S,
        )
        pinned = await self.door.pin(found.url.removesuffix(_SERVICE))
        git_dir = await trio.to_thread.run_sync(make_empty, root)
        words = ["fetch", "--no-tags", "--no-write-fetch-head", "--quiet", pinned.url, f"+HEAD:{_REF}"]
        trusted = {} if self.door.ca_file is None else {"GIT_SSL_CAINFO": str(self.door.ca_file)}
        try:
            await self._fetch_bounded([*_kept_to(pinned), *words], git_dir, trusted)
            return await _read_ref(git_dir)
        except GitFailed as error:
            raise ImportRefused(f"git could not fetch from {pinned.host}: {reason_of(str(error))}") from error

    async def _fetch_bounded(self, words: list[str], git_dir: Path, environment: dict[str, str]) -> None:
        """Run git, and stop it when more comes than a pack and its index may have: a server can give file after file.

        Raises `GitFailed`, `ImportRefused`.
        """
        most = 2 * self.max_bytes
        failed: GitFailed | None = None

        async def watch(scope: trio.CancelScope) -> None:
            while True:
                await trio.sleep(_LOOK_EVERY_S)
                if await trio.to_thread.run_sync(_bytes_below, git_dir) > most:
                    scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            try:
                await self._git(words, git_dir, environment=environment)
            except GitFailed as error:
                failed = error
            nursery.cancel_scope.cancel()
        if await trio.to_thread.run_sync(_bytes_below, git_dir) > most:
            raise ImportRefused(f"This repository is larger than {self.max_bytes:,} bytes.")
        if failed is not None:
            raise failed

    async def _git(
        self,
        words: list[str],
        git_dir: Path,
        *,
        stdin: int = subprocess.DEVNULL,
        environment: dict[str, str] | None = None,
    ) -> None:
        await run_git(
            words,
            stdin=stdin,
            git_dir=str(git_dir),
            deadline_s=FETCH_S,
            environment=environment,
            max_file_bytes=self.max_bytes,
        )


def _kept_to(pinned: Pinned) -> list[str]:
    """Options that leave git nothing to decide about whom to speak to; see git-config(1)."""
    address = f"[{pinned.address}]" if ":" in pinned.address else pinned.address
    settings = {
        "http.curloptResolve": f"{pinned.host}:{pinned.port}:{address}",
        "http.followRedirects": "false",
        "http.proxy": "",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "30",
        "http.userAgent": "git/robot",
        "credential.helper": "",
        "core.askPass": "true",
        "protocol.allow": "never",
        "protocol.https.allow": "always",
        "fetch.fsckObjects": "true",
        "fetch.unpackLimit": "1",
        "fetch.writeCommitGraph": "false",
        "fetch.recurseSubmodules": "false",
        "transfer.bundleURI": "false",
    }
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


async def _read_ref(git_dir: Path) -> str:
    words = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{_REF}^{{commit}}"]
    async with git_process(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, environment={"GIT_DIR": str(git_dir)}
    ) as process:
        assert process.stdout is not None  # noqa: S101  (made as a pipe)
        commit = bytes(await process.stdout.receive_some(64)).decode("ascii", "replace").strip()
        words_said = await said(process)
        if await process.wait() != 0 or len(commit) != 40:
            raise GitFailed(words_said or "it has no branch")
    return commit


def _bytes_below(folder: Path) -> int:
    """What the files below a folder have now; git makes and removes some meanwhile."""
    size = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += os.lstat(os.path.join(inside, name)).st_size
    return size


def _read_start(place: Path) -> bytes:
    with storage_errors(), place.open("rb") as file:
        return file.read(MAX_HEAD_BYTES)
