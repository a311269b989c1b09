"""What a client says of itself, when it registers or in the document at its id (RFC 7591, section 2), checked (pure).

Members that are not looked at are ignored, as the RFC asks; null and "" stand for members that are left out, as some
clients write them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from robot.oauth.clients import AuthMethod
from robot.oauth.redirects import RedirectRefused, check_redirect

MAX_REDIRECTS = 20
MAX_NAME_CHARS = 100
UNNAMED = "A program without a name"

_MAX_URI_CHARS = 1_000
_MAX_LIST = 20
_Word = Annotated[str, Field(max_length=200)]


class MetadataRefused(Exception):
    """A client cannot be as it says; `code` is the RFC's (section 3.2.2), the message a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """What was said, as far as it matters here."""

    name: str
    uri: str | None
    redirect_uris: tuple[str, ...]
    auth_method: AuthMethod


class _Said(BaseModel):
    """The JSON object."""

    model_config = ConfigDict(extra="ignore", strict=True)

    redirect_uris: list[Annotated[str, AfterValidator(check_redirect)]] = Field(min_length=1, max_length=MAX_REDIRECTS)
    client_name: str = Field(UNNAMED, max_length=MAX_NAME_CHARS)
    client_uri: str | None = Field(None, max_length=_MAX_URI_CHARS)
    token_endpoint_auth_method: Annotated[AuthMethod, Strict(False)] | None = None
    grant_types: list[_Word] = Field(["authorization_code"], max_length=_MAX_LIST)
    response_types: list[_Word] = Field(["code"], max_length=_MAX_LIST)

    @model_validator(mode="before")
    @classmethod
    def _placeholders_are_left_out(cls, said: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in said.items() if value is not None and value != ""}


def read_client_metadata(said: Any, *, default_auth: AuthMethod) -> ClientMetadata:
    """Check a decoded JSON value. Raises `MetadataRefused`."""
    if not isinstance(said, dict):
        raise MetadataRefused("invalid_client_metadata", "Send one JSON object.")
    try:
        found = _Said.model_validate(said)
    except ValidationError as error:
        raise _refusal(error) from None
    if "authorization_code" not in found.grant_types or "code" not in found.response_types:
        raise MetadataRefused(
            "invalid_client_metadata",
            "Clients use the grant type 'authorization_code' and the response type 'code' here.",
        )
    return ClientMetadata(
        name=_shown(found.client_name) or UNNAMED,
        uri=found.client_uri if _is_web_page(found.client_uri) else None,
        redirect_uris=tuple(dict.fromkeys(found.redirect_uris)),
        auth_method=found.token_endpoint_auth_method or default_auth,
    )


def _refusal(error: ValidationError) -> MetadataRefused:
    """The first problem, as the RFC's code and a sentence."""
    problem = error.errors(include_url=False, include_input=False)[0]
    member = str(problem["loc"][0])
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, RedirectRefused):
        return MetadataRefused("invalid_redirect_uri", str(cause))
    code = "invalid_redirect_uri" if member == "redirect_uris" else "invalid_client_metadata"
    return MetadataRefused(code, f"{member}: {problem['msg'][0].lower()}{problem['msg'][1:]}.")


def _shown(name: str) -> str:
    """A name as people may be shown it: one line, and nothing that hides or turns around what stands beside it."""
    visible = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in name)
    return " ".join(visible.split())


def _is_web_page(uri: str | None) -> bool:
    """Whether an address can be linked to; another is left out, since nothing depends on it."""
    try:
        return uri is not None and urlsplit(uri).scheme == "https" and check_redirect(uri) == uri
    except ValueError:
        return False
