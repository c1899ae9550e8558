-- In: meta_user_id. Out: what Meta told by itself where it names that user.
SELECT event_id, client_id, account_id, field, value, received_at FROM app.webhook_event
WHERE jsonb_path_exists(value, '$.** ? (@ == $text)',
    jsonb_build_object('text', CAST(:meta_user_id AS text)))
  OR jsonb_path_exists(value, '$.** ? (@ == $number)',
    jsonb_build_object('number', to_jsonb(CAST(:number AS numeric))))
