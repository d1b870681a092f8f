-- Users are text, and a number becomes its decimal digits.
--
-- What else is new are the keys that a token had before the retired one, the oldest
-- first: 32 bytes of digest and 8 of microseconds for each, NULL for none. They are
-- read with the token, and the table is for finding the token by one of them. Few
-- tokens have any.
ALTER TABLE authtoken_tokens
    ALTER COLUMN "user" TYPE text COLLATE "C" USING "user"::text,
    ADD COLUMN earlier bytea,
    ADD CONSTRAINT authtoken_tokens_earlier CHECK (octet_length(earlier) % 40 = 0);

CREATE TABLE authtoken_earlier_keys (
    digest bytea NOT NULL,
    pk     uuid  NOT NULL REFERENCES authtoken_tokens ON DELETE CASCADE,
    PRIMARY KEY (digest, pk)
);

CREATE INDEX authtoken_earlier_keys_pk ON authtoken_earlier_keys (pk);

-- The owners for whom a token has been made within a limit. Whoever makes one locks
-- the row of its owner, so that nobody else counts the owner's tokens until it is there.
CREATE TABLE authtoken_owners ("user" text NOT NULL COLLATE "C" PRIMARY KEY);
