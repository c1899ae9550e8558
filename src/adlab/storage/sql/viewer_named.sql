-- In: username. Out: person_id, name, role and viewer role of a person who may look; nothing otherwise.
SELECT person_id, name, role, login FROM sec.viewer_named(:username)
