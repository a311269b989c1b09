"""Progress of a tool's call, for clients that asked to be told: they wait longer for what says that it is at work."""

from __future__ import annotations

from typing import Any

import trio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params

# Nearly all calls are over long before.
EVERY_S = 2.0


async def tell_progress(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """While a tool runs, say every two seconds for how many seconds it has: how many are left, nobody knows."""
    if ctx.method != "tools/call" or progress_token_from_params(ctx.params) is None:
        return await call_next(ctx)
    result: HandlerResult = None
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_say_that_it_runs, ctx)
        try:
            result = await call_next(ctx)
        except Exception as error:  # raised below, where the nursery wraps it in no group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result


async def _say_that_it_runs(ctx: ServerRequestContext[Any, Any]) -> None:
    began = trio.current_time()
    while True:
        await trio.sleep(EVERY_S)
        await ctx.session.report_progress(round(trio.current_time() - began, 3), message="still at work")
