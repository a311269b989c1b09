"""The platform's pages: plain HTML that works without scripts, rendered from `templates/`.

| module | about |
|---|---|
| `platform` | the application of the platform host: wiring, errors, headers |
| `landing`, `signin_pages`, `handoff_page`, `dashboard`, `wiki_pages`, `agent_pages` | its pages |
| `wiki_auth` | the application behind `/auth/…` on a wiki's host |
| `errors` | error pages, for any part of the host, without a framework |
| `setups` | what to paste into each agent |
| `ask` | whether a name may have a certificate, for Caddy |
| `page`, `statics`, `visitor`, `facts`, `answers` | rendering, static files, who is looking, a wiki in figures |
"""
