-- In: slug, name, currency, timezone, brand. Out: client_id, or nothing when the slug is taken.
INSERT INTO app.client (slug, name, currency, timezone, brand)
VALUES (:slug, :name, :currency, :timezone, CAST(:brand AS jsonb))
ON CONFLICT (slug) DO NOTHING
RETURNING client_id
