"""What robot tells a service manager that is slow to read."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from robot import sdnotify
from robot.sdnotify import Stage

PATIENCE_S = 20.0


def test_nothing_waits_for_a_manager_that_does_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    room = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))

        def say_much() -> None:
            for _ in range(2 * room + 2):
                sdnotify.say_stage(Stage.DOORS)

        saying = threading.Thread(target=say_much, daemon=True)
        saying.start()
        saying.join(PATIENCE_S)
        assert not saying.is_alive()
        ready = threading.Thread(target=sdnotify.notify, args=["READY=1"], daemon=True)
        ready.start()
        manager.settimeout(PATIENCE_S)
        heard = {manager.recv(4096).decode() for _ in range(room + 2)}
        assert heard == {f"STATUS={Stage.DOORS}", "READY=1"}, "what matters waits for room"
