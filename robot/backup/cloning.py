"""A copy of a wiki beside it: what a backup would have of it, taken in again."""

from __future__ import annotations

import secrets

from robot.audit import OPERATOR, AuditAction, Entry
from robot.backup.directory import DirectoryStore
from robot.backup.manifest import new_run
from robot.backup.pieces import Pieces
from robot.backup.restoring import taken
from robot.backup.shipment import Shipment
from robot.backup.taking_in import TakenIn, belongings_of, take_in
from robot.backup.wiki_copy import WikiSource, copy_wiki
from robot.clock import wall_clock
from robot.db import Database
from robot.model import User, Wiki
from wikihost.layout import DataDir
from wikihost.quota import Quota
from wikihost.transfer import held_directory


async def clone_wiki(
    db: Database, data: DataDir, wiki: Wiki, slug: str, *, owner: User | None, usual: Quota
) -> TakenIn:
    """Make a wiki at `slug` with all that `wiki` has now; for a process that serves nobody else meanwhile.

    Raises as `take_in` and `copy_wiki`; then nothing was made.
    """
    scratch = data.transfers / f"clone-{secrets.token_hex(8)}"
    with held_directory(scratch):
        place = scratch / "copy"
        place.mkdir()
        store = DirectoryStore(place)
        shipment = Shipment(store, new_run(wall_clock()))
        copy = await copy_wiki(WikiSource(wiki.id, wiki.slug, data.wiki(wiki.id)), scratch, shipment)
        done = Entry(AuditAction.WIKI_CLONED, OPERATOR, target=wiki.name, detail=wiki.slug)
        with taken(Pieces(store, shipment.files), copy, scratch) as kept:
            return await take_in(
                db, data, belongings_of(db, wiki.id), kept, done, beside=slug, owner=owner, usual=usual
            )
