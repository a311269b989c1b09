-- What people consented to (OAuth): one row for each person, client and wiki. `ended_at` and `ended_why` say that a secret
-- was used a second time, which took everything of the connection back; the row stays to tell its person.
-- `refused_at`: the last refresh was refused since then. `client_id` has no row to refer to where the client is a document.
CREATE TABLE connections (
    id           TEXT PRIMARY KEY,
    wiki_id      TEXT NOT NULL REFERENCES wikis (id) ON DELETE CASCADE,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id    TEXT NOT NULL,
    client_name  TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    scopes       TEXT NOT NULL CHECK (scopes IN ('read', 'read write')),
    prefix       TEXT,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    refused_at   BIGINT,
    ended_at     BIGINT,
    ended_why    TEXT CHECK (ended_why IN ('code', 'refresh')),
    UNIQUE (user_id, client_id, wiki_id)
);
CREATE INDEX connections_of_wiki ON connections (wiki_id);
CREATE INDEX connections_of_client ON connections (client_id);
CREATE INDEX connections_by_expiry ON connections (expires_at);
CREATE INDEX connections_by_end ON connections (ended_at) WHERE ended_at IS NOT NULL;

-- Authorization codes. A used one names the connection that it made, which ends when the code comes again.
CREATE TABLE oauth_codes (
    code_hash     BLOB PRIMARY KEY,
    wiki_id       TEXT NOT NULL REFERENCES wikis (id) ON DELETE CASCADE,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id     TEXT NOT NULL,
    client_name   TEXT NOT NULL,
    redirect_uri  TEXT NOT NULL,
    challenge     TEXT NOT NULL,
    scopes        TEXT NOT NULL CHECK (scopes IN ('read', 'read write')),
    prefix        TEXT,
    expires_at    BIGINT NOT NULL,
    connection_id TEXT REFERENCES connections (id) ON DELETE CASCADE
);
CREATE INDEX oauth_codes_of_wiki ON oauth_codes (wiki_id);
CREATE INDEX oauth_codes_of_user ON oauth_codes (user_id);
CREATE INDEX oauth_codes_of_connection ON oauth_codes (connection_id);
CREATE INDEX oauth_codes_by_expiry ON oauth_codes (expires_at);

-- A refresh token and the access token that was given with it; `family` is all that came of one code. Once replaced it has a
-- `salt`: with the secret itself it makes its successor, for a client that lost the answer. The salt goes when the time for
-- that is over.
CREATE TABLE oauth_tokens (
    refresh_hash       BLOB PRIMARY KEY,
    access_hash        BLOB NOT NULL UNIQUE,
    connection_id      TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    family             TEXT NOT NULL,
    scopes             TEXT NOT NULL CHECK (scopes IN ('read', 'read write')),
    prefix             TEXT,
    access_expires_at  BIGINT NOT NULL,
    refresh_expires_at BIGINT NOT NULL,
    replaced_at        BIGINT,
    salt               BLOB
);
CREATE INDEX oauth_tokens_of_connection ON oauth_tokens (connection_id);
CREATE INDEX oauth_tokens_of_family ON oauth_tokens (family);
CREATE INDEX oauth_tokens_by_expiry ON oauth_tokens (refresh_expires_at);
CREATE INDEX oauth_tokens_with_salt ON oauth_tokens (replaced_at) WHERE salt IS NOT NULL;
