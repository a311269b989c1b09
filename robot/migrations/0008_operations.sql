-- What an operator keeps watch over: backups, alerts, and wikis that were taken down.

-- Backups that were begun; `finished_at` is NULL while one runs or after it was interrupted, `problem` is '' when it is good.
-- `mark_at`: every write that was acknowledged before is in it.
CREATE TABLE backups (
    id          TEXT PRIMARY KEY,
    destination TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    mark_at     BIGINT NOT NULL,
    finished_at BIGINT,
    wikis       INTEGER NOT NULL DEFAULT 0,
    size_bytes  BIGINT NOT NULL DEFAULT 0,
    problem     TEXT NOT NULL DEFAULT ''
);
CREATE INDEX backups_by_start ON backups (started_at);

-- What is wrong now and was told, and when last: a restart does not tell it again. A row goes when the trouble is over.
CREATE TABLE alerts (
    name     TEXT PRIMARY KEY,
    since_at BIGINT NOT NULL,
    told_at  BIGINT NOT NULL,
    sentence TEXT NOT NULL,
    remedy   TEXT NOT NULL
);

-- Messages about alerts that are yet to be sent, one for each way (webhook, mail), in the order of `id`.
CREATE TABLE alert_messages (
    id       INTEGER PRIMARY KEY,
    way      TEXT NOT NULL,
    made_at  BIGINT NOT NULL,
    kind     TEXT NOT NULL,
    alert    TEXT NOT NULL,
    sentence TEXT NOT NULL,
    remedy   TEXT NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    next_at  BIGINT NOT NULL,
    problem  TEXT NOT NULL DEFAULT ''
);

-- When the host ran; `ended_at` stays NULL where it did not end in order.
CREATE TABLE runs (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    began_at BIGINT NOT NULL,
    ended_at BIGINT
);

-- Since when the operator keeps everybody out of a wiki, and why.
ALTER TABLE wikis ADD COLUMN taken_down_at BIGINT;
ALTER TABLE wikis ADD COLUMN taken_down_why TEXT NOT NULL DEFAULT '';
