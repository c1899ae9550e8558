-- Out: clients that have an account, richest in names first: client_id, slug, name, account, the
-- account's name, and, where there is one, a campaign and a day's spend nobody else has.
SELECT c.client_id, c.slug, c.name, a.account_id, a.name AS account_name,
  o.object_id, o.name AS object_name, s.spend_micro
FROM app.client c
JOIN LATERAL (SELECT a.account_id, a.name FROM app.account a WHERE a.client_id = c.client_id
  ORDER BY a.account_id LIMIT 1) a ON true
LEFT JOIN LATERAL (SELECT o.object_id, o.name FROM app.object o WHERE o.client_id = c.client_id
  AND o.level = 2 AND length(o.name) > 5 ORDER BY o.object_id LIMIT 1) o ON true
LEFT JOIN LATERAL (SELECT d.spend_micro FROM app.account_daily d WHERE d.client_id = c.client_id
  AND d.spend_micro > 10000000 ORDER BY d.spend_micro DESC LIMIT 1) s ON true
ORDER BY o.object_id IS NULL, s.spend_micro IS NULL, c.client_id
