"""Measures robot, and stock Otter Wiki beside it, and writes `RESULTS.md`.

process_tree  machine  figures          what is measured, and how it is written down
stock  host  http_client  mcp_load      the two servers, and the two kinds of client
page_views  waking  agents  stopping    one row or two of the table each
run                                     the command
"""
