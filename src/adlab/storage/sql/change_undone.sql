-- In: change_id. Out: the change that takes it back, when there is one that was not refused.
SELECT change_id, state FROM app.change_journal
WHERE undoes = :change_id AND state NOT IN ('failed', 'replaced')
