"""`/oauth/wikis/{name}/authorize`: clients that do not say which wiki they mean, led to where that is asked.

MCP's authorization of March 2025 knew no resource indicators (RFC 8707). Such a client finds this address in the
metadata on the wiki's host, and opens it in the browser as its authorization endpoint.
"""

from __future__ import annotations

from urllib.parse import quote

from quart import Blueprint, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from proxy.hosts import OwnDomain, WikiHost
from robot.address import PublicAddress
from robot.oauth.endpoints import AUTHORIZE, authorize_named
from robot.oauth.resources import resource_of


def old_client_pages(address: PublicAddress) -> Blueprint:
    """The redirect. It decides nothing: all that came is passed on to be checked, with the wiki added."""
    pages = Blueprint("oauth_old_clients", __name__)

    @pages.get(authorize_named("<name>"))
    async def authorize(name: str) -> WerkzeugResponse:
        query = request.query_string.decode("latin-1")
        if "resource" not in request.args:
            place = OwnDomain(name) if "." in name else WikiHost(name)
            resource = resource_of(address.origin_at(place))
            query += ("&" if query else "") + f"resource={quote(resource, safe='')}"
        return redirect(f"{AUTHORIZE}?{query}", 303)

    return pages
