"""Holds every answer that a test gets to what the OpenAPI document says of it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import httpx2
from jsonschema import Draft202012Validator
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from robot.rest.app import OPERATIONS, routable_path
from robot.rest.openapi import document


@cache
def the_document() -> dict[str, Any]:
    return document(OPERATIONS)


def operation_of(app: QuartTrio, method: str, raw_path: bytes) -> str | None:
    """The id of the operation that a request means; None where there is none."""
    try:
        endpoint, _ = app.url_map.bind("wiki").match(routable_path(raw_path), "GET" if method == "HEAD" else method)
    except HTTPException:
        return None
    return str(endpoint)


def check_answer(app: QuartTrio, answer: httpx2.Response) -> None:
    """Assert that status, type, headers and body of an answer (read already) are as the document says."""
    request = answer.request
    if request.method == "OPTIONS":
        return
    name = operation_of(app, request.method, request.url.raw_path.partition(b"?")[0])
    if name is None:
        assert answer.status_code in (401, 403, 404, 405), (request.method, request.url)
        validator_of("#/components/schemas/ErrorAnswer").validate(answer.json())
        return
    answers = _operations()[name]["responses"]
    status = str(answer.status_code)
    assert status in answers, f"{name} says nothing of {status}: {answer.text[:300]}"
    place, described = f"#/paths/{_escaped(name)}/responses/{status}", answers[status]
    if "$ref" in described:
        place = described["$ref"]
        described = the_document()["components"]["responses"][place.rpartition("/")[2]]
    content = described.get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if not content:
        assert answer.content == b""
        return
    assert kind in content or "*/*" in content, f"{name} says nothing of {status} as {kind}"
    if kind in content and request.method != "HEAD" and answer.content:
        schema = f"{place}/content/{kind.replace('/', '~1')}/schema"
        validator_of(schema).validate(json.loads(answer.content))
    for header, said in described.get("headers", {}).items():
        if header in answer.headers:
            Draft202012Validator(said["schema"]).validate(answer.headers[header])


@cache
def _operations() -> dict[str, Any]:
    return {each["operationId"]: each for methods in the_document()["paths"].values() for each in methods.values()}


@cache
def _escaped(name: str) -> str:
    """Where an operation stands, as a JSON pointer below `paths`."""
    for path, methods in the_document()["paths"].items():
        for method, operation in methods.items():
            if operation["operationId"] == name:
                return str(path).replace("/", "~1").replace("{", "%7B").replace("}", "%7D") + "/" + str(method)
    raise LookupError(name)


@cache
def validator_of(place: str) -> Draft202012Validator:
    """A validator of the schema at a JSON pointer in the document, which takes no member that is not described."""
    whole = _closed(the_document())
    return Draft202012Validator({**whole, "$ref": place}, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _closed(schema: Any) -> Any:
    """The schema with every object that names its members closed, so that one more is an error."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed["additionalProperties"] = False
    return closed
