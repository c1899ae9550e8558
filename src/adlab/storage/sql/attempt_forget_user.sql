-- In: meta_user_id. Out: dialogs under way of that user at Meta, which are forgotten.
DELETE FROM sec.connect_attempt WHERE meta_user_id = :meta_user_id RETURNING attempt_id
