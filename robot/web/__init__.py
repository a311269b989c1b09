"""The platform's pages: plain HTML that works without scripts, rendered from `templates/`.

| module | about |
|---|---|
| `platform` | the application of the platform host: wiring, errors, headers |
| `landing`, `dashboard`, `create_pages`, `wiki_pages`, `settings_pages`, `choices` | its pages, and what forms offer |
| `search_pages` | one search over all wikis of a person |
| `index_pages`, `index_status` | how far a wiki's search index is, and building it anew |
| `agent_pages`, `setups`, `revoke_pages` | letting agents in, what to paste into each, and taking it back |
| `consent_pages` | asking people whether a client may get in |
| `activity_pages`, `undo_pages`, `undo_selection`, `diff_lines` | what agents did, and taking back what one changed |
| `import_pages`, `export_pages` | bringing pages in, and taking a wiki along |
| `uploads`, `downloads` | what is too large for a page: ASGI applications in front of it |
| `signin_pages`, `link_pages`, `handoff_page`, `going_on` | signing in and out |
| `wiki_auth` | the application behind `/auth/…` on a wiki's host |
| `errors` | error pages, for any part of the host, without a framework |
| `ask` | whether a name may have a certificate, for Caddy |
| `page`, `statics`, `visitor`, `facts`, `answers` | rendering, static files, who is looking, a wiki in figures |
"""
