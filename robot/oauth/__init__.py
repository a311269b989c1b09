"""The authorization server: one issuer for all wikis, at the platform's host.

Layers, each importing only those above it:

    endpoints          where its endpoints are
    scopes             scopes as OAuth spells them (pure)
    resources          what a wiki is called as a `resource` (pure)
    redirects          addresses that a client may have answers sent to (pure)
    clients            what is known of a client (values)
    client_metadata    what a client says of itself, checked (pure)
    registrations      clients that registered themselves: rows, their number, their end
    documents          clients whose id is the address of a document about them: fetched, kept for a while
    finding            who a client is, by its id
    metadata           the documents by which clients discover all this (pure)
    cross_origin       what scripts of any origin may call
    well_known         those documents over HTTP
    json_answers       what the endpoints for programs answer
    registration_page  POST /oauth/register
    old_clients        the way in for clients that do not say which wiki they mean

    asking             the authorization request, judged (pure)
    proposals          what a person is told and asked (pure)
    requests           authorization requests as they come in: their client found, judged
    proof              how a client proves who it is (pure)
    pairs              secrets, and how one pair of tokens follows from another (pure)
    connections        what people consented to: listed, found, taken back
    tokens             pairs of tokens in the database; who an access token is
    codes              a consent on its way to its client, once
    refreshing         the next pair, and the end of a stolen one; revocation
    sweeping           throws away what is over
    token_page         POST /oauth/token and /oauth/revoke

The page that asks people is `robot.web.consent_pages`.
"""
