-- In: done_before, failed_before. Forgets jobs that ended before that, the newest of each key
-- excepted.
DELETE FROM app.job j WHERE (j.state = 'done' AND j.finished_at < :done_before
    OR j.state = 'failed' AND j.finished_at < :failed_before)
  AND EXISTS (SELECT 1 FROM app.job n WHERE n.key = j.key AND n.job_id > j.job_id)
