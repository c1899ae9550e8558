-- In: person_id. Out: that person's logins in the database.
SELECT login FROM sec.login WHERE person_id = :person_id ORDER BY login
