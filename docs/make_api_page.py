"""Writes `docs/api.md` from the OpenAPI document: `python docs/make_api_page.py`, or `make docs`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from robot.rest.app import OPERATIONS
from robot.rest.openapi import document
from robot.rest.operations import PREFIX
from robot.rest.problems import ANY, PROBLEMS

PAGE = Path(__file__).with_name("api.md")

_START = """\
# The REST API

<!-- Made by `make docs` from the table of operations in `robot/rest/`; do not edit. -->

{about}

All of this, for programs: `GET /api/v1/openapi.json` of any wiki. The examples take `WIKI=https://notes.example.org`
and `TOKEN=robot_…`.

```shell
curl "$WIKI/api/v1/health"
```
"""

Node = Mapping[str, Any]


def render(api: Node) -> str:
    """The page as Markdown."""
    parts = [_START.format(about=api["info"]["description"])]
    for tag in api["tags"]:
        parts.append(f"## {tag['name']}\n")
        for path, methods in api["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    parts.append(_Route(api, path, method.upper(), operation).text())
    parts.append(_codes())
    return "\n".join(parts)


class _Route:
    """One operation on its way to text."""

    def __init__(self, api: Node, path: str, method: str, operation: Node) -> None:
        self._api = api
        self._path = path
        self._method = method
        self._operation = operation

    def text(self) -> str:
        blocks = [
            f"### {self._operation['summary']}",
            f"`{self._method} {PREFIX}{self._path}`\n\n{self._operation['description']}",
            f"```shell\n{self._curl()}\n```",
            *self._parameters(),
            *self._members(),
            *self._answers(),
            self._errors(),
        ]
        return "\n\n".join(blocks) + "\n"

    def _curl(self) -> str:
        path = self._path
        for parameter in self._placed("path"):
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"].replace(" ", "%20"))
        needed = [parameter for parameter in self._placed("query") if parameter["required"]]
        query = "&".join(f"{each['name']}={str(each['example']).replace(' ', '%20')}" for each in needed)
        words = ["curl"] if self._method == "GET" else ["curl", "-X", self._method]
        lines = [f'{" ".join(words)} "$WIKI{PREFIX}{path}{"?" + query if query else ""}"']
        if self._operation["security"]:
            lines.append('-H "Authorization: Bearer $TOKEN"')
        body = self._operation.get("requestBody", {})
        if "application/octet-stream" in body.get("content", {}):
            lines.append("--data-binary @setup.png")
        elif body.get("required"):
            lines.append('-H "Content-Type: application/json"')
            example = json.dumps(self._example(self._body_schema(), all_members=False), ensure_ascii=False)
            lines.append(f"-d '{example}'")
        return " \\\n  ".join(lines)

    def _parameters(self) -> Iterator[str]:
        rows = [
            f"| `{parameter['name']}` | {place} | {_cell(parameter['description'])}{_default(parameter['schema'])} |"
            for place, kind in (("address", "query"), ("header", "header"))
            for parameter in self._placed(kind)
        ]
        if rows:
            yield "\n".join(["| parameter | in | |", "|---|---|---|", *rows])

    def _members(self) -> Iterator[str]:
        if "application/json" not in self._operation.get("requestBody", {}).get("content", {}):
            return
        schema = self._body_schema()
        needed = schema.get("required", ())
        rows = [
            f"| `{name}` | {_kind(member)}{'' if name in needed else ', optional'} | {_cell(_description(member))} |"
            for name, member in schema["properties"].items()
        ]
        yield "\n".join(["| member of the body | | |", "|---|---|---|", *rows])

    def _answers(self) -> Iterator[str]:
        for status, answer in self._operation["responses"].items():
            if int(status) >= 400:
                continue
            headers = ", ".join(f"`{name}`" for name in answer.get("headers", ()))
            yield f"**{status}** {answer['description']}" + (f" Headers: {headers}." if headers else "")
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            if "$ref" in schema and status == self._first_status():
                example = json.dumps(self._example(schema), indent=2, ensure_ascii=False)
                yield f"```json\n{example}\n```"

    def _errors(self) -> str:
        found: dict[str, list[str]] = {}
        for status, answer in self._operation["responses"].items():
            codes = re.findall(r"`(\w+)`", self._resolved(answer)["description"]) if int(status) >= 400 else []
            if special := [f"`{code}`" for code in codes if code not in ANY]:
                found[status] = special
        told = "; ".join(f"{status} {', '.join(codes)}" for status, codes in found.items())
        return f"Errors: {told}." if told else "Errors: those of every route."

    def _first_status(self) -> str:
        return str(next(iter(self._operation["responses"])))

    def _placed(self, place: str) -> list[Node]:
        return [parameter for parameter in self._operation.get("parameters", ()) if parameter["in"] == place]

    def _body_schema(self) -> Node:
        return self._resolved(self._operation["requestBody"]["content"]["application/json"]["schema"])

    def _resolved(self, node: Node) -> Node:
        if "$ref" not in node:
            return node
        _, _, kind, name = node["$ref"].split("/")
        found: Node = self._api["components"][kind][name]
        return found

    def _example(self, schema: Node, *, all_members: bool = True) -> Any:
        """A value that fits, put together from the examples of the members."""
        schema = self._resolved(schema)
        if "examples" in schema:
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        for choice in schema.get("anyOf", ()):
            return self._example(choice)
        if schema.get("type") == "array":
            return [self._example(schema["items"])]
        if schema.get("type") == "object":
            wanted = schema["properties"] if all_members else schema.get("required", ())
            return {
                name: self._example(member)
                for name, member in schema["properties"].items()
                if name in wanted and not (all_members and self._is_rare(schema, name))
            }
        if "enum" in schema:
            return schema["enum"][0]
        return {"boolean": True, "integer": 1, "number": 1.0}.get(schema.get("type", ""), "…")

    @staticmethod
    def _is_rare(schema: Node, name: str) -> bool:
        """Whether a member of an answer is there only sometimes."""
        return name not in schema.get("required", ())


def _codes() -> str:
    rows = [f"| `{code}` | {problem.status} | {_cell(problem.meaning)} |" for code, problem in PROBLEMS.items()]
    every = ", ".join(f"`{code}`" for code in ANY)
    start = f"Every route can also answer with {every}.\n"
    return "\n".join(["## Errors\n", start, "| code | status | what to do |", "|---|---|---|", *rows]) + "\n"


def _default(schema: Node) -> str:
    default = schema.get("default")
    if default in (None, "", False):
        return ""
    shown = default if isinstance(default, str) else json.dumps(default)
    return f" `{shown}` if not given."


def _kind(member: Node) -> str:
    kinds = [choice.get("type") for choice in member.get("anyOf", [member])]
    return " or ".join(kind for kind in kinds if kind and kind != "null")


def _description(member: Node) -> str:
    texts = [str(each.get("description", "")) for each in (member, *member.get("anyOf", ()))]
    return next((text for text in texts if text), "")


def _cell(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(document(OPERATIONS)), "utf-8")
