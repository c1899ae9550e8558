-- In: actor, action, client_id, details.
INSERT INTO sec.audit (actor, action, client_id, details)
VALUES (:actor, :action, :client_id, CAST(:details AS jsonb))
