-- People, wikis, who may do what, and everything that proves who somebody is.
-- Times are whole seconds since 1970 (UTC). Secrets are stored as SHA-256 only. Names are plural because "user" is a
-- reserved word in other databases.

CREATE TABLE users (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    is_operator  INTEGER NOT NULL DEFAULT 0 CHECK (is_operator IN (0, 1)),
    created_at   BIGINT NOT NULL
);

-- A wiki is seen only while it is 'ready'. 'creating' and 'deleting' say which directory is unfinished after a crash.
-- A wiki that is being deleted has given its slug back.
CREATE TABLE wikis (
    id          TEXT PRIMARY KEY,
    slug        TEXT UNIQUE,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    visibility  TEXT NOT NULL CHECK (visibility IN ('private', 'unlisted', 'public')),
    state       TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
    created_at  BIGINT NOT NULL
);

CREATE TABLE freed_slugs (
    slug     TEXT PRIMARY KEY,
    user_id  TEXT,
    freed_at BIGINT NOT NULL
);

CREATE TABLE grants (
    wiki_id TEXT NOT NULL REFERENCES wikis (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    PRIMARY KEY (wiki_id, user_id)
);
CREATE INDEX grants_of_user ON grants (user_id);

-- Bearer tokens of agents: one wiki, one person. `scopes` is 'read' or 'read write'.
CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    secret_hash  BLOB NOT NULL UNIQUE,
    wiki_id      TEXT NOT NULL REFERENCES wikis (id) ON DELETE CASCADE,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    scopes       TEXT NOT NULL CHECK (scopes IN ('read', 'read write')),
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX tokens_of_wiki ON tokens (wiki_id);
CREATE INDEX tokens_of_user ON tokens (user_id);

-- Browser sessions on the platform host; deleting one signs its browser out everywhere.
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Browser sessions on one wiki's host; each hangs on the platform session that it came from.
CREATE TABLE wiki_sessions (
    secret_hash BLOB PRIMARY KEY,
    session_id  TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    wiki_id     TEXT NOT NULL REFERENCES wikis (id) ON DELETE CASCADE,
    created_at  BIGINT NOT NULL
);
CREATE INDEX wiki_sessions_of_session ON wiki_sessions (session_id);
CREATE INDEX wiki_sessions_of_wiki ON wiki_sessions (wiki_id);

-- One-time sign-in links.
CREATE TABLE signin_links (
    secret_hash BLOB PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX signin_links_of_user ON signin_links (user_id);
CREATE INDEX signin_links_by_expiry ON signin_links (expires_at);

-- One-time codes that carry a sign-in from the platform to a wiki's host. `challenge` is the SHA-256 of a secret that only
-- the browser that asked holds.
CREATE TABLE handoffs (
    code_hash   BLOB PRIMARY KEY,
    session_id  TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    wiki_id     TEXT NOT NULL REFERENCES wikis (id) ON DELETE CASCADE,
    challenge   BLOB NOT NULL,
    return_path TEXT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX handoffs_of_session ON handoffs (session_id);
CREATE INDEX handoffs_of_wiki ON handoffs (wiki_id);
CREATE INDEX handoffs_by_expiry ON handoffs (expires_at);
