-- People from elsewhere, what they share with whom, and who did what.

-- Who proved to be whom: `subject` is what the provider never gives to another person (a DID; an OpenID Connect issuer and
-- its subject). `handle` is for showing only, as it was when it was last checked; NULL when it did not prove right.
CREATE TABLE identities (
    provider          TEXT NOT NULL,
    subject           TEXT NOT NULL,
    user_id           TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    handle            TEXT,
    handle_checked_at BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    last_used_at      BIGINT NOT NULL,
    PRIMARY KEY (provider, subject)
);
CREATE INDEX identities_of_user ON identities (user_id);
CREATE INDEX identities_by_check ON identities (handle_checked_at);

-- Browsers that were sent to a provider and have not come back. `browser_hash` is of a secret that only that browser holds;
-- `memory` is what the provider's client must know again (JSON), gone after one use or ten minutes.
CREATE TABLE signins (
    state_hash   BLOB PRIMARY KEY,
    browser_hash BLOB NOT NULL,
    provider     TEXT NOT NULL,
    memory       TEXT NOT NULL,
    return_path  TEXT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX signins_by_expiry ON signins (expires_at);

-- People who proved who they are and have no account yet: they are asked for a user name.
CREATE TABLE signups (
    secret_hash  BLOB PRIMARY KEY,
    provider     TEXT NOT NULL,
    subject      TEXT NOT NULL,
    handle       TEXT,
    display_name TEXT NOT NULL,
    return_path  TEXT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX signups_by_expiry ON signups (expires_at);

-- A suspended person gets in no more, nor does any agent of theirs. `leaving_at`: the account is deleted then.
ALTER TABLE users ADD COLUMN suspended_at BIGINT;
ALTER TABLE users ADD COLUMN suspended_why TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN leaving_at BIGINT;
CREATE INDEX users_leaving ON users (leaving_at) WHERE leaving_at IS NOT NULL;

-- `provider` is how the person proved who they are ('link' for a one-time link); `device` is for them to know it again.
ALTER TABLE sessions ADD COLUMN last_seen_at BIGINT;
ALTER TABLE sessions ADD COLUMN provider TEXT NOT NULL DEFAULT 'link';
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT '';

-- Invitations: to one identity (`provider`, `subject`; `handle` as it was typed), or by link (`secret_hash`) to whoever
-- comes first. One that was used or withdrawn stays until it expires, to tell its owner.
CREATE TABLE invitations (
    id           TEXT PRIMARY KEY,
    wiki_id      TEXT NOT NULL REFERENCES wikis (id) ON DELETE CASCADE,
    role         TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    provider     TEXT,
    subject      TEXT,
    handle       TEXT,
    secret_hash  BLOB UNIQUE,
    invited_by   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT,
    used_by      TEXT REFERENCES users (id) ON DELETE SET NULL,
    withdrawn_at BIGINT,
    CHECK ((subject IS NULL) <> (secret_hash IS NULL))
);
CREATE INDEX invitations_of_wiki ON invitations (wiki_id);
CREATE INDEX invitations_of_identity ON invitations (provider, subject);
CREATE INDEX invitations_by_inviter ON invitations (invited_by);
CREATE INDEX invitations_used_by ON invitations (used_by);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

-- A wiki that its owner deleted can be had back until `purge_at`; until then nobody sees it, and its address rests.
ALTER TABLE wikis ADD COLUMN purge_at BIGINT;
CREATE INDEX wikis_by_purge ON wikis (purge_at) WHERE purge_at IS NOT NULL;

-- A wiki's own domain. It counts from `verified_at` on; `problem` is what the last check found.
CREATE TABLE domains (
    domain      TEXT PRIMARY KEY,
    wiki_id     TEXT NOT NULL UNIQUE REFERENCES wikis (id) ON DELETE CASCADE,
    challenge   TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    verified_at BIGINT,
    checked_at  BIGINT,
    problem     TEXT
);

-- Who did what to which wiki or account. Names stay as they were, whatever becomes of people and wikis.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    at          BIGINT NOT NULL,
    wiki_id     TEXT,
    actor_kind  TEXT NOT NULL CHECK (actor_kind IN ('person', 'agent', 'operator', 'robot')),
    actor_id    TEXT,
    actor_name  TEXT NOT NULL,
    action      TEXT NOT NULL,
    target      TEXT NOT NULL,
    detail      TEXT NOT NULL
);
CREATE INDEX audit_of_wiki ON audit (wiki_id, id);
CREATE INDEX audit_by_age ON audit (at);
