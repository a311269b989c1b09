"""A model that does what it is told: enough of the Messages API for Claude Code to call the tools we want.

The prompt is a line of JSON: `{"tool": …, "input": …}` is answered with that call, and its result with the text that
the tool gave; `{"list": true}` with the names of the tools that the client offered.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def _blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _plan(messages: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The newest line of JSON that a user wrote."""
    texts = [block["text"] for message in messages for block in _blocks(message) if block["type"] == "text"]
    for said in reversed(texts):
        for line in said.splitlines():
            if line.startswith(('{"tool"', '{"list"')):
                plan: dict[str, Any] = json.loads(line)
                return plan
    return {}


def decide(request: Mapping[str, Any]) -> dict[str, Any]:
    """The one block of the answer: a call, or text (pure)."""
    messages = request["messages"]
    results = [block for block in _blocks(messages[-1]) if block["type"] == "tool_result"]
    if results:
        parts = results[-1]["content"]
        said = parts if isinstance(parts, str) else "\n".join(part.get("text", "") for part in parts)
        return {"type": "text", "text": json.dumps({"failed": results[-1].get("is_error", False), "text": said})}
    plan = _plan(messages)
    if "tool" in plan:
        return {"type": "tool_use", "id": "toolu_1", "name": plan["tool"], "input": plan["input"]}
    return {"type": "text", "text": json.dumps([tool["name"] for tool in request.get("tools", [])])}


def events(model: str, block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answer as a stream of events (pure)."""
    is_call = block["type"] == "tool_use"
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": [], "usage": usage}
    empty = {**block, "input": {}} if is_call else {"type": "text", "text": ""}
    delta = (
        {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        if is_call
        else {"type": "text_delta", "text": block["text"]}
    )
    ended = {"stop_reason": "tool_use" if is_call else "end_turn", "stop_sequence": None}
    return [
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer("text/plain", b"")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "count_tokens" in self.path:
            self._answer("application/json", b'{"input_tokens": 1}')
            return
        block = decide(request)
        if request.get("stream"):
            told = events(request["model"], block)
            lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in told]
            self._answer("text/event-stream", "".join(lines).encode())
            return
        whole = events(request["model"], block)[0]["message"] | {"content": [block], "stop_reason": "end_turn"}
        self._answer("application/json", json.dumps(whole).encode())

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the test's output is for what fails."""


@contextmanager
def model_stub() -> Iterator[str]:
    """Serve on loopback; yields the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
