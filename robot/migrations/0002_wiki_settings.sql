-- What an owner switches in a wiki, and what the operator grants it. A quota of NULL is this host's default.
ALTER TABLE wikis ADD COLUMN git_enabled INTEGER NOT NULL DEFAULT 1 CHECK (git_enabled IN (0, 1));
ALTER TABLE wikis ADD COLUMN quota_pages BIGINT CHECK (quota_pages >= 0);
ALTER TABLE wikis ADD COLUMN quota_bytes BIGINT CHECK (quota_bytes >= 0);
