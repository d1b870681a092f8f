-- What the key of a token is good for: names of scopes and networks, each separated by a
-- space, and whether it is suspended. Keys that are there may do all that their owner may
-- do, from anywhere. New ones have to say: there are no defaults.
--
-- Via is the pk of the token that this one was made through. It may be gone.
ALTER TABLE authtoken_tokens
    ADD COLUMN scopes   text     NOT NULL COLLATE "C" DEFAULT '*',
    ADD COLUMN networks text     NOT NULL COLLATE "C" DEFAULT '*',
    ADD COLUMN state    smallint NOT NULL DEFAULT 1,
    ADD COLUMN metadata text     COLLATE "C",
    ADD COLUMN via      uuid;

ALTER TABLE authtoken_tokens
    ALTER COLUMN scopes   DROP DEFAULT,
    ALTER COLUMN networks DROP DEFAULT,
    ALTER COLUMN state    DROP DEFAULT;
