"""The authorization server: one issuer for all wikis, at the platform's host.

Layers, each importing only those above it:

    redirects        addresses that a client may have answers sent to (pure)
    clients          what is known of a client (values)
    client_metadata  what a client says of itself, checked (pure)
    registrations    clients that registered themselves: rows, their number, their end
    documents        clients whose id is the address of a document about them: fetched, kept for a while
    finding          who a client is, by its id
"""
