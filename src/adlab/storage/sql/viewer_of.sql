-- In: person_id. Out: name, role and viewer role of a person who may look; nothing otherwise.
SELECT name, role, login FROM sec.viewer(:person_id)
