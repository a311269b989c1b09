"""What the arguments and results of all tools have in common, and the JSON schemas that are made of them.

An argument that a model does not name is refused, never ignored: a misspelt `revision` must not become an overwrite.
Empty strings mean "not given", as agents have sent them from the beginning.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.json_schema import GenerateJsonSchema

from robot.mcp.render import DATA_NOTICE

MAX_NAME_CHARS = 1_000
MAX_QUERY_CHARS = 1_000
MAX_LISTED = 1_000

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ADDRESS_PREFIXES = ("/page/", "/api/v1/pages/", "/")


def _refuse_address(name: str) -> str:
    """Names are never read as addresses, but whoever gives one is told which page it seems to mean."""
    if _ADDRESS.match(name) is None:
        return name
    meant = _name_in(name)
    probably = f", probably '{meant}'" if meant else ", such as 'Guides/Setup'"
    raise ValueError(f"is a URL; give the page name{probably}")


def _name_in(address: str) -> str:
    try:
        path = unquote(urlsplit(address).path)
    except ValueError:
        return ""
    prefix = next((prefix for prefix in _ADDRESS_PREFIXES if path.startswith(prefix)), "")
    return " ".join(path.removeprefix(prefix).removesuffix(".md").split())[:100]


def instant_in(date: str) -> datetime | None:
    """The moment that an ISO date or time means, in UTC where it has no zone; None for an empty text."""
    if not date:
        return None
    instant = datetime.fromisoformat(date)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _refuse_other_dates(date: str) -> str:
    try:
        instant_in(date)
    except ValueError:
        raise ValueError("is not an ISO date; write it as 2026-01-31") from None
    return date


_Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS), AfterValidator(_refuse_address)]

PageName = Annotated[_Name, Field(description="Page name, such as 'Guides/Setup'. Never a URL.")]
NewPageName = Annotated[_Name, Field(description="The new page name.")]
FileName = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
AnyRevision = Annotated[str, Field(pattern=r"^([0-9a-fA-F]{7,40})?$")]
Revision = Annotated[
    str, Field(pattern=r"^[0-9a-fA-F]{7,40}$", description="The page's revision that you read (7 to 40 hex digits).")
]
Guard = Annotated[AnyRevision, Field(description="Only if this is still its revision.")]
CommitMessage = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(max_length=2_000, description="What changed and why, for the history."),
]
DryRun = Annotated[bool, Field(description="Only show what would change.")]
IsoDate = Annotated[str, Field(max_length=40), AfterValidator(_refuse_other_dates)]
Cursor = Annotated[str, Field(max_length=MAX_NAME_CHARS, description="`cursor` of the last answer, to go on.")]


class _Compact(GenerateJsonSchema):
    """Leaves out what only costs tokens: titles made from field names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema (2020-12) of a model, as `tools/list` shows it."""
    schema = model.model_json_schema(schema_generator=_Compact)
    for part in (schema, *schema.get("$defs", {}).values()):
        part.pop("title", None)
        part.pop("description", None)
        if "properties" in part and not issubclass(model, Arguments):
            part["properties"] = {name: _present(of_field) for name, of_field in part["properties"].items()}
    return schema


def _present(of_field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field of a result, which is left out when it is None: None is none of its values."""
    of_field.pop("default", None)
    kinds = [kind for kind in of_field.pop("anyOf", ()) if kind != {"type": "null"}]
    return {**kinds[0], **of_field} if kinds else of_field


class Arguments(BaseModel):
    """Base of all arguments: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OnPage(Arguments):
    """Arguments of a tool that works on one page."""

    path: PageName


class Result(BaseModel):
    """Base of all structured results, and of their parts; what is None is left out."""

    model_config = ConfigDict(frozen=True)


class FromWiki(Result):
    """Base of the results that hold words from the wiki, names of pages among them."""

    notice: str = DATA_NOTICE
