"""Signing in with Bluesky, or any other server of the AT Protocol: a confidential OAuth client that asks who one is.

Layers, each importing only those above it:

    handles          handles as people write them, and which names may be handles (pure)
    origins          addresses of servers (pure)
    did_documents    DIDs, and what the document about each says, checked (pure)
    handle_lookup    from a handle to a DID, as its domain says
    identity         from a handle or a DID to an account and its server, proved from both sides
    reverify         handles that are shown are asked about again, day by day
    client_keys      the keys by which servers know this host, and their rotation
    client_document  what this host says of itself to servers (pure)
    discovery        from an account's server to the one that signs its people in
    assertions       how this host proves which client it is (pure)
    dpop             how it proves that a request belongs to a sign-in (pure)
    conversation     requests to one server in one sign-in
    pending          what is kept while the browser is away
    callback         what comes back, and what is given for it, checked (pure)
    oauth            both halves of a sign-in, before and after the browser was there
    provider         all of it as a `robot.signin.providers.Provider`

The documents are served by `robot.web.signin_documents`. No token is kept: what is given ends as soon as it is checked.
"""
