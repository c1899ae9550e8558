-- In: client_id. Out: the client's accounts, when each was last read, and up to which day.
SELECT a.account_id, a.name, a.currency, a.timezone, a.source,
  max(s.checked_at) AS checked_at, max(s.until) FILTER (WHERE s.kind = 'insights') AS until
FROM app.account a LEFT JOIN app.sync_state s USING (account_id)
WHERE a.client_id = :client_id
GROUP BY a.account_id ORDER BY a.account_id
