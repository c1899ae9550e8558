-- In: attempt_id and its token as wrapped anew.
UPDATE sec.connect_attempt SET token_sealed = :token_sealed WHERE attempt_id = :id
