-- What an agent may reach (`prefix`: one folder of the wiki, NULL for all of it), what its owner tells agents, and since
-- when a wiki may only be read.
ALTER TABLE tokens ADD COLUMN prefix TEXT;
ALTER TABLE wikis ADD COLUMN guidance TEXT NOT NULL DEFAULT '';
ALTER TABLE wikis ADD COLUMN frozen_at BIGINT;
