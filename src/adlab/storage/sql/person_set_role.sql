-- In: person_id, role. Triggers bring what follows from it up to date.
UPDATE sec.person SET role = :role WHERE person_id = :person_id
