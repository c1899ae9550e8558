-- Forgets tokens that ended half a year ago.
DELETE FROM sec.api_token
WHERE least(expires_at, coalesce(revoked_at, expires_at)) < now() - interval '180 days'
