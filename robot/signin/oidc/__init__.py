"""Signing in with an OpenID Connect provider that the operator chose: authorization code flow with PKCE and a nonce.

Authlib knows the protocol: what a request holds, how a client proves who it is, what claims of an ID token must be.
joserfc, on which it builds, checks signatures. Neither of them opens a connection: that is `robot.fetch.Door`'s, so
that nothing here can be made to ask what it should not.

| module | about |
|---|---|
| `issuer` | what the provider says of itself: its endpoints and its keys |
| `id_token` | whether an ID token is genuine, and for whom |
| `client` | the `Provider` |
| `chosen` | the one that the settings name |
"""
