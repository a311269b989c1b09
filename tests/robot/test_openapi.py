"""The OpenAPI document is true: it knows every route and no other, and its examples fit its own schemas."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator

from robot.model import Visibility
from robot.rest import problems
from robot.rest.app import OPERATIONS
from robot.rest.openapi import errors_of
from robot.rest.operations import PREFIX, Access, Operation
from robot.rest.problems import PROBLEMS
from tests.robot.agent_doors import open_doors
from tests.robot.described import check_answer, the_document, validator_of
from tests.robot.test_rest import script
from wikihost import errors as content_errors
from wikihost.errors import ContentError


def test_it_is_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(the_document()).iter_errors()) == []


def test_it_has_every_route_and_no_other(tmp_path: Path) -> None:
    rules = open_doors(tmp_path).rest.url_map.iter_rules()
    served = {(_template(rule.rule), method) for rule in rules for method in (rule.methods or set()) - {"HEAD"}}
    described = {
        (PREFIX + path, method.upper()) for path, methods in the_document()["paths"].items() for method in methods
    }
    assert served == described


def _template(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def test_every_failure_is_described_and_happens_somewhere() -> None:
    raised = {
        kind.code
        for kind in vars(content_errors).values()
        if isinstance(kind, type) and issubclass(kind, ContentError) and kind is not ContentError
    }
    assert raised - set(PROBLEMS) == set()
    used = {code for operation in OPERATIONS for codes in errors_of(operation).values() for code in codes}
    assert set(PROBLEMS) - used == {"not_found", "method_not_allowed"}  # those of addresses that are no route's
    assert set(problems.ANY) <= used


def test_whatever_is_no_get_needs_a_token_that_may_write() -> None:
    assert {operation.id for operation in OPERATIONS if operation.access is Access.ANYONE} == {"health", "openapi"}
    for operation in OPERATIONS:
        assert (operation.access is Access.WRITER) is (operation.method != "GET"), operation.id


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_words_are_there_for_whoever_reads_it(operation: Operation) -> None:
    described = the_document()["paths"][operation.path][operation.method.lower()]
    assert described["summary"]
    assert described["description"].endswith((".", "…"))
    for parameter in described.get("parameters", ()):
        assert parameter["description"].endswith("."), parameter["name"]


def test_examples_fit() -> None:
    for name, schema in the_document()["components"]["schemas"].items():
        for member, described in schema["properties"].items():
            for example in described.get("examples", ()):
                validator_of(f"#/components/schemas/{name}/properties/{member}").validate(example)
    for methods in the_document()["paths"].values():
        for operation in methods.values():
            for index, parameter in enumerate(operation.get("parameters", ())):
                if "example" in parameter:
                    _parameter_validator(operation, index).validate(parameter["example"])


def _parameter_validator(operation: dict[str, Any], index: int) -> Any:
    for path, methods in the_document()["paths"].items():
        for method, each in methods.items():
            if each is operation:
                place = path.replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
                return validator_of(f"#/paths/{place}/{method}/parameters/{index}/schema")
    raise LookupError(operation["operationId"])


@pytest.mark.parametrize("visibility", [Visibility.PRIVATE, Visibility.PUBLIC])
async def test_anybody_may_read_it(tmp_path: Path, visibility: Visibility) -> None:
    async with script(open_doors(tmp_path, visibility), token=None) as http:
        got = await http.get("openapi.json")
        assert got.json() == the_document()
        again = await http.get("openapi.json", headers={"If-None-Match": got.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_an_answer_that_is_not_as_described_is_noticed(tmp_path: Path) -> None:
    app = open_doors(tmp_path).rest
    request = httpx2.Request("GET", "http://wiki/api/v1/health")
    kind = {"Content-Type": "application/json"}
    check_answer(app, httpx2.Response(200, json={"status": "ok"}, headers=kind, request=request))
    for body in ({"status": "fine"}, {}, {"status": "ok", "more": 1}):
        with pytest.raises(ValidationError):
            check_answer(app, httpx2.Response(200, json=body, headers=kind, request=request))
    with pytest.raises(AssertionError, match="says nothing of 418"):
        check_answer(app, httpx2.Response(418, json={}, headers=kind, request=request))
    with pytest.raises(AssertionError, match="says nothing of 200 as text/plain"):
        check_answer(app, httpx2.Response(200, text="ok", request=request))
