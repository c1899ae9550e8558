-- In: change_id, now. Notes, before it is made, that a call is made.
UPDATE app.change_journal
SET state = 'sent', sends = sends || CAST(:now AS timestamptz), not_before = NULL, error = NULL
WHERE change_id = :change_id AND state IN ('planned', 'waiting', 'sent')
