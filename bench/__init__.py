"""Measures robot, and stock Otter Wiki beside it, and writes `RESULTS.md`.

process_tree  loop_delay  machine  figures
                                        what is measured, and how it is written down
stock  host  http_backend               the servers: Otter Wiki as it is, robot, git's own
http_client  mcp_load                   the two kinds of client
page_views  cached_pages  rest  searching  reindexing  agents  streams  catalog  git_door  stopping  waking
                                        the rows of one theme each
run                                     the command
search_quality                          another: how well search finds (`quality/`), written to `SEARCH_QUALITY.md`
"""
