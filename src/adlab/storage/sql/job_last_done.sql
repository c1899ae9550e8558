-- In: key. Out: when the newest finished turn of that key began; no row when there was none.
SELECT started_at FROM app.job WHERE key = :key AND state = 'done' ORDER BY job_id DESC LIMIT 1
