"""The tools: what an agent can do with a wiki. One table; a file for each theme.

A tool is a short function from a `Call` and its arguments to an `Answer`. Its arguments, its result and its text are in
the same file, and here its name, title, description and hints; adding a tool is a function, two models and a row.
"""

from __future__ import annotations

from functools import partial

from robot.mcp.tool import Tool
from robot.mcp.tools import attachments, history, listing, moving, reading, searching, writing


def _hints(*, read_only: bool = False, destructive: bool = False, idempotent: bool = True) -> dict[str, bool]:
    """Nothing here reaches out of the wiki. Doing a thing twice is harmless where a revision guards it."""
    return {
        "readOnlyHint": read_only,
        "destructiveHint": destructive,
        "idempotentHint": idempotent,
        "openWorldHint": False,
    }


_reading = partial(Tool, writes=False, hints=_hints(read_only=True))
# All of history is kept; destructive is what takes away a text or a file that somebody would look for.
_replacing = partial(Tool, writes=True, hints=_hints(destructive=True))
_moving = partial(Tool, writes=True, hints=_hints())
_adding = partial(Tool, writes=True, hints=_hints(idempotent=False))

TOOLS: tuple[Tool, ...] = (
    _reading(
        "get_wiki_info",
        "About this wiki",
        "What this wiki is for, what its owner asks of agents, its size and limits, categories and tags, and whether "
        "you may write.",
        listing.GetWikiInfoArguments,
        listing.WikiInfoResult,
        listing.get_wiki_info,
    ),
    _reading(
        "search",
        "Search",
        "Find what answers a question, by words and by meaning at once: the search to try first. Returns sections of "
        "pages, which fetch or read_note read.",
        searching.SearchArguments,
        searching.SearchResult,
        searching.search,
    ),
    _reading(
        "fetch",
        "Fetch a search result",
        "The text of a page that search found. Use read_note for sections, older revisions and links.",
        reading.FetchArguments,
        reading.FetchResult,
        reading.fetch,
    ),
    _reading(
        "search_notes",
        "Search by keywords",
        "Find pages that contain words or phrases, such as names, codes and quotes, and page through all of them.",
        searching.SearchNotesArguments,
        searching.SearchNotesResult,
        searching.search_notes,
    ),
    _reading(
        "semantic_search",
        "Search by meaning",
        "Find the passages whose meaning is nearest to a question, whatever words they use, with their whole text.",
        searching.SemanticSearchArguments,
        searching.SemanticSearchResult,
        searching.semantic_search,
    ),
    _reading(
        "list_notes",
        "List pages",
        "List pages with category, tags, size and date of last change; filters combine.",
        listing.ListNotesArguments,
        listing.ListNotesResult,
        listing.list_notes,
    ),
    _reading(
        "read_note",
        "Read a page",
        "Read a page or one section of it, with its revision (needed to change it), frontmatter and links.",
        reading.ReadNoteArguments,
        reading.NoteResult,
        reading.read_note,
    ),
    _reading(
        "read_notes",
        "Read several pages",
        "Read up to 20 pages in one call, as much of them as there is room for, with their revisions.",
        reading.ReadNotesArguments,
        reading.ReadNotesResult,
        reading.read_notes,
    ),
    _replacing(
        "write_note",
        "Write a page",
        "Create a page, or replace all of its text. To replace a page, read it first and pass its revision: if "
        "somebody changed it meanwhile, nothing is written. Link pages as [[Page Name]].",
        writing.WriteNoteArguments,
        writing.WrittenResult,
        writing.write_note,
    ),
    _replacing(
        "edit_note",
        "Edit a page",
        "Replace one piece of a page's text. old_string must occur exactly once; revision is the one you read.",
        writing.EditNoteArguments,
        writing.WrittenResult,
        writing.edit_note,
    ),
    _replacing(
        "edit_section",
        "Edit a section",
        "Replace the text under one heading of a page, and leave the rest alone.",
        writing.EditSectionArguments,
        writing.WrittenResult,
        writing.edit_section,
    ),
    _adding(
        "append_note",
        "Add to a page",
        "Add text at the end of a page or of a section. Needs no revision, since nothing is replaced.",
        writing.AppendNoteArguments,
        writing.WrittenResult,
        writing.append_note,
    ),
    _moving(
        "rename_note",
        "Rename a page",
        "Rename or move a page with its files. Links to it follow, in the same commit.",
        moving.RenameNoteArguments,
        moving.RenamedResult,
        moving.rename_note,
    ),
    _replacing(
        "delete_note",
        "Delete a page",
        "Delete a page and its files; pages below it stay. History keeps them, and undo_change brings them back.",
        moving.DeleteNoteArguments,
        moving.DeletedResult,
        moving.delete_note,
    ),
    _reading(
        "get_links",
        "Links of a page",
        "Which pages a page links to, and which link to it; also for a page that does not exist yet. With `similar` "
        "also other pages about the same.",
        listing.GetLinksArguments,
        listing.LinksResult,
        listing.get_links,
    ),
    _reading(
        "find_orphaned_notes",
        "Find orphaned pages",
        "List pages that no other page links to; Home and redirects do not count.",
        listing.FindOrphanedNotesArguments,
        listing.ListNotesResult,
        listing.find_orphaned_notes,
    ),
    _reading(
        "find_broken_links",
        "Find broken links",
        "List names that pages link to and that no page has, with the pages that link there.",
        listing.FindBrokenLinksArguments,
        listing.BrokenLinksResult,
        listing.find_broken_links,
    ),
    _reading(
        "get_recent_changes",
        "Recent changes",
        "The wiki's last commits, newest first: who changed which pages, and why.",
        history.GetRecentChangesArguments,
        history.RecentChangesResult,
        history.get_recent_changes,
    ),
    _reading(
        "get_history",
        "History of a page",
        "The commits of one page, newest first, under older names too.",
        history.GetHistoryArguments,
        history.HistoryResult,
        history.get_history,
    ),
    _reading(
        "get_changes",
        "What changed since",
        "What happened to pages after a commit, oldest first: to follow a wiki from one visit to the next.",
        history.GetChangesArguments,
        history.ChangesResult,
        history.get_changes,
    ),
    _moving(
        "undo_change",
        "Undo a change",
        "Take back what one commit did, whoever made it; what came after stays. The undo is a commit too.",
        history.UndoChangeArguments,
        history.UndoneResult,
        history.undo_change,
    ),
    _reading(
        "list_attachments",
        "List files of a page",
        "The files attached to a page.",
        attachments.ListAttachmentsArguments,
        attachments.AttachmentsResult,
        attachments.list_attachments,
    ),
    _reading(
        "download_attachment",
        "Read a file",
        "A file of a page: images as images, texts as texts, large ones as an address.",
        attachments.DownloadAttachmentArguments,
        attachments.DownloadedResult,
        attachments.download_attachment,
    ),
    _replacing(
        "upload_attachment",
        "Attach a file",
        "Store a file with a page; one of the same name is replaced. Show it on the page with ![text](/Page/file.png).",
        attachments.UploadAttachmentArguments,
        attachments.UploadedResult,
        attachments.upload_attachment,
    ),
    _replacing(
        "delete_attachment",
        "Delete a file",
        "Delete a file of a page. History keeps it, and undo_change brings it back.",
        attachments.DeleteAttachmentArguments,
        attachments.FileDeletedResult,
        attachments.delete_attachment,
    ),
)

WRITING_TOOLS = frozenset(tool.name for tool in TOOLS if tool.writes)
