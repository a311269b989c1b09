"""Building a wiki's search index anew, cancelling that, and how far it is for the script on the overview."""

from __future__ import annotations

from quart import Blueprint, Response, jsonify, redirect
from werkzeug.wrappers import Response as WerkzeugResponse

from robot.access import may
from robot.model import Action, Person, Wiki
from robot.search.telling import tell
from robot.search.values import ReindexRunning
from robot.web.answers import error_page
from robot.web.index_status import Indexer, read_status
from robot.web.site import Site
from robot.web.visitor import open_wiki, signed_in
from wikihost.errors import FROZEN


def index_pages(site: Site, *, indexer: Indexer) -> Blueprint:
    """`/app/wiki/{slug}/index`, `/app/wiki/{slug}/reindex`, `/app/wiki/{slug}/reindex/cancel`"""
    db, _, sessions = site
    pages = Blueprint("index", __name__, url_prefix="/app/wiki/<slug>")

    def writable(slug: str) -> Wiki | Response:
        """The wiki, or why the person may not have its index built."""
        user = signed_in(sessions)
        wiki, role = open_wiki(db, user, slug)
        if may(Person(user, role), Action.WRITE, wiki):
            return wiki
        if wiki.is_frozen:
            return error_page(403, "This wiki is read-only", FROZEN)
        return error_page(403, "You may not do this", "Only editors and owners build the index anew.")

    @pages.get("/index")
    async def progress(slug: str) -> tuple[Response, int]:
        wiki, _ = open_wiki(db, signed_in(sessions), slug)
        status = await read_status(indexer, wiki)
        if status is None:
            return jsonify(busy=True, sentence="How far it is cannot be told just now.", percent=None), 503
        told = tell(status)
        return jsonify(busy=told.percent is not None, sentence=told.sentence, percent=told.percent), 200

    @pages.post("/reindex")
    async def reindex(slug: str) -> WerkzeugResponse | Response:
        wiki = writable(slug)
        if isinstance(wiki, Response):
            return wiki
        try:
            indexer.start_reindex(wiki)
        except ReindexRunning:
            return _back(wiki, "?already=1")
        return _back(wiki)

    @pages.post("/reindex/cancel")
    async def cancel(slug: str) -> WerkzeugResponse | Response:
        wiki = writable(slug)
        if isinstance(wiki, Response):
            return wiki
        return _back(wiki, "?cancelled=1" if indexer.cancel_reindex(wiki) else "?over=1")

    return pages


def _back(wiki: Wiki, notice: str = "") -> WerkzeugResponse:
    return redirect(f"/app/wiki/{wiki.slug}{notice}#index", 303)
