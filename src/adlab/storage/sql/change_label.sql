-- In: change_id, label_id or NULL, before. Notes how what is about to be made will be found again.
UPDATE app.change_journal SET label_id = :label_id, before = CAST(:before AS jsonb)
WHERE change_id = :change_id
