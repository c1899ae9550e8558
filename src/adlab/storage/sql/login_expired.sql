-- Out: logins of notebooks whose time is over, to be dropped.
SELECT l.login FROM sec.login l
WHERE l.kind = 'notebook' AND l.expires_at < now() - interval '1 minute'
