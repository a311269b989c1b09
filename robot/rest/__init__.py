"""`/api/v1` on every wiki host: the same content as MCP, for scripts.

Layers, each importing only those above it:

    problems        every way to fail: code, status, what to do (pure)
    shapes          the JSON of every answer, as types (pure)
    search_shapes   the same for search and its index
    answers         from values of the wiki to those shapes (pure)
    search_answers  the same for search and its index (pure)
    refusals        errors as a status and a JSON body (pure)
    queries         parameters in the address, checked
    operations      what a route takes, gives and refuses, as a value
    openapi         the document about all of them (pure)
    conditions      ETag, If-Match, If-None-Match
    inflow          backpressure for request bodies
    bodies          request bodies, checked; large ones go through files
    downloads       files on their way out
    reach           the contents of wikis as far as the caller reaches
    witnessing      telling of what agents did
    changing        writes: in whose name, and once for each Idempotency-Key
    pages           /pages, /pages/{name}/rename
    attachments     /pages/{name}/attachments
    wiki            /pages/{name}/history, /changelog, /changes, /links
    undoing         /changes/{revision}/undo
    searching       /search, /semantic-search, /chroma-status, /reindex
    about           /health, /openapi.json
    app             the Quart-Trio application: access, errors, routing on the raw path
"""
