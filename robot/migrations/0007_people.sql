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
CREATE INDEX identities_by_handle ON identities (handle);

-- Browsers that were sent to a provider and have not come back. `browser_hash` is of a secret that only that browser holds;
-- `address` is where it goes; `memory` is what the provider's client must know again (JSON), gone after one use or ten
-- minutes; `typed` is what the person typed. `session_id`: not to sign in, but to let that person sign in this way too.
CREATE TABLE signins (
    state_hash   BLOB PRIMARY KEY,
    browser_hash BLOB NOT NULL,
    provider     TEXT NOT NULL,
    typed        TEXT NOT NULL,
    address      TEXT NOT NULL,
    memory       TEXT NOT NULL,
    return_path  TEXT NOT NULL,
    session_id   TEXT REFERENCES sessions (id) ON DELETE CASCADE,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX signins_of_session ON signins (session_id);
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

-- Two names that a reader takes for one another look the same: without hyphens, and with 0 as o, 1 and i as l, 5 as s,
-- rn as m and vv as w. `robot.accounts` has the same rule for names that nobody may have.
ALTER TABLE users ADD COLUMN look TEXT GENERATED ALWAYS AS (
    replace(replace(replace(replace(replace(replace(replace(
        name, '-', ''), '0', 'o'), '1', 'l'), 'i', 'l'), '5', 's'), 'rn', 'm'), 'vv', 'w')
) VIRTUAL;
CREATE INDEX users_by_look ON users (look);

-- A suspended person gets in no more, nor does any agent of theirs. `leaving_at`: the account is deleted then.
ALTER TABLE users ADD COLUMN suspended_at BIGINT;
ALTER TABLE users ADD COLUMN suspended_why TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN leaving_at BIGINT;
CREATE INDEX users_leaving ON users (leaving_at) WHERE leaving_at IS NOT NULL;

-- User names of deleted accounts: commits still bear them, so nobody else is ever called so.
CREATE TABLE freed_user_names (look TEXT PRIMARY KEY, name TEXT NOT NULL);

-- `provider` is how the person proved who they are ('link' for a one-time link); `device` is for them to know it again.
ALTER TABLE sessions ADD COLUMN last_seen_at BIGINT;
ALTER TABLE sessions ADD COLUMN provider TEXT NOT NULL DEFAULT 'link';
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT '';

-- Since when a person has had a role in a wiki, as far as that is known: a change of role leaves it.
ALTER TABLE grants ADD COLUMN granted_at BIGINT;
UPDATE grants SET granted_at = (SELECT created_at FROM wikis WHERE wikis.id = grants.wiki_id) WHERE role = 'owner';

-- Invitations: to one identity (`provider`, `subject`; `handle` as it was typed), or by link (`secret_hash`) to whoever
-- comes first. An account of this host is the identity of the provider 'robot' whose subject is the account's id. One that
-- was used, declined or withdrawn stays until a month after it expires, to tell its owner and whoever opens it.
-- `admitted_at`: somebody made an account by the link, which lets one person onto a host that takes the invited only.
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
    declined_at  BIGINT,
    admitted_at  BIGINT,
    CHECK ((subject IS NULL) <> (secret_hash IS NULL))
);
CREATE INDEX invitations_of_wiki ON invitations (wiki_id);
CREATE INDEX invitations_of_identity ON invitations (provider, subject);
CREATE INDEX invitations_by_inviter ON invitations (invited_by);
CREATE INDEX invitations_used_by ON invitations (used_by);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

-- A wiki in state 'deleting' with a `purge_at` was deleted by an owner, who can have it back until then: nobody sees it, and
-- it keeps its address. Without one, it is being removed for good.
ALTER TABLE wikis ADD COLUMN purge_at BIGINT;
CREATE INDEX wikis_by_purge ON wikis (purge_at) WHERE purge_at IS NOT NULL;

-- The domain that a wiki wants for its own, in the form that DNS has it. Several wikis may want one, but only the wiki has
-- it that showed in DNS that it may (`verified_at`). `failing_since` is when that was first found missing, the problems are
-- what the last check found of each record, and why the domain is not in force all the same, or any more.
CREATE TABLE domains (
    wiki_id         TEXT PRIMARY KEY REFERENCES wikis (id) ON DELETE CASCADE,
    domain          TEXT NOT NULL,
    challenge       TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    verified_at     BIGINT,
    checked_at      BIGINT,
    failing_since   BIGINT,
    record_problem  TEXT,
    address_problem TEXT,
    problem         TEXT
);
CREATE UNIQUE INDEX domains_in_force ON domains (domain) WHERE verified_at IS NOT NULL;
CREATE INDEX domains_by_check ON domains (checked_at) WHERE verified_at IS NOT NULL;

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
CREATE INDEX audit_of_wiki ON audit (wiki_id, at, id);
CREATE INDEX audit_by_age ON audit (at);
