-- Out: every client, by name.
SELECT client_id, slug, name, currency, timezone, status, brand FROM app.client ORDER BY name
