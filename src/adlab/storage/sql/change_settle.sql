-- In: change_id, state, after, difference, remarks, error, trace_id, not_before, uncount (whether
-- the newest call is known not to have counted), settled_at (NULL while it is open).
UPDATE app.change_journal
SET state = :state, after = coalesce(CAST(:after AS jsonb), after),
    difference = CAST(:difference AS jsonb), remarks = :remarks, error = :error,
    trace_id = coalesce(:trace_id, trace_id), not_before = :not_before, settled_at = :settled_at,
    sends = CASE WHEN :uncount THEN sends[1:cardinality(sends) - 1] ELSE sends END
WHERE change_id = :change_id
