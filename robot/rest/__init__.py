"""`/api/v1` on every wiki host: the same content as MCP, for scripts.

Layers, each importing only those above it:

    answers     JSON shapes of pages, searches and the index (pure)
    refusals    every failure as a status and a JSON body, decided in one place (pure)
    bodies      request bodies and query parameters, checked
    changing    writes: in whose name, and once for each Idempotency-Key
    pages       /pages, /pages/{page}/rename
    attachments /pages/{page}/attachments
    wiki        /pages/{page}/history, /changelog, /changes, /links
    searching   /search, /semantic-search, /reindex
    app         the Quart-Trio application: access, errors, routing on the raw path
"""
