-- In: actor, action, client_id, details, clients (several at once, or NULL).
INSERT INTO sec.audit (actor, action, client_id, details, clients)
VALUES (:actor, :action, :client_id, CAST(:details AS jsonb), CAST(:clients AS integer[]))
