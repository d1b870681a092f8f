-- Users are text, and a number becomes its decimal digits. SQLite can't change the
-- type of a column, so the rows move to a new table.
--
-- What else is new are the keys that a token had before the retired one, the oldest
-- first: 32 bytes of digest and 8 of microseconds for each, NULL for none. They are
-- read with the token, and the second table is for finding the token by one of
-- them. Few tokens have any.
CREATE TABLE authtoken_tokens_new (
    pk             BLOB    NOT NULL PRIMARY KEY,
    identifier     TEXT    NOT NULL,
    intent         TEXT    NOT NULL,
    user           TEXT    NOT NULL,
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
    version        INTEGER NOT NULL,
    earlier        BLOB
) STRICT;

INSERT INTO authtoken_tokens_new
    SELECT pk, identifier, intent, CAST(user AS TEXT), description, managed, expires, expiring,
        digest, sealed, retired, retired_until, created, last_used, last_used_from, version, NULL
    FROM authtoken_tokens;

DROP TABLE authtoken_tokens;

ALTER TABLE authtoken_tokens_new RENAME TO authtoken_tokens;

-- As in the first version.
CREATE UNIQUE INDEX authtoken_tokens_identifier ON authtoken_tokens (identifier);
CREATE UNIQUE INDEX authtoken_tokens_digest     ON authtoken_tokens (digest);
CREATE UNIQUE INDEX authtoken_tokens_managed    ON authtoken_tokens (managed) WHERE managed IS NOT NULL;
CREATE INDEX        authtoken_tokens_retired    ON authtoken_tokens (retired) WHERE retired IS NOT NULL;
CREATE INDEX        authtoken_tokens_user       ON authtoken_tokens (user, identifier);
CREATE INDEX        authtoken_tokens_expires    ON authtoken_tokens (expiring, expires);

CREATE TABLE authtoken_earlier_keys (
    digest BLOB NOT NULL,
    pk     BLOB NOT NULL,
    PRIMARY KEY (digest, pk)
) STRICT, WITHOUT ROWID;

CREATE INDEX authtoken_earlier_keys_pk ON authtoken_earlier_keys (pk);
