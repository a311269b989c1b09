"""From the table of operations to the OpenAPI 3.1 document (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from robot.rest import problems
from robot.rest.operations import JSON, PREFIX, Access, Answer, Header, Operation
from robot.rest.problems import PROBLEMS
from robot.rest.shapes import ErrorAnswer

VERSION = "1.0"

_REF = "#/components/schemas/{model}"
_ABOUT = """\
Each wiki has this API under `/api/v1` of its own address. It speaks JSON, errors included.

**Who is calling.** Send a token of this wiki: `Authorization: Bearer robot_…`. Reading a public or unlisted wiki \
needs none. A token in the address is not accepted. A browser's session on the wiki's own pages works too.

**Names.** In an address, a page's name is written with its slashes as they are and all else percent-encoded: \
`/pages/Runbooks/Pump%20stops`. A name is also taken whole as one segment, with its slashes encoded, which every name \
can be, also one that ends in `/history` or `/rename`: `/pages/Foo%2Fhistory`. `.md` at the end may be there or not.

**Revisions.** A page's `revision` is the last commit that changed it. Whoever replaces a text says which revision it \
was made from, so nothing is overwritten unseen.

**Errors.** `error` is a sentence for people, `code` is for programs. After an error nothing was done."""

_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "name": {
        "description": "The page's name. As one segment, slashes are written `%2F`.",
        "schema": {"type": "string", "format": "page-name", "minLength": 1},
        "example": "Runbooks/Pump stops",
    },
    "revision": {
        "description": "A commit, by 7 to 40 digits.",
        "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{7,40}$"},
        "example": "3f2a9c0d",
    },
    "filename": {
        "description": "The file's name.",
        "schema": {"type": "string", "format": "file-name", "minLength": 1},
        "example": "setup.png",
    },
}
_CHALLENGE = Header("WWW-Authenticate", "How to sign in (RFC 6750).", {"type": "string"})
_RETRY_AFTER = Header("Retry-After", "Seconds to wait.", {"type": "string", "pattern": "^[0-9]+$"})
_RANGE_SIZE = Header("Content-Range", "`bytes */size`.", {"type": "string"})
_ERROR_HEADERS: Mapping[int, Sequence[Header]] = {
    401: (_CHALLENGE,),
    409: (_RETRY_AFTER,),
    416: (_RANGE_SIZE,),
    503: (_RETRY_AFTER,),
}
_SECURITY: Mapping[Access, Sequence[Mapping[str, Sequence[str]]]] = {
    Access.ANYONE: (),
    Access.READER: ({}, {"token": []}),
    Access.TOKEN: ({"token": []},),
    Access.WRITER: ({"token": []},),
}


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that pydantic makes from field names: they say nothing new."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def document(operations: Sequence[Operation]) -> dict[str, object]:
    """The OpenAPI document; the same for every wiki, so its server is a path."""
    paths: dict[str, dict[str, object]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "robot wiki", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": PREFIX}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.group for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "responses": {
                _name(status, codes): _error(status, codes) for status, codes in sorted(_failures(operations))
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token of this wiki: `robot_…`."}
            },
        },
    }


def errors_of(operation: Operation) -> dict[int, tuple[str, ...]]:
    """The codes that a route can answer with, by status."""
    found: dict[int, tuple[str, ...]] = {}
    for code in dict.fromkeys((*problems.ANY, *operation.problems)):
        if code == "unauthorized" and operation.access is Access.ANYONE:
            continue
        status = PROBLEMS[code].status
        found[status] = (*found.get(status, ()), code)
    return dict(sorted(found.items()))


def _operation(operation: Operation) -> dict[str, object]:
    described: dict[str, object] = {
        "operationId": operation.id,
        "tags": [operation.group],
        "summary": operation.summary,
        "description": " ".join(part for part in (operation.description, operation.access.value) if part),
        "security": [dict(need) for need in _SECURITY[operation.access]],
    }
    if parameters := [*_in_path(operation), *_in_query(operation), *_in_headers(operation)]:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {"required": operation.body_required, "content": _body(operation.body)}
    answers = {str(answer.status): _answer(answer) for answer in sorted(operation.answers, key=lambda one: one.status)}
    errors = {
        str(status): {"$ref": f"#/components/responses/{_name(status, codes)}"}
        for status, codes in errors_of(operation).items()
    }
    described["responses"] = answers | errors
    return described


def _failures(operations: Iterable[Operation]) -> set[tuple[int, tuple[str, ...]]]:
    """The sets of codes that occur: many operations share one."""
    return {failure for operation in operations for failure in errors_of(operation).items()}


def _name(status: int, codes: Sequence[str]) -> str:
    return f"{status}.{'.'.join(codes)}"


def _in_path(operation: Operation) -> Iterable[dict[str, object]]:
    for name in re.findall(r"\{(\w+)\}", operation.path):
        yield {"name": name, "in": "path", "required": True, **_PARAMETERS[name]}


def _in_query(operation: Operation) -> Iterable[dict[str, object]]:
    if operation.query is None:
        return
    schema = operation.query.model_json_schema(schema_generator=_Untitled)
    for name, member in schema["properties"].items():
        described = _without_null(member)
        parameter: dict[str, object] = {"name": name, "in": "query", "required": name in schema.get("required", ())}
        if text := described.pop("description", ""):
            parameter["description"] = text
        if examples := described.pop("examples", ()):
            parameter["example"] = examples[0]
        yield parameter | {"schema": described}


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """In an address, there is no null: a parameter is left out."""
    plain = {name: value for name, value in schema.items() if name != "default" or value not in (None, "")}
    choices = [choice for choice in plain.pop("anyOf", ()) if choice != {"type": "null"}]
    return choices[0] | plain if len(choices) == 1 else plain | ({"anyOf": choices} if choices else {})


def _in_headers(operation: Operation) -> Iterable[dict[str, object]]:
    for header in operation.headers:
        yield {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.meaning,
            "schema": dict(header.schema),
            **({"example": header.example} if header.example else {}),
        }


def _body(body: type[BaseModel] | str) -> dict[str, object]:
    if isinstance(body, str):
        return {body: {}}
    return {JSON: {"schema": _ref(body.__name__)}}


def _answer(answer: Answer) -> dict[str, object]:
    described: dict[str, object] = {"description": answer.meaning}
    if answer.headers:
        described["headers"] = _headers(answer.headers)
    if answer.kinds:
        described["content"] = {
            kind: {"schema": _schema_of(answer.shape)} if kind == JSON else {} for kind in answer.kinds
        }
    return described


def _error(status: int, codes: Sequence[str]) -> dict[str, object]:
    described: dict[str, object] = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {
            JSON: {
                "schema": {
                    "allOf": [_ref(ErrorAnswer.__name__), {"properties": {"code": {"enum": list(codes)}}}],
                }
            }
        },
    }
    if status in _ERROR_HEADERS:
        described["headers"] = _headers(_ERROR_HEADERS[status])
    return described


def _headers(headers: Iterable[Header]) -> dict[str, object]:
    return {header.name: {"description": header.meaning, "schema": dict(header.schema)} for header in headers}


def _schema_of(shape: Any) -> dict[str, object]:
    return _ref(shape.__name__) if hasattr(shape, "__required_keys__") else {"type": "object"}


def _ref(name: str) -> dict[str, object]:
    return {"$ref": _REF.format(model=name)}


def _schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    """The schemas of all answers and bodies, by name."""
    shapes = [ErrorAnswer, *(answer.shape for each in operations for answer in each.answers if answer.shape)]
    bodies = [operation.body for operation in operations if isinstance(operation.body, type)]
    named = {shape.__name__: shape for shape in shapes if hasattr(shape, "__required_keys__")}
    adapters = [(name, "serialization", TypeAdapter(shape)) for name, shape in named.items()]
    adapters += [(body.__name__, "validation", TypeAdapter(body)) for body in dict.fromkeys(bodies)]
    _, found = TypeAdapter.json_schemas(adapters, ref_template=_REF, schema_generator=_Untitled)  # type: ignore[arg-type]
    schemas: dict[str, Any] = found["$defs"]
    for schema in schemas.values():
        schema.pop("title", None)
    any_code = schemas[ErrorAnswer.__name__]["properties"]["code"]
    any_code["enum"] = list(PROBLEMS)
    any_code["description"] = "\n".join(f"* `{code}`: {problem.meaning}" for code, problem in PROBLEMS.items())
    return dict(sorted(schemas.items()))
