"""The platform's pages: plain HTML that works without scripts, rendered from `templates/`.

| module | about |
|---|---|
| `platform` | the application of the platform host: headers, static files, errors |
| `all_pages`, `site` | the pages joined, and what they all work with |
| `landing`, `dashboard`, `create_pages`, `wiki_pages`, `settings_pages`, `choices` | its pages, and what forms offer |
| `domain_pages` | a wiki's own domain |
| `search_pages` | one search over all wikis of a person |
| `index_pages`, `index_status` | how far a wiki's search index is, and building it anew |
| `agent_pages`, `setups`, `revoke_pages` | letting agents in, what to paste into each, and taking it back |
| `consent_pages` | asking people whether a client may get in |
| `activity_pages`, `undo_pages`, `undo_selection`, `diff_lines` | what agents did, and taking back what one changed |
| `visit_pages` | who visited a wiki, for its owners |
| `people_page`, `member_pages`, `invite_pages` | who is in a wiki, changing that, and inviting others |
| `invitation_pages` | answering an invitation |
| `delete_pages` | deleting a wiki, having it back, deleting it for good |
| `import_pages`, `export_pages` | bringing pages in, and taking a wiki along |
| `uploads`, `downloads` | what is too large for a page: ASGI applications in front of it |
| `signin_pages`, `login_form`, `link_pages`, `handoff_page`, `going_on` | signing in and out |
| `provider_pages`, `signup_pages`, `connect_pages` | signing in by an identity provider, first and later times |
| `account_pages`, `leaving_pages` | one's own account, and deleting it |
| `admin_door`, `admin_pages`, `admin_people` | what operators see and do, about the machine and people |
| `admin_wiki_desk`, `admin_wikis`, `admin_moderation` | and about wikis |
| `signin_documents` | what other servers read about this host before they sign anybody in |
| `wiki_auth` | the application behind `/auth/…` on a wiki's host |
| `limiting` | what is refused because it comes too often |
| `errors` | error pages, for any part of the host, without a framework |
| `ask` | whether a name may have a certificate, for Caddy |
| `page`, `statics`, `visitor`, `facts`, `answers` | rendering, static files, who is looking, a wiki in figures |
"""
