"""The wiki as an MCP server: one endpoint for all wikis, one short function a tool.

Layers, each importing only those above it:

    render        results as short text: what all have in common, and how long a result may be (pure)
    schemas       arguments and results: what all have in common, and the JSON schemas made of them (pure)
    failures      content errors and wrong arguments as sentences with a next step (pure)
    sections      a section of a page by its heading, and the text with another in its place (pure)
    uris          addresses of pages and attachments as resources (pure)
    paging        lists in parts (pure)
    keeping       how long an answer may be kept (pure)
    call          one request: the wiki, who acts, and the parts that do the work
    tool          what a tool is, and what it answers
    often         how often an agent calls which tools
    done          what came of a call, as it is answered and as it is kept
    addresses     where a page or a file is found outside of an answer (pure)
    nearest       names near to one that no page has
    tools         the tools, a file for each theme, and the table of them
    resources     pages and attachments as resources
    introduction  how a wiki introduces itself
    prompts       the prompts
    completion    completion of page names
    subscription  what one who listens is told (pure)
    listening     streams of events
    progress      progress of a call
    noting        what agents read without a tool
    server        the SDK's low-level server: lists and calls tools, and gives each method its handler
    endpoint      the HTTP door: methods, origin, sign-in, body size
"""
