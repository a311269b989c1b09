"""A frozen wiki: nobody may write, whatever process asks, and a start puts right what a crash left half done."""

from __future__ import annotations

from functools import partial

import pytest

from robot.access import may
from robot.freezing import freeze, unfreeze
from robot.in_force import put_decisions_in_force
from robot.model import Action, Person, Role, Wiki
from robot.wikis import find_wiki
from tests.robot.small_host import SmallHost
from tests.wikihost.wikis import ADA
from wikihost.content import Content
from wikihost.errors import WikiFrozen
from wikihost.quota import Quota
from wikihost.writer import Writer


async def found(host: SmallHost, wiki: Wiki) -> Wiki:
    now = find_wiki(host.db, wiki.id)
    assert now is not None
    return now


async def test_nobody_writes_from_the_operators_word_on(host: SmallHost) -> None:
    wiki = await host.make_wiki("one")
    owner = Person(host.ada, Role.OWNER)
    write = partial(Content.write_page, name="New", text="x", base=None, author=ADA)
    await freeze(host.db, host.data, wiki)
    frozen = await found(host, wiki)
    assert frozen.is_frozen
    assert [may(owner, action, frozen) for action in Action] == [True, False, True]
    for dry_run in (True, False):
        with pytest.raises(WikiFrozen):
            await host.contents.run(wiki, partial(write, dry_run=dry_run))
    # What had begun before, or goes on in another process, is stopped at the commit.
    other = Writer(host.data.wiki(wiki.id))
    with pytest.raises(WikiFrozen):
        other.commit({"New.md": b"x"}, author=ADA, message="x")
    await unfreeze(host.db, host.data, wiki)
    assert not (await found(host, wiki)).is_frozen
    assert other.commit({"New.md": b"x"}, author=ADA, message="x").changed
    other.close()


async def test_a_start_puts_right_what_was_decided(host: SmallHost) -> None:
    wiki, other = await host.make_wiki("one"), await host.make_wiki("two")
    await freeze(host.db, host.data, wiki)
    host.data.wiki(wiki.id).frozen.unlink()
    host.data.wiki(other.id).frozen.touch()
    await put_decisions_in_force(host.db, host.data, Quota())
    assert host.data.wiki(wiki.id).frozen.exists()
    assert not host.data.wiki(other.id).frozen.exists()
