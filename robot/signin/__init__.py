"""Who is this browser? Platform sessions, one-time sign-in links, and the hand-off of a sign-in to a wiki's host.

| module | about |
|---|---|
| `keys` | the RSA key that signs session cookies |
| `cookies` | reading cookies safely, writing them with the right attributes |
| `sessions` | platform sessions and the wiki sessions that hang on them |
| `links` | one-time sign-in links |
| `handoff` | one-time codes from the platform to a wiki's host |
| `returns` | where to go after signing in: a path of the same host, nothing else |
"""
