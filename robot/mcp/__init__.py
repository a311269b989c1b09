"""The wiki as an MCP server: one endpoint for all wikis, one short function a tool.

Layers, each importing only those above it:

    schemas     arguments and results as pydantic models; the JSON schemas come from them
    failures    content errors as sentences with a next step
    render      results as short text
    sections    a section of a page by its heading (pure)
    call        one tool call: the wiki, who acts, and the parts that do the work
    tools       the tools
    server      the SDK's low-level server: lists and calls tools, introduces each wiki by its own name
    endpoint    the HTTP door: methods, origin, sign-in, body size
"""
