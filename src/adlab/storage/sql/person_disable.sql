-- In: person_id, disabled.
UPDATE sec.person SET disabled_at = CASE WHEN :disabled THEN coalesce(disabled_at, now()) END
WHERE person_id = :person_id
