-- In: client_id. Takes a client's running jobs from their workers.
DELETE FROM app.job WHERE client_id = :client_id
