-- Programs that registered themselves (RFC 7591), before anybody consented to them. Clients whose id is the address of a
-- document have no row. `redirect_uris` is a JSON list; `used_at` is when the client last took part in a grant.
CREATE TABLE oauth_clients (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    uri           TEXT,
    redirect_uris TEXT NOT NULL,
    auth_method   TEXT NOT NULL CHECK (auth_method IN ('none', 'client_secret_post', 'client_secret_basic')),
    secret_hash   BLOB,
    created_at    BIGINT NOT NULL,
    used_at       BIGINT,
    CHECK ((auth_method = 'none') = (secret_hash IS NULL))
);
CREATE INDEX oauth_clients_by_use ON oauth_clients (used_at, created_at);
