-- The keys that a token had before the retired one, the oldest first: 32 bytes of
-- digest and 8 of microseconds for each, NULL for none. They are read with
-- the token, and the table is for finding the token by one of them. Few tokens have any.
ALTER TABLE authtoken_tokens ADD COLUMN earlier BLOB;

CREATE TABLE authtoken_earlier_keys (
    digest BLOB NOT NULL,
    pk     BLOB NOT NULL,
    PRIMARY KEY (digest, pk)
) STRICT, WITHOUT ROWID;

CREATE INDEX authtoken_earlier_keys_pk ON authtoken_earlier_keys (pk);
