"""What may stand behind `?` in an address: models from which both the reading and the OpenAPI document are made.

Parameters that are not known are ignored, as they always were. Filters, cursors and limits may be empty, which is as if
they were not there; what guards a page (`revision`, `dry_run`) may not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, WithJsonSchema
from quart import request

from robot.rest.refusals import Refused
from wikihost.content import MAX_HISTORY, MAX_OFFSET
from wikihost.values import SearchFilters

MAX_LISTED = 1_000
MAX_HITS = 50
MAX_PASSAGES_PER_PAGE = 5

_FLAGS = {"true": True, "1": True, "false": False, "0": False}

Revision = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{7,40}$", examples=["3f2a9c0d"])]
Message = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(max_length=2_000, description="Why, for the history.", examples=["Shorter interval for the pump seal"]),
]


def _counting(default: int, most: int, *, least: int = 1) -> Callable[[object], int]:
    """Read a number from `least` to `most`; what is no number counts as the default, as it always did."""

    def read(value: object) -> int:
        try:
            number = int(str(value))
        except ValueError:
            return default
        return min(max(number, least), most)

    return read


def _counted_changelog(value: object) -> int:
    """As `_counting`, but a negative limit asks for all, as it always did."""
    text = str(value)
    return MAX_HISTORY - 1 if text.startswith("-") and text[1:].isdecimal() else _counting(50, MAX_LISTED)(text)


def _as_flag(value: object) -> bool:
    """Strict, also about an empty one: who misspells `dry_run` is not to find the page written."""
    try:
        return _FLAGS[str(value).lower()]
    except KeyError:
        raise ValueError("say true or false") from None


def _as_instant(value: object) -> datetime | None:
    if not value:
        return None
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("it is not an ISO date: write it as 2026-01-31") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


# Whatever is sent is taken: less than 1 as 1, more than the most as the most, and no number at all as the default.
_ANY_NUMBER = WithJsonSchema({"type": ["integer", "string"]})
_DATE = WithJsonSchema(
    {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}, {"maxLength": 0}]},
)

Flag = Annotated[bool, BeforeValidator(_as_flag), WithJsonSchema({"type": "boolean"})]
Limit = Annotated[
    int,
    BeforeValidator(_counting(50, MAX_LISTED)),
    _ANY_NUMBER,
    Field(description="At most so many, 1 to 1000.", examples=[50]),
]
Cursor = Annotated[str, Field(description="The `cursor` of the answer before, to go on from there.")]
CommitCursor = Annotated[Cursor, Field(json_schema_extra={"pattern": "^([0-9a-f]{40})?$"})]
FollowRedirect = Annotated[
    Flag,
    Field(
        description="`false` means the page of that very name, also where it only stands for another.", examples=[False]
    ),
]
DryRun = Annotated[
    Flag, Field(description="Check everything, say what would happen, and commit nothing.", examples=[True])
]


class Query(BaseModel):
    """Base of all."""

    model_config = ConfigDict(frozen=True)


Prefix = Annotated[str, Field(description="Pages whose path begins so.", examples=["Runbooks/"])]
Category = Annotated[str, Field(description="Pages of this category; case does not matter.", examples=["runbook"])]
Tag = Annotated[str, Field(description="Pages with this tag; case does not matter.", examples=["pumps"])]
Instant = Annotated[datetime | None, BeforeValidator(_as_instant), _DATE]
UpdatedSince = Annotated[
    Instant,
    Field(
        description="Pages changed since this ISO date or time, UTC if it has no zone.",
        examples=["2026-11-01"],
    ),
]


class ListPages(Query):
    prefix: Prefix = ""
    category: Category = ""
    tag: Tag = ""
    updated_since: UpdatedSince = None
    orphans: Annotated[
        Flag,
        Field(description="Only pages that no other page links to, but for `Home` and redirects.", examples=[True]),
    ] = False
    sort: Annotated[
        Literal["path", "updated"], Field(description="By path, or the last changed first.", examples=["updated"])
    ] = "path"
    limit: Annotated[
        int,
        BeforeValidator(_counting(MAX_LISTED, MAX_LISTED)),
        _ANY_NUMBER,
        Field(description="At most so many, 1 to 1000.", examples=[100]),
    ] = MAX_LISTED
    cursor: Cursor = ""


class ReadPage(Query):
    revision: Annotated[
        str,
        Field(
            description="The page as it was at this commit; 7 to 40 digits.",
            examples=["3f2a9c0d"],
        ),
    ] = ""
    redirect: FollowRedirect = True


class Change(Query):
    dry_run: DryRun = False


class UndoChange(Change):
    commit_message: Annotated[Message | None, Field(description="Why, for the history.")] = None


class WritePage(Change):
    redirect: FollowRedirect = True


class RemovePage(Change):
    revision: Annotated[
        Revision | None, Field(description="Only if it is still at this revision; also in the body.")
    ] = None
    commit_message: Annotated[Message | None, Field(description="Why, for the history; also in the body.")] = None


class PutAttachment(Change):
    revision: Annotated[Revision | None, Field(description="Overwrite only this revision.")] = None
    commit_message: Message | None = None


class Listed(Query):
    limit: Limit = 50
    cursor: Cursor = ""


class ListHistory(Query):
    limit: Limit = 50
    cursor: CommitCursor = ""


class ReadAttachment(Query):
    raw: Annotated[Flag, Field(description="The bytes as they are, in place of JSON.", examples=[True])] = False


class ListChangelog(Query):
    limit: Annotated[
        int,
        BeforeValidator(_counted_changelog),
        _ANY_NUMBER,
        Field(description="At most so many, 1 to 1000; a negative number means all.", examples=[50]),
    ] = 50
    cursor: CommitCursor = ""


class ListChanges(Query):
    since: Annotated[
        str,
        Field(
            description="A commit, 7 to 40 digits: the `head` or `cursor` of an earlier answer, or any revision.",
            examples=["3f2a9c0d"],
            json_schema_extra={"minLength": 1},
        ),
    ]
    limit: Annotated[Limit, Field(description="At most so many commits, 1 to 1000.")] = 50
    cursor: Annotated[str, Field(description="The `cursor` of the answer before; counts in place of `since`.")] = ""


# In the words of every kind of regular expressions: what `str.strip` leaves something of.
_NOT_BLANK = r"[^\s\x1c-\x1f\x85]"
Question = Annotated[
    str,
    Field(
        description="What to find.", examples=["seal oil"], json_schema_extra={"minLength": 1, "pattern": _NOT_BLANK}
    ),
]


class AnySearch(Query):
    """What to find, and in which pages: conditions must all hold."""

    q: Question
    prefix: Prefix = ""
    category: Category = ""
    tag: Tag = ""
    updated_since: UpdatedSince = None
    updated_before: Annotated[
        Instant, Field(description="Pages last changed before this ISO date or time.", examples=["2026-12-01"])
    ] = None

    @property
    def filters(self) -> SearchFilters:
        return SearchFilters(self.tag, self.category, self.prefix, self.updated_since, self.updated_before)


class Search(AnySearch):
    limit: Annotated[
        int,
        BeforeValidator(_counting(MAX_HITS, MAX_HITS)),
        _ANY_NUMBER,
        Field(description="At most so many results, 1 to 50.", examples=[10]),
    ] = MAX_HITS
    cursor: Annotated[
        int,
        BeforeValidator(_counting(0, MAX_OFFSET, least=0)),
        _ANY_NUMBER,
        Field(description="The `cursor` of the answer before, to go on from there."),
    ] = 0


class Find(Search):
    mode: Annotated[
        Literal["hybrid", "keyword", "semantic"],
        Field(description="Both joined, or one of them alone.", examples=["hybrid"]),
    ] = "hybrid"
    max_chunks_per_page: Annotated[
        int,
        BeforeValidator(_counting(1, MAX_PASSAGES_PER_PAGE)),
        _ANY_NUMBER,
        Field(description="At most so many sections of one page, 1 to 5.", examples=[2]),
    ] = 1
    explain: Annotated[Flag, Field(description="Say what each score is joined of.", examples=[True])] = False


class SimilarPages(Query):
    limit: Annotated[
        int,
        BeforeValidator(_counting(5, MAX_HITS)),
        _ANY_NUMBER,
        Field(description="At most so many pages, 1 to 50.", examples=[5]),
    ] = 5


class SemanticSearch(AnySearch):
    q: Annotated[Question, Field(description="A question or subject.", examples=["machine leaks at night"])]
    n: Annotated[
        int,
        BeforeValidator(_counting(5, MAX_HITS)),
        _ANY_NUMBER,
        Field(description="At most so many passages, 1 to 50, of as many pages if there are.", examples=[3]),
    ] = 5
    max_chunks_per_page: Annotated[
        int,
        BeforeValidator(_counting(2, MAX_PASSAGES_PER_PAGE)),
        _ANY_NUMBER,
        Field(description="At most so many passages of one page, 1 to 5.", examples=[2]),
    ] = 2


Q = TypeVar("Q", bound=Query)


def read_query(model: type[Q]) -> Q:
    """The parameters of the request at hand. Raises Refused (422)."""
    said: dict[str, str] = {}
    for name, field in model.model_fields.items():
        values = request.args.getlist(name)
        if len(values) > 1:
            raise Refused(422, "invalid_parameter", f"The parameter {name} is there more than once.")
        if values and not (field.is_required() and not values[0].strip()):
            said[name] = values[0]
    try:
        return model.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
    name = str(first["loc"][0])
    if first["type"] == "missing":
        raise Refused(422, "missing_parameter", f"The parameter {name} is missing.")
    raise Refused(422, "invalid_parameter", f"{name}: {first['msg'].removeprefix('Value error, ')}.")
