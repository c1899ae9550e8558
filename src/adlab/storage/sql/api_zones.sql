-- In: client_ids. Out: timezones of their accounts; one made for imports counts while one is live.
SELECT DISTINCT a.timezone FROM api.accounts a
WHERE a.client_id = ANY (:client_ids)
  AND (a.source <> 'import' OR EXISTS (SELECT 1 FROM api.imports f
    WHERE f.account_id = a.account_id AND f.undone_at IS NULL))
