-- In: one row of the journal, planned or waiting, or verified where nothing was to be done.
-- Out: its number and key.
INSERT INTO app.change_journal (client_id, account_id, level, object_id, kind, change, wanted,
  before, after, inverse, state, not_before, undoes, actor, reason, remarks, planned_at, settled_at)
VALUES (:client_id, :account_id, :level, :object_id, :kind, CAST(:change AS jsonb),
  CAST(:wanted AS jsonb), CAST(:before AS jsonb), CAST(:after AS jsonb), CAST(:inverse AS jsonb),
  :state, :not_before, :undoes, :actor, :reason, :remarks, :planned_at, :settled_at)
RETURNING change_id, key
