-- In: client_id, name or NULL, brand (keys to set; null takes one away).
UPDATE app.client SET name = coalesce(:name, name),
  brand = jsonb_strip_nulls(brand || CAST(:brand AS jsonb))
WHERE client_id = :client_id
