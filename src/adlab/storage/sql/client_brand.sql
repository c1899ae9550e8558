-- In: client_id, brand. Out: one row when the client exists.
UPDATE app.client SET brand = brand || CAST(:brand AS jsonb)
WHERE client_id = :client_id RETURNING client_id
