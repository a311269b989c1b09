"""Who is this browser? Platform sessions, one-time sign-in links, and the hand-off of a sign-in to a wiki's host.

| module | about |
|---|---|
| `providers` | what an identity provider is to the rest of robot |
| `identities` | which identities are whose |
| `admission` | whom this host lets make an account |
| `attempts` | sign-ins under way: state, browser, ten minutes |
| `signups` | people who are known and have no account yet |
| `atproto`, `oidc` | the providers: Bluesky with all servers of the AT Protocol, and any that speaks OpenID Connect |
| `client_secret` | the secret that the operator has from an OpenID Connect provider |
| `keys` | the RSA key that signs session cookies |
| `cookies` | reading cookies safely, writing them with the right attributes |
| `own_sessions` | the sessions of one person, for them to end |
| `sessions` | platform sessions and the wiki sessions that hang on them |
| `devices` | what a browser is called where its person sees it |
| `links` | one-time sign-in links |
| `handoff` | one-time codes from the platform to a wiki's host |
| `returns` | where to go after signing in: a path of the same host, nothing else |
"""
