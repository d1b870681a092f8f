-- The versions that the schema has had, for whoever is to know which migrations
-- have been made.
CREATE TABLE IF NOT EXISTS authtoken_migrations (version integer PRIMARY KEY);

-- One row for each token. What a record has empty or zero for "none" is NULL.
-- Text is compared and sorted byte by byte in this package, whatever the
-- database does elsewhere, hence the collation. The checks see to it that
-- whatever is in a row can be read back. By update_id, which is different each time, an
-- update whose connection broke can tell whether it was the last one.
CREATE TABLE authtoken_tokens (
    pk             uuid        NOT NULL PRIMARY KEY,
    identifier     text        NOT NULL COLLATE "C",
    intent         text        NOT NULL COLLATE "C",
    "user"         bigint      NOT NULL,
    description    text        NOT NULL COLLATE "C",
    managed        text                 COLLATE "C",
    expires        timestamptz,
    expiring       boolean     NOT NULL,
    digest         bytea       NOT NULL,
    sealed         bytea,
    retired        bytea,
    retired_until  timestamptz,
    created        timestamptz,
    last_used      timestamptz,
    last_used_from text        NOT NULL COLLATE "C",
    version        bigint      NOT NULL,
    update_id      uuid,

    CONSTRAINT authtoken_tokens_digests CHECK (octet_length(digest) = 32 AND octet_length(retired) = 32),
    CONSTRAINT authtoken_tokens_times CHECK (isfinite(expires) AND isfinite(retired_until)
        AND isfinite(created) AND isfinite(last_used))
);

CREATE UNIQUE INDEX authtoken_tokens_identifier ON authtoken_tokens (identifier);
CREATE UNIQUE INDEX authtoken_tokens_digest     ON authtoken_tokens (digest);

-- An index takes no text of more than 2,700 bytes, and managed may have ten
-- thousand characters; so it is indexed by its SHA-256. The replacement makes the
-- cast exact, as it takes a backslash for the start of an escape.
CREATE UNIQUE INDEX authtoken_tokens_managed ON authtoken_tokens (sha256(replace(managed, '\', '\\')::bytea))
    WHERE managed IS NOT NULL;

-- Few tokens have a key that was retired.
CREATE INDEX authtoken_tokens_retired ON authtoken_tokens (retired) WHERE retired IS NOT NULL;

-- For an owner's own list, and for what expires.
CREATE INDEX authtoken_tokens_user    ON authtoken_tokens ("user", identifier);
CREATE INDEX authtoken_tokens_expires ON authtoken_tokens (expires) WHERE expiring;
