-- In: meta_user_id. Takes that user's id and name out of the record of what was done in accounts.
UPDATE app.activity SET actor_id = NULL, actor_name = NULL WHERE actor_id = :meta_user_id
