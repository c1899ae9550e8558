-- Out: per key the newest turn that was asked for, whatever came of it.
SELECT DISTINCT ON (key) key, due_at, state FROM app.job ORDER BY key, due_at DESC
