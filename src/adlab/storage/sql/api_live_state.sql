-- In: account_id, client_ids. Out: when its numbers were read and when they changed.
SELECT max(s.checked_at) AS checked_at, max(s.changed_at) AS changed_at
FROM api.sync_state s
WHERE s.account_id = :account_id AND s.client_id = ANY (:client_ids) AND s.kind = 'insights'
