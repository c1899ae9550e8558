-- In: account_id, object_id, kind, settled_at. Out: numbers of older wishes that no longer wait.
UPDATE app.change_journal SET state = 'replaced', settled_at = :settled_at
WHERE account_id = :account_id AND object_id = :object_id AND kind = :kind AND state = 'waiting'
RETURNING change_id
