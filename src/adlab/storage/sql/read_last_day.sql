-- In: client_ids. Out: newest day with rows, per client.
SELECT client_id, max(date) AS day FROM api.account_daily
WHERE client_id = ANY (:client_ids) GROUP BY client_id
