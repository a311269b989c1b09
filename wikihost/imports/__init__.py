"""Taking files from elsewhere into a wiki, as one commit.

| module | about |
|---|---|
| `values` | what may be chosen, how much is read, and the report |
| `sources` | which paths of a source are taken at all (pure) |
| `archives`, `folders`, `commits` | a zip, a folder, a git commit as a source |
| `naming` | legal and free names for what has none (pure) |
| `links` | finding links in Markdown and putting others in their place (pure) |
| `vault`, `otter` | what a link means, as Obsidian and as Otter Wiki read it (pure) |
| `placing` | where each page and each file goes (pure) |
| `planning` | all that an import would do, decided before anything is written |
| `building` | the commit, made apart from the wiki by `git fast-import` |
| `run` | the above in order |
"""
