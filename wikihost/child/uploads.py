"""Uploaded files that reach the disk only with their commit."""

from __future__ import annotations

import os
from typing import Any

from flask import Request
from werkzeug.datastructures import FileStorage


def install(app: Any, storage: Any) -> None:
    """Hand every saved upload to the storage; before the first request."""

    class StagedUpload(FileStorage):
        """Otter Wiki saves an upload into the work tree and commits it afterwards; here the commit does both."""

        def save(self, dst: Any, buffer_size: int = 16384) -> None:
            storage.stage_upload(os.fspath(dst), self.stream.read())

    class RobotRequest(Request):
        def _load_form_data(self) -> None:
            parsed = "form" in self.__dict__
            super()._load_form_data()
            if not parsed:
                for _, uploads in self.files.lists():
                    for upload in uploads:
                        upload.__class__ = StagedUpload

    app.request_class = RobotRequest
