-- In: slug. Out: the client's row, or nothing.
SELECT client_id, slug, name, currency, timezone, status, brand FROM app.client WHERE slug = :slug
