-- What a connection shows of the catalog to somebody who reaches one folder (`reach.py`). SQLite looks for a name in
-- `temp` first, so each query sees these views where it names a table, and cannot forget to ask what is inside.
--
-- Not covered is `page_text`, since full text works on no view: its queries join `page`, or name the ids of pages.
-- `vector` has what only the hash of a text leads to.

-- `own` is the key of the folder's own page, `folder` that with a slash, `beyond` what comes after all that begins so;
-- between `begin_file` and `end_file` are the paths of all files inside. `untold` stands for a commit's message.
CREATE TEMP TABLE reach (
  own TEXT NOT NULL,
  folder TEXT NOT NULL,
  beyond TEXT NOT NULL,
  begin_file TEXT NOT NULL,
  end_file TEXT NOT NULL,
  untold TEXT NOT NULL
);
INSERT INTO reach VALUES ('/', '/', '/', '/', '/', '');

CREATE TEMP VIEW page AS
  SELECT * FROM main.page
  WHERE key >= (SELECT own FROM reach) AND key < (SELECT beyond FROM reach)
    AND (key = (SELECT own FROM reach) OR key >= (SELECT folder FROM reach));

CREATE TEMP VIEW tag AS SELECT tag.* FROM temp.page AS reached JOIN main.tag AS tag ON tag.page_id = reached.id;

CREATE TEMP VIEW link AS SELECT link.* FROM temp.page AS reached JOIN main.link AS link ON link.page_id = reached.id;

CREATE TEMP VIEW heading AS
  SELECT heading.* FROM temp.page AS reached JOIN main.heading AS heading ON heading.page_id = reached.id;

CREATE TEMP VIEW chunk AS SELECT chunk.* FROM temp.page AS reached JOIN main.chunk AS chunk ON chunk.page_id = reached.id;

CREATE TEMP VIEW page_commit AS
  SELECT * FROM main.page_commit
  WHERE file >= (SELECT begin_file FROM reach) AND file < (SELECT end_file FROM reach)
    AND (replace(file, '_', ' ') = (SELECT own || '.md' FROM reach)
      OR (replace(file, '_', ' ') >= (SELECT folder FROM reach) AND replace(file, '_', ' ') < (SELECT beyond FROM reach)));

-- Of a commit that changed something outside too, the message may speak of that.
CREATE TEMP VIEW commits AS
  SELECT id, oid, generation, parents, time, zone, author, email,
    CASE
      WHEN EXISTS (
        SELECT 1 FROM main.page_commit AS touched
        WHERE touched.commit_id = main.commits.id
          AND NOT (replace(file, '_', ' ') = (SELECT own || '.md' FROM reach)
            OR (replace(file, '_', ' ') >= (SELECT folder FROM reach)
              AND replace(file, '_', ' ') < (SELECT beyond FROM reach)))
      ) THEN (SELECT untold FROM reach)
      ELSE message
    END AS message,
    agent, via, credential, pushed_by
  FROM main.commits
  WHERE EXISTS (SELECT 1 FROM temp.page_commit AS inside WHERE inside.commit_id = main.commits.id);
