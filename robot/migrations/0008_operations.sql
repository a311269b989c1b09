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

-- What is wrong now, as far as it was told: a restart does not tell it again. A row goes when the trouble is over.
CREATE TABLE alerts (
    name     TEXT PRIMARY KEY,
    since_at BIGINT NOT NULL,
    told_at  BIGINT,
    sentence TEXT NOT NULL
);

-- Since when the operator keeps everybody out of a wiki, and why.
ALTER TABLE wikis ADD COLUMN taken_down_at BIGINT;
ALTER TABLE wikis ADD COLUMN taken_down_why TEXT NOT NULL DEFAULT '';
