-- In: account_id, client_ids. Out: number of active campaigns.
SELECT count(*) AS campaigns FROM api.objects o
WHERE o.account_id = :account_id AND o.client_id = ANY (:client_ids) AND o.level = 2
  AND o.effective_status = 'ACTIVE' AND o.vanished_at IS NULL
