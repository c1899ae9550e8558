-- In: user_hash, meta_user_id. Out: that user's newest request, and whether anything of theirs has
-- come since.
SELECT d.code, d.done_at,
       EXISTS (SELECT 1 FROM sec.connection n WHERE n.meta_user_id = :meta_user_id)
       OR EXISTS (SELECT 1 FROM sec.connect_attempt t WHERE t.meta_user_id = :meta_user_id)
       OR EXISTS (SELECT 1 FROM app.activity v WHERE v.actor_id = :meta_user_id)
         AS has_data
FROM sec.deletion_request d WHERE d.user_hash = :user_hash
ORDER BY d.request_id DESC LIMIT 1
