"""Commit objects, as robot makes them."""

from __future__ import annotations

from wikihost.repo import join_trailers
from wikihost.trees import NewObject
from wikihost.values import Author


def commit_object(tree: bytes, parents: tuple[str, ...], author: Author, message: str, *, when: int) -> NewObject:
    """A commit by `author` at `when` (epoch seconds, UTC), the author's trailers at the end of the message."""
    who = signature(author, when)
    lines = [f"tree {tree.hex()}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}"]
    text = join_trailers(message.replace("\0", ""), author.trailers.items())
    return NewObject(b"commit", "\n".join([*lines, "", text]).encode("utf-8", "replace"))


def signature(author: Author, when: int) -> str:
    """Who and when, as git writes it into a commit; `when` in epoch seconds, UTC."""
    return f"{_person_part(author.name) or 'unknown'} <{_person_part(author.email)}> {when} +0000"


def _person_part(text: str) -> str:
    """A name or address without what would end it early in a commit (as `git commit` cleans them)."""
    visible = "".join(character for character in text if character >= " " and character not in "<>\x7f")
    return visible.strip(" .,:;\"\\'")
