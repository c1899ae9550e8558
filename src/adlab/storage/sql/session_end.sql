-- In: logins. Out: how many of their sessions were ended; each is waited for, a second at most.
SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid, 1000)) FROM pg_stat_activity a
WHERE a.usename = ANY (CAST(:logins AS name[])) AND a.pid <> pg_backend_pid()
