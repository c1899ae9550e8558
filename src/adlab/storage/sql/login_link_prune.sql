-- Forget links that are over.
DELETE FROM sec.login_link WHERE expires_at < now() - interval '1 day'
