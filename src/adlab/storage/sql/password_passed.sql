-- In: person_id.
UPDATE sec.password SET failures = 0, locked_until = NULL WHERE person_id = :person_id
