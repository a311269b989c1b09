"""What makes an Otter Wiki this wiki and no other."""

from __future__ import annotations

from pathlib import Path

from wikihost.child.settings import DECIDED, session_key, wiki_settings
from wikihost.layout import WikiHome
from wikihost.worker_protocol import Described, WorkerSpec


def spec(root: Path) -> WorkerSpec:
    root.mkdir()
    return WorkerSpec(
        wiki_id=root.name,
        root=str(root),
        described=Described(f"Wiki {root.name}", "", ""),
        probe_secret="s",
        threads=1,
        max_upload_bytes=1,
        log_level="INFO",
    )


def test_the_session_key_is_kept_private_and_never_shared(tmp_path: Path) -> None:
    one, two = spec(tmp_path / "one"), spec(tmp_path / "two")
    key = wiki_settings(one)["SECRET_KEY"]
    assert isinstance(key, str)
    assert len(key) >= 32
    assert wiki_settings(one)["SECRET_KEY"] == key
    assert wiki_settings(two)["SECRET_KEY"] != key
    assert [path.stat().st_mode & 0o777 for path in Path(one.root).iterdir()] == [0o600]


def test_an_interrupted_first_start_leaves_no_broken_key(tmp_path: Path) -> None:
    home = WikiHome(tmp_path)
    home.session_key.with_name("session.key.new").write_text("half")
    assert len(session_key(home)) >= 32
    assert session_key(home) == home.session_key.read_text()
    assert home.session_key.stat().st_mode & 0o777 == 0o600


def test_a_wikis_own_settings_are_none_of_the_decided(tmp_path: Path) -> None:
    assert not wiki_settings(spec(tmp_path / "one")).keys() & DECIDED.keys()
