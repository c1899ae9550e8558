-- In: client_id. Out: that client's accounts with their timezones.
SELECT account_id, timezone FROM app.account WHERE client_id = :client_id ORDER BY account_id
