-- What the key of a token is good for: names of scopes and networks, each separated by a
-- space, and whether it is suspended. What a row does not say, its key is not good for.
-- Keys that are there may do all that their owner may do, from anywhere.
--
-- Via is the pk of the token that this one was made through. It may be gone.
ALTER TABLE authtoken_tokens ADD COLUMN scopes   TEXT    NOT NULL DEFAULT '';
ALTER TABLE authtoken_tokens ADD COLUMN networks TEXT    NOT NULL DEFAULT '';
ALTER TABLE authtoken_tokens ADD COLUMN state    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE authtoken_tokens ADD COLUMN metadata TEXT;
ALTER TABLE authtoken_tokens ADD COLUMN via      BLOB;

UPDATE authtoken_tokens SET scopes = '*', networks = '*', state = 1;
