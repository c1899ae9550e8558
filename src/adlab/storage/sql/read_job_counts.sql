-- Out: how many jobs are in each state, what failed within a day, and the oldest that waits.
SELECT count(*) FILTER (WHERE state = 'running') AS running,
  count(*) FILTER (WHERE state = 'queued' AND due_at <= now()) AS waiting,
  count(*) FILTER (WHERE state = 'failed' AND finished_at > now() - interval '1 day') AS failed,
  count(*) FILTER (WHERE state = 'done' AND finished_at > now() - interval '1 day') AS done,
  min(due_at) FILTER (WHERE state = 'queued') AS oldest
FROM api.agency_jobs
