-- The catalog of one wiki: all of it is derived from git, and belongs to the commit in `meta`.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- A page at the head. `key` is what all spellings of its name share, `blob` the object id of its text, `revision` the
-- last commit that touched it, `updated` that commit's author date in epoch seconds. `tags` and `frontmatter` are JSON.
-- `redirect` is the name of the page that it stands for, `redirect_key` that name's key; `is_stub` is 1 where it is as
-- a rename left it, and says nothing else.
-- Passages were last made from `chunked_blob` for the model `chunked_model`, and are those with the checksum
-- `chunked_sum`.
CREATE TABLE page (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  key TEXT NOT NULL,
  title TEXT NOT NULL,
  blob TEXT NOT NULL,
  category TEXT,
  tags TEXT NOT NULL,
  words INTEGER NOT NULL,
  frontmatter TEXT,
  redirect TEXT,
  redirect_key TEXT,
  is_stub INTEGER NOT NULL,
  revision TEXT NOT NULL,
  updated INTEGER NOT NULL,
  chunked_blob TEXT,
  chunked_model TEXT,
  chunked_sum BLOB
);
CREATE INDEX page_key ON page (key);
CREATE INDEX page_redirect ON page (redirect_key) WHERE redirect_key IS NOT NULL;

-- `key` is the tag in lower case.
CREATE TABLE tag (
  page_id INTEGER NOT NULL REFERENCES page (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  tag TEXT NOT NULL,
  PRIMARY KEY (page_id, tag)
) WITHOUT ROWID;
CREATE INDEX tag_key ON tag (key);

-- A wikilink; `target` is the name as written, `key` its page key. The target need not exist.
CREATE TABLE link (
  page_id INTEGER NOT NULL REFERENCES page (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  target TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (page_id, ordinal)
) WITHOUT ROWID;
CREATE INDEX link_key ON link (key);

-- `generation` is one more than the highest of the parents: an order that does not depend on clocks. `parents` is how
-- many there are.
CREATE TABLE commits (
  id INTEGER PRIMARY KEY,
  oid TEXT NOT NULL UNIQUE,
  generation INTEGER NOT NULL,
  parents INTEGER NOT NULL,
  time INTEGER NOT NULL,
  zone INTEGER NOT NULL,
  author TEXT NOT NULL,
  email TEXT NOT NULL,
  message TEXT NOT NULL,
  agent TEXT,
  via TEXT,
  credential TEXT,
  pushed_by TEXT
);
CREATE INDEX commits_credential ON commits (credential, generation) WHERE credential IS NOT NULL;
CREATE INDEX commits_generation ON commits (generation);
CREATE INDEX commits_merge ON commits (generation) WHERE parents > 1;

-- Which commits touched a file (any file, not only pages); `change` is A, M or D.
CREATE TABLE page_commit (
  file TEXT NOT NULL,
  commit_id INTEGER NOT NULL REFERENCES commits (id) ON DELETE CASCADE,
  change TEXT NOT NULL,
  PRIMARY KEY (file, commit_id)
) WITHOUT ROWID;
CREATE INDEX page_commit_commit ON page_commit (commit_id);

-- The row id is the page's. `title` has the last part of the name too where that is another, `folder` the rest of it.
-- What `unspaced.indexed` makes of the body is in `pairs`, of the others behind them.
CREATE VIRTUAL TABLE page_text USING fts5 (
  title, folder, tags, headings, body, pairs, tokenize = 'porter unicode61 remove_diacritics 2'
);

-- Where a section begins: the offset of its heading in the body, in characters, and the heading's id on the page.
CREATE TABLE heading (
  page_id INTEGER NOT NULL REFERENCES page (id) ON DELETE CASCADE,
  start INTEGER NOT NULL,
  title TEXT NOT NULL,
  anchor TEXT NOT NULL,
  level INTEGER NOT NULL,
  PRIMARY KEY (page_id, start)
) WITHOUT ROWID;

-- A passage; its lines are those of the page's file, from 1.
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY,
  page_id INTEGER NOT NULL REFERENCES page (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  section TEXT NOT NULL,
  section_path TEXT NOT NULL,
  anchor TEXT NOT NULL,
  first_line INTEGER NOT NULL,
  last_line INTEGER NOT NULL,
  text TEXT NOT NULL,
  hash BLOB NOT NULL
);
CREATE INDEX chunk_page ON chunk (page_id);
-- With all that a search asks of the passages that it does not show.
CREATE INDEX chunk_hash ON chunk (hash, page_id, ordinal);

-- Kept when the catalog is rebuilt: a vector belongs to a text, not to a commit.
CREATE TABLE IF NOT EXISTS vector (
  hash BLOB NOT NULL,
  model TEXT NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (hash, model)
) WITHOUT ROWID;
