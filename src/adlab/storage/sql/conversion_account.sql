-- In: client_id, dataset_id. Out: accounts of the client with a token, those that are known to have
-- the dataset first; and of each whether it does, and whether only others are known to have it.
SELECT a.account_id, a.client_id, n.token_sealed, n.status AS connection_status, n.status_reason,
       n.scopes, n.connection_id, p.pixel_id IS NOT NULL AS has_it,
       EXISTS (SELECT 1 FROM app.pixel o WHERE o.pixel_id = :dataset_id) AND NOT EXISTS
         (SELECT 1 FROM app.pixel o WHERE o.pixel_id = :dataset_id AND o.client_id = :client_id)
         AS is_of_others
FROM app.account a
JOIN sec.connection n ON n.connection_id = a.connection_id
LEFT JOIN app.pixel p ON p.account_id = a.account_id AND p.pixel_id = :dataset_id
  AND p.vanished_at IS NULL
WHERE a.client_id = :client_id AND a.source = 'meta'
ORDER BY n.status = 'ok' DESC, (p.pixel_id IS NOT NULL) DESC, a.account_id
