"""Importing, on the side of the host: where a source comes from, and the work that goes on while nobody waits.

| module | about |
|---|---|
| `sources` | a file, a folder or an address made into something that `wikihost.imports` reads |
| `repositories` | git bundles unpacked, git repositories fetched through `robot.fetch` |
| `jobs` | imports begun in a browser: looked at, confirmed, carried out, forgotten |
"""
