"""The authorization server: one issuer for all wikis, at the platform's host.

Layers, each importing only those above it:

    redirects   addresses that a client may have answers sent to (pure)
    clients     who a client is, by its id
    connections what people consented to: listed, found, taken back
"""
