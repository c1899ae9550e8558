-- In: account_id, objects (JSON text: [{level, object_id}]). Out: the version each object has now:
-- level, object_id, since when, whether it began in this transaction, its effective_status.
SELECT h.level, h.object_id, h.valid_from, h.valid_from >= now() AS changed,
       h.state ->> 'effective_status' AS effective_status
FROM jsonb_to_recordset(CAST(:objects AS jsonb)) AS o (level smallint, object_id bigint)
JOIN app.object_history h ON h.account_id = :account_id AND h.level = o.level
  AND h.object_id = o.object_id AND h.valid_to IS NULL
