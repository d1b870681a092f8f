-- The versions that the schema has had, for whoever is to know which migrations
-- have been made.
CREATE TABLE IF NOT EXISTS authtoken_migrations (version INTEGER PRIMARY KEY) STRICT;

-- One row for each token. Times are microseconds since 1970, UTC, and NULL for
-- none: as text they would cost 67 bytes more a row. The order of columns is
-- that of the struct they are read into.
--
-- A WITHOUT ROWID table would save the index on pk, but would repeat the 16
-- bytes of the pk, in place of a rowid of one to four, in every other index.
CREATE TABLE authtoken_tokens (
    pk             BLOB    NOT NULL PRIMARY KEY,
    identifier     TEXT    NOT NULL,
    intent         TEXT    NOT NULL,
    user           INTEGER NOT NULL,
    description    TEXT    NOT NULL,
    managed        TEXT,
    expires        INTEGER,
    expiring       INTEGER NOT NULL,
    digest         BLOB    NOT NULL,
    sealed         BLOB,
    retired        BLOB,
    retired_until  INTEGER,
    created        INTEGER,
    last_used      INTEGER,
    last_used_from TEXT    NOT NULL,
    version        INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX authtoken_tokens_identifier ON authtoken_tokens (identifier);
CREATE UNIQUE INDEX authtoken_tokens_digest     ON authtoken_tokens (digest);

-- Few tokens are managed and few have a key that was retired, so that partial
-- indexes cost next to nothing.
CREATE UNIQUE INDEX authtoken_tokens_managed ON authtoken_tokens (managed) WHERE managed IS NOT NULL;
CREATE INDEX        authtoken_tokens_retired ON authtoken_tokens (retired) WHERE retired IS NOT NULL;

-- For an owner's own list, and for what expires. The latter holds all tokens, and
-- is the smallest index that does, so it is also what SQLite counts them by.
CREATE INDEX authtoken_tokens_user    ON authtoken_tokens (user, identifier);
CREATE INDEX authtoken_tokens_expires ON authtoken_tokens (expiring, expires);
