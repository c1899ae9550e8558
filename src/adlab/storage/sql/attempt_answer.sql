-- In: attempt_id, now. Out: the id, once: a state is used up by its first answer.
UPDATE sec.connect_attempt SET answered_at = :now
WHERE attempt_id = :attempt_id AND answered_at IS NULL AND expires_at > :now
RETURNING attempt_id
