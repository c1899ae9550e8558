-- In: meta_user_id, number (the same, or NULL). Empties what Meta told by itself where it names that
-- user; when it came, and about which object, stays.
UPDATE app.webhook_event SET value = '{"erased": true}'
WHERE jsonb_path_exists(value, '$.** ? (@ == $text)',
    jsonb_build_object('text', CAST(:meta_user_id AS text)))
  OR jsonb_path_exists(value, '$.** ? (@ == $number)',
    jsonb_build_object('number', to_jsonb(CAST(:number AS numeric))))
