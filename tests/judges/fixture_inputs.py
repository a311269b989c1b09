"""Tools and a prompt that need something of the client first: they answer with what they need (2026-07-28)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
)

from tests.judges.fixture_tools import Context, ToolRun, answer, text

InputRequest = ElicitRequest | CreateMessageRequest | ListRootsRequest


def _asking(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema: dict[str, Any] = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampling(prompt: str) -> CreateMessageRequest:
    messages = [SamplingMessage(role="user", content=text(prompt))]
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=messages, max_tokens=50))


NAME = {"user_name": _asking("What is your name?", "name")}


def missing(requests: Mapping[str, InputRequest], given: Mapping[str, Any] | None) -> dict[str, InputRequest]:
    """What is still to be asked; a form counts as answered when it was accepted with a content."""

    def is_answered(key: str) -> bool:
        response = (given or {}).get(key)
        return response is not None and (not isinstance(response, ElicitResult) or bool(response.content))

    return {key: request for key, request in requests.items() if not is_answered(key)}


def _needs(requests: Mapping[str, InputRequest], *, state: str | None = None) -> ToolRun:
    async def run(_context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        await trio.lowlevel.checkpoint()
        if still := missing(requests, params.input_responses):
            return InputRequiredResult(input_requests=dict(still), request_state=state)
        return answer(text(f"Complete: {', '.join(sorted(requests))}. {'state-ok' if params.request_state else ''}"))

    return run


async def _in_rounds(_context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
    """Two forms, one after the other; the state says which one is next."""
    await trio.lowlevel.checkpoint()
    steps = {
        "step1": _asking("Step 1: What is your name?", "name"),
        "step2": _asking("Step 2: What is your favorite color?", "color"),
    }
    at = params.request_state or "step1"
    if params.request_state is None or missing({at: steps[at]}, params.input_responses):
        return InputRequiredResult(input_requests={at: steps[at]}, request_state=at)
    if at == "step1":
        return InputRequiredResult(input_requests={"step2": steps["step2"]}, request_state="step2")
    return answer(text("Both steps are done."))


async def _by_capability(context: Context, _params: CallToolRequestParams) -> InputRequiredResult:
    """Asks only what the client said it can answer."""
    await trio.lowlevel.checkpoint()
    able = context.session.client_capabilities
    requests: dict[str, InputRequest] = {}
    if able is not None and able.sampling is not None:
        requests["sample"] = _sampling("Say something.")
    if able is not None and able.elicitation is not None:
        requests |= NAME
    return InputRequiredResult(input_requests=dict(requests), request_state="asked")


TOOLS: Mapping[str, ToolRun] = {
    "test_streaming_elicitation": _needs(NAME),
    "test_input_required_result_elicitation": _needs(NAME),
    "test_input_required_result_sampling": _needs({"capital_question": _sampling("What is the capital of France?")}),
    "test_input_required_result_list_roots": _needs({"client_roots": ListRootsRequest()}),
    "test_input_required_result_request_state": _needs(
        {"confirm": _asking("Please confirm", "ok", "boolean")}, state="confirming"
    ),
    "test_input_required_result_tampered_state": _needs(
        {"confirm": _asking("Please confirm", "ok", "boolean")}, state="confirming"
    ),
    "test_input_required_result_multiple_inputs": _needs(
        {**NAME, "greeting": _sampling("Generate a greeting"), "client_roots": ListRootsRequest()}, state="asked"
    ),
    "test_input_required_result_multi_round": _in_rounds,
    "test_input_required_result_capabilities": _by_capability,
}


PROMPT_NEEDS: Mapping[str, InputRequest] = {
    "user_context": _asking("What context should the prompt use?", "context"),
}
