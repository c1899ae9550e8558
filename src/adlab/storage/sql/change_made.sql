-- In: change_id, made_id, made, inverse. Notes what a call made.
UPDATE app.change_journal
SET made_id = :made_id, made = CAST(:made AS jsonb), inverse = CAST(:inverse AS jsonb)
WHERE change_id = :change_id
