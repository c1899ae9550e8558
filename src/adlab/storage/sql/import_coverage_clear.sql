-- In: account_id, level. Forgets how far an imported account reaches, before it is set anew.
DELETE FROM app.sync_state WHERE account_id = :account_id AND kind = 'insights' AND level = :level
