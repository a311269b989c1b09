"""Giving a wiki's files away: as they are in its work tree, or as pages that any browser shows from a disk.

| module | about |
|---|---|
| `archives` | files as the pieces of a zip, with flat memory |
| `files` | a wiki's own files |
| `site` | the files of a static site |
| `rendering`, `layout` | a page's HTML, and where each page and file of the site lies (pure) |
"""
