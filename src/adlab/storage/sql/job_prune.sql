-- In: before. Forgets finished jobs older than that, the newest of each key excepted.
DELETE FROM app.job j WHERE j.state IN ('done', 'failed') AND j.finished_at < :before
  AND EXISTS (SELECT 1 FROM app.job n WHERE n.key = j.key AND n.job_id > j.job_id)
