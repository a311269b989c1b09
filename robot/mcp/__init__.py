"""The wiki as an MCP server: one endpoint for all wikis, one short function a tool.

Layers, each importing only those above it:

    schemas     arguments and results as pydantic models; the JSON schemas come from them
    failures    content errors as sentences with a next step
    render      results as short text
    sections    a section of a page by its heading (pure)
    uris        addresses of pages and attachments as resources (pure)
    paging      lists in parts (pure)
    keeping     how long an answer may be kept (pure)
    call        one request: the wiki, who acts, and the parts that do the work
    tools       the tools
    resources   pages and attachments as resources
    introduction  how a wiki introduces itself
    prompts     the prompts
    completion  completion of page names
    server      the SDK's low-level server: lists and calls tools, introduces each wiki by its own name
    endpoint    the HTTP door: methods, origin, sign-in, body size
"""
