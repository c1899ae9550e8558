-- In: person_id. Forgets the person with grants, logins, password, links and tokens.
DELETE FROM sec.person WHERE person_id = :person_id
