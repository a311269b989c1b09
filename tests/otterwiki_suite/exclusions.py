"""Which of Otter Wiki's tests are run on robot's storage, and where robot means to differ."""

from __future__ import annotations

from typing import Final

# The modules about storage and pages. The others are about accounts, mail, remotes, its git server and its command
# line, which the platform replaces, or about functions that touch no storage.
MODULES: Final = frozenset(
    {
        "test_attachments",
        "test_backlinks",
        "test_draft",
        "test_editor",
        "test_embeddings",
        "test_feed",
        "test_gitstorage",
        "test_helper",
        "test_history",
        "test_home_page",
        "test_housekeeping",
        "test_include_embedding",
        "test_invalid_request_handling",
        "test_not_found_page",
        "test_otterwiki",
        "test_page_lifecycle_hooks",
        "test_pageindex",
        "test_preview",
        "test_rename_with_updated_links",
        "test_renderer",
        "test_seo",
        "test_sidebar",
        "test_sitemap",
    }
)

_SYMLINKS: Final = "a symbolic link is checked out as a text file, and only git commits one"
_AT_ONCE: Final = "what is decided reaches the disk with its commit, so there is nothing to restore"
_FIRST: Final = "a wiki is made by lifecycle, with its first commit and pages"
_REDIRECT: Final = "a page that is renamed leaves a redirect"
_MARKS: Final = "a page that is not UTF-8 is shown with marks, where stock shows an error"
_MESSAGE: Final = "a commit without a message says which page it changed"

# Each of these must fail, so that none stays here without need. A name stands for all parameters, and for all tests
# that begin with it; one that ends in $ for itself alone.
DIFFERS: Final = {
    "test_gitstorage.py::test_broken_message": _MESSAGE,
    "test_gitstorage.py::test_init_fail": _FIRST,
    "test_gitstorage.py::test_log_empty": _FIRST,
    "test_gitstorage.py::test_restore_is_scoped_to_the_given_paths": _AT_ONCE,
    "test_gitstorage.py::test_rename$": _REDIRECT,
    "test_gitstorage.py::test_rename_into_symlinked_directory_outside_repository": _SYMLINKS,
    "test_home_page.py::test_initialization_with_custom": _FIRST,
    "test_home_page.py::test_initialization_with_default": _FIRST,
    "test_otterwiki.py::test_default_commit_message": _MESSAGE,
    "test_otterwiki.py::test_nested_files": "the distribution lacks the picture that it opens",
    "test_otterwiki.py::test_page_blame_broken_utf8": _MARKS,
    "test_otterwiki.py::test_page_source_broken_utf8": _MARKS,
    "test_otterwiki.py::test_page_view_broken_utf8": _MARKS,
    "test_otterwiki.py::test_rename$": _REDIRECT,
    "test_pageindex.py::test_pageindex_with_invalid_utf8": _MARKS,
    "test_rename_with_updated_links.py::test_rename_without_update_backlinks_leaves_links_untouched": _REDIRECT,
    "test_rename_with_updated_links.py::test_rename_rollback_keeps_unrelated_uncommitted_changes": _AT_ONCE,
    "test_sidebar.py::test_sidebar_menutree_with_invalid_utf8": _MARKS,
    "test_rename_with_updated_links.py::test_repository_changed_hook_includes_rewritten_backlinks": (
        "the hook names the file that went, too"
    ),
}

# The same for all tests that ask for a fixture.
DIFFERENT_FIXTURES: Final = {"internal_page_symlink": _SYMLINKS}
