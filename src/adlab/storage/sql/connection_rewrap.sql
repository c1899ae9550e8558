-- In: connection_id and its token as wrapped anew.
UPDATE sec.connection SET token_sealed = :token_sealed WHERE connection_id = :id
