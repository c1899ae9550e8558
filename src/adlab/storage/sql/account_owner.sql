-- In: account_id. Out: the client that has it, and its currency.
SELECT a.account_id, a.client_id, c.slug, a.currency, a.timezone, a.source, a.name
FROM app.account a JOIN app.client c USING (client_id) WHERE a.account_id = :account_id
