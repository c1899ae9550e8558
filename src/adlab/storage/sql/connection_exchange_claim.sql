-- In: connection_id, tried_before, now. Out: the id, for the one process that renews the token now.
UPDATE sec.connection SET exchange_tried_at = :now
WHERE connection_id = :connection_id
  AND (exchange_tried_at IS NULL OR exchange_tried_at <= :tried_before)
RETURNING connection_id
