-- What agents did: their last calls, and what they add up to by day (UTC). No text of a page or a search is in here.
-- `pages` are names, one a line; `outcome` is 'ok' or the code of a failure; `revision` is the commit that a call made.
CREATE TABLE agent_calls (
    id              INTEGER PRIMARY KEY,
    wiki_id         TEXT NOT NULL REFERENCES wikis (id) ON DELETE CASCADE,
    user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential      TEXT NOT NULL,
    credential_name TEXT NOT NULL,
    client          TEXT NOT NULL,
    door            TEXT NOT NULL CHECK (door IN ('mcp', 'rest', 'git')),
    operation       TEXT NOT NULL,
    pages           TEXT NOT NULL,
    outcome         TEXT NOT NULL,
    revision        TEXT,
    at              BIGINT NOT NULL
);
CREATE INDEX agent_calls_of_wiki ON agent_calls (wiki_id, id);
CREATE INDEX agent_calls_of_user ON agent_calls (user_id);
CREATE INDEX agent_calls_by_age ON agent_calls (at);

CREATE TABLE agent_days (
    wiki_id         TEXT NOT NULL REFERENCES wikis (id) ON DELETE CASCADE,
    user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential      TEXT NOT NULL,
    client          TEXT NOT NULL,
    day             BIGINT NOT NULL,
    credential_name TEXT NOT NULL,
    calls           BIGINT NOT NULL,
    pages_read      BIGINT NOT NULL,
    pages_written   BIGINT NOT NULL,
    errors          BIGINT NOT NULL,
    last_at         BIGINT NOT NULL,
    PRIMARY KEY (wiki_id, user_id, credential, client, day)
);
CREATE INDEX agent_days_of_user ON agent_days (user_id);
CREATE INDEX agent_days_by_age ON agent_days (day);
